"""What is kept of a second analysis: its measurements and the overlap of its masks with the first ones.

::

    <root>/results/<study>/.shadow/<analysis>/measurements.json, overlap.json

It lies beside the result that it is compared with, so it is deleted with it.
"""

import shutil
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError
from pydicom import Dataset, dcmread

from node.domain.errors import PermanentError
from node.domain.study import SeriesRole
from node.reporting import MeasurementsDocument, read_measurements

_FOLDER, _OVERLAP, _MEASUREMENTS = ".shadow", "overlap.json", "measurements.json"
#: A mask on one slice: meaning of the structure, then instance and frame of the image.
_FrameKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Dice similarity, 0..1, of the masks of a structure on one series."""

    series: str
    structure: str
    dice: float


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What the second set of models says of a study."""

    document: MeasurementsDocument
    overlaps: tuple[Overlap, ...]


_OVERLAPS = TypeAdapter(tuple[Overlap, ...])


def read_shadow(results: Path) -> ShadowReport | None:
    """Return what was kept beside a results folder; None if there is nothing, or it is of another version."""
    folder = results.parent / _FOLDER / results.name
    try:
        return ShadowReport(read_measurements(folder), _OVERLAPS.validate_json((folder / _OVERLAP).read_bytes()))
    except (PermanentError, OSError, ValidationError):
        return None


def keep_shadow(report: Path, results: Path) -> bool:
    """Keep the measurements of a second report beside a results folder; return False if that is gone."""
    overlaps = tuple(overlaps_of(results, report))
    place = results.parent / _FOLDER
    draft = place / f".{results.name}.{uuid.uuid4().hex}"
    try:
        if not results.is_dir():
            return False
        place.mkdir(exist_ok=True)  # its parent is not made again: the study may have been deleted at this moment
        draft.mkdir()
        shutil.copy(report / _MEASUREMENTS, draft)
        (draft / _OVERLAP).write_bytes(_OVERLAPS.dump_json(overlaps, indent=2))
        shutil.rmtree(place / results.name, ignore_errors=True)
        draft.rename(place / results.name)
    except FileNotFoundError:
        return False
    return True


def overlaps_of(first: Path, second: Path) -> Iterator[Overlap]:
    """Yield the overlap of the masks of two reports on the same images; a series or a structure that only one has is left out."""
    for role in SeriesRole:
        paths = [folder / f"seg_{role}.dcm" for folder in (first, second)]
        if all(path.is_file() for path in paths):
            one, other = (dict(_frames(dcmread(path))) for path in paths)
            structures = sorted({key[0] for key in one} & {key[0] for key in other})
            for structure in structures:
                yield Overlap(role.value, structure, round(_dice(structure, one, other), 4))


def _dice(structure: str, one: dict[_FrameKey, npt.NDArray[np.bool_]], other: dict[_FrameKey, npt.NDArray[np.bool_]]) -> float:
    marked = sum(int(mask.sum()) for masks in (one, other) for key, mask in masks.items() if key[0] == structure)
    both = sum(int((one[key] & other[key]).sum()) for key in one.keys() & other.keys() if key[0] == structure)
    return 2 * both / marked if marked else 0.0


def _frames(seg: Dataset) -> Iterator[tuple[_FrameKey, npt.NDArray[np.bool_]]]:
    """Yield the masks of one of our SEGs, slice by slice; empty ones are not in it."""
    names = {int(one.SegmentNumber): _word(one.SegmentedPropertyTypeCodeSequence) for one in seg.SegmentSequence}
    pixels = np.asarray(seg.pixel_array, dtype=bool).reshape(-1, seg.Rows, seg.Columns)
    for groups, mask in zip(seg.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        number = int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        yield (names[number], str(source.ReferencedSOPInstanceUID), int(source.get("ReferencedFrameNumber") or 0)), mask


def _word(codes: Iterable[Dataset]) -> str:
    return {"2748008": "spinal_cord", "61853006": "spinal_canal"}.get(str(next(iter(codes)).CodeValue), "other")
