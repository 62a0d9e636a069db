"""Small MR series written file by file, so that any attribute can be changed, dropped or spoiled."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.domain.geometry import ImagePlane, Spacing
from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.study import ReceivedSeries, ReceivedStudy, SelectedSeries, SeriesRole
from tools.phantom.dicom import write_series
from tools.phantom.series import Acquisition, Encoding, SeriesImages, SliceImage, Subject

#: Value of an attribute, None to drop it, or a function of the slice index that gives either.
Change = object | None | Callable[[int], object]

SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))

_PLAIN, _SUBJECT = Encoding(), Subject("hostile")
_T2 = Acquisition("T2 TSE", 2, repetition_time_ms=3200, echo_time_ms=100)


@dataclass(frozen=True, slots=True)
class SmallSeries:
    """What a small series looks like before it is changed; lengths in mm."""

    number: int = 2
    axes: tuple[Sequence[float], Sequence[float]] = SAGITTAL
    slices: int = 3
    spacing_mm: float = 3.3
    pixel_mm: float = 0.6
    shape: tuple[int, int] = (12, 10)
    acquisition: Acquisition = _T2
    encoding: Encoding = _PLAIN
    subject: Subject = _SUBJECT


def small_planes(series: SmallSeries) -> list[ImagePlane]:
    along_row, along_column = (np.array(axis, dtype=float) for axis in series.axes)
    normal = np.cross(along_row, along_column)
    spacing = Spacing(series.pixel_mm, series.pixel_mm)
    return [
        ImagePlane(
            np.array([5.0, -20.0, 30.0]) + index * series.spacing_mm * normal, along_row, along_column, spacing, *series.shape
        )
        for index in range(series.slices)
    ]


def small_pixels(series: SmallSeries) -> list[np.ndarray]:
    rng = np.random.default_rng(series.number)
    return [rng.integers(0, 1000, series.shape).astype(np.float32) for _ in range(series.slices)]


def write_small_series(folder: Path, series: SmallSeries, changes: Mapping[str, Change] | None = None) -> ReceivedSeries:
    """Write a series, change its headers, and return it as it would be received."""
    target = folder / str(series.number)
    target.mkdir(parents=True)
    paths = [target / f"{index}.dcm" for index in range(len(_content(series)))]
    for index, (path, content) in enumerate(zip(paths, _content(series), strict=True)):
        path.write_bytes(content)
        if changes:
            change_file(path, {keyword: _at(change, index) for keyword, change in changes.items()})
    return received(series, paths)


@cache
def _content(series: SmallSeries) -> tuple[bytes, ...]:
    """Return the files of an unchanged series; writing them is what takes time."""
    acquisition = replace_number(series.acquisition, series.number)
    slices = tuple(map(SliceImage, small_planes(series), small_pixels(series)))
    images = SeriesImages(slices, 3.0, series.spacing_mm, acquisition, series.encoding)
    with TemporaryDirectory() as folder:
        return tuple(path.read_bytes() for path in write_series(Path(folder), series.subject, images))


def replace_number(acquisition: Acquisition, number: int) -> Acquisition:
    values = {name: getattr(acquisition, name) for name in Acquisition.__dataclass_fields__}
    return Acquisition(**values | {"series_number": number})


def received(series: SmallSeries, paths: Sequence[Path]) -> ReceivedSeries:
    """Return the files as one received series; UIDs are those that were written first."""
    subject = series.subject
    study, uid = StudyInstanceUID(subject.uid("study")), SeriesInstanceUID(subject.uid("series", series.number))
    references = (
        InstanceRef(study, uid, SOPInstanceUID(subject.uid(series.number, index)), SOPClassUID("1.2.840.10008.5.1.4.1.1.4"), path)
        for index, path in enumerate(paths, start=1)
    )
    return ReceivedSeries(uid, tuple(references))


def study_of(*all_series: ReceivedSeries) -> ReceivedStudy:
    return ReceivedStudy(StudyInstanceUID("1.2.3"), all_series)


def selected(series: ReceivedSeries, role: SeriesRole = SeriesRole.SAGITTAL_T2) -> SelectedSeries:
    return SelectedSeries(role, series)


def change_file(path: Path, changes: Mapping[str, object | None]) -> None:
    """Set attributes of a stored instance, or drop those whose value is None."""
    data_set = dcmread(path)
    for keyword, value in changes.items():
        if value is None and keyword in data_set:
            delattr(data_set, keyword)
        elif value is not None:
            setattr(data_set, keyword, value)
    data_set.save_as(path)


def change_bytes(path: Path, pattern: bytes, replacement: bytes) -> None:
    content, count = re.subn(re.escape(pattern), replacement, path.read_bytes())
    assert count, "the bytes to spoil are not there"
    path.write_bytes(content)


def truncate(path: Path, keep: float) -> None:
    """Cut a file off after a share of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def spoil_pixels(path: Path) -> None:
    """Replace the inside of the encoded pixel data with noise."""
    data_set: Dataset = dcmread(path)
    encoded = bytearray(data_set.PixelData)
    start = 16  # behind the basic offset table and the item header
    encoded[start:-8] = np.random.default_rng(0).integers(0, 256, len(encoded) - 8 - start, dtype=np.uint8).tobytes()
    data_set.PixelData = bytes(encoded)
    data_set.save_as(path)


def _at(change: Change, index: int) -> object | None:
    return change(index) if callable(change) else change
