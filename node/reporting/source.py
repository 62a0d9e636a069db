"""The headers of a source series, as much of them as its results need, in one form for classic and Enhanced MR."""

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from pydicom.valuerep import format_number_as_ds

from node.dicom_errors import UNREADABLE
from node.domain.errors import PermanentError, Reason
from node.domain.identity import InstanceRef
from node.domain.image import FrameSource, Volume
from node.reporting.uids import derived_uid

_DATES = (
    ("StudyDate", "StudyTime"),
    ("SeriesDate", "SeriesTime"),
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
)
_EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions")
_LONGEST_EQUIPMENT_TEXT = 64
#: What results are dated where the source names no date at all: an obvious blank rather than the day of the analysis.
_NO_DATE = ("19000101", "000000")


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """A volume with the headers of the instances that it was read from.

    Parameters
    ----------
    headers
        One for each instance, in the order of their first slice in the volume; unread elements keep their stored bytes.
    """

    volume: Volume
    headers: tuple[Dataset, ...]

    @cached_property
    def slice_headers(self) -> tuple[Dataset, ...]:
        """A classic single-frame header for each slice of the volume, in its order; what SEG is built from.

        The UID is that of the instance; for a frame of a multi-frame instance, one of its own that
        :func:`node.reporting.conform.refer_to_frames` replaces.
        """
        first = _first_header(self)
        return (first, *(_header_like(first, self, index) for index in range(1, len(self.volume.planes))))

    @cached_property
    def instance_headers(self) -> tuple[Dataset, ...]:
        """A header for each instance with the plane of its first slice; what the image library of the SR is built from."""
        firsts: dict[str, Dataset] = {}
        for source, header in zip(self.volume.sources, self.slice_headers, strict=True):
            instance = source.instance
            if instance.sop_instance_uid not in firsts:
                own = {"SOPInstanceUID": instance.sop_instance_uid, "SOPClassUID": instance.sop_class_uid}
                firsts[instance.sop_instance_uid] = _with(header, own)
        return tuple(firsts.values())

    @property
    def thickness_mm(self) -> float:
        """SliceThickness; where the source has none, the distance between slices."""
        thickness_mm = _number(self.headers[0], "SliceThickness")
        return thickness_mm or self.volume.geometry.spacing_between_slices_mm or 1.0

    @property
    def frame_of_reference_uid(self) -> str:
        """FrameOfReferenceUID; where the source has none, one that belongs to this series alone."""
        return self.volume.frame_of_reference_uid or derived_uid(self.volume.series_instance_uid, "frame of reference")


def read_source(volume: Volume) -> SourceSeries:
    """Return a volume with the headers of its source instances.

    Raises
    ------
    PermanentError
        ``not_dicom`` if a source file can no longer be read.
    """
    instances = dict.fromkeys(source.instance for source in volume.sources)
    return SourceSeries(volume, tuple(_read_header(instance) for instance in instances))


def content_moment(headers: Iterable[Dataset]) -> tuple[str, str]:
    """Return the date and time, DA and TM, that results bear: the latest that the sources name.

    It follows from the images and never from the clock, so the same study gives the same bytes.
    """
    moments = [
        (_text(header, date), _text(header, time) or "000000")
        for header in headers
        for date, time in _DATES
        if re.fullmatch(r"[12]\d{3}[01]\d[0-3]\d", _text(header, date))
    ]
    date, time = max(moments, default=_NO_DATE)
    return date, time.split(".")[0] if re.fullmatch(r"[0-2]\d[0-5]\d[0-5]\d(\.\d{1,6})?", time) else "000000"


def stand_in_uid(source: FrameSource) -> str:
    """Return the UID by which a slice is named while a SEG is built."""
    if source.frame_number is None:
        return source.instance.sop_instance_uid
    return derived_uid(source.instance.sop_instance_uid, f"frame {source.frame_number}")


def _read_header(instance: InstanceRef) -> Dataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(instance.path, stop_before_pixels=True)
    except (OSError, *UNREADABLE) as error:
        what = f"instance {instance.sop_instance_uid} can no longer be read ({type(error).__name__}); send the study again"
        raise PermanentError(Reason.NOT_DICOM, what) from error


def _first_header(series: SourceSeries) -> Dataset:
    source = series.volume.sources[0]
    header = Dataset()
    header.SOPClassUID = MRImageStorage
    header.SOPInstanceUID = stand_in_uid(source)
    header.StudyInstanceUID = source.instance.study_instance_uid
    header.SeriesInstanceUID = source.instance.series_instance_uid
    header.Modality = "MR"
    header.InstanceNumber = 1
    # Patient and study are filled in by subject.py when the result is finished: no library sees them, no log can.
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
        setattr(header, keyword, "")
    header.StudyDate = header.StudyTime = None
    header.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    _add_plane(header, series)
    _add_equipment(header, series.headers[0])
    return header


def _header_like(first: Dataset, series: SourceSeries, index: int) -> Dataset:
    """Return the header of another slice: the slices of a series differ in identity and place only."""
    own = {
        "SOPInstanceUID": stand_in_uid(series.volume.sources[index]),
        "InstanceNumber": index + 1,
        "ImagePositionPatient": decimal_strings(series.volume.planes[index].position),
    }
    return _with(first, own)


def _with(header: Dataset, values: Mapping[str, object]) -> Dataset:
    """Return a copy of a header with other values; it shares all other elements, so none may be changed in place."""
    other = Dataset(dict(header.items()))
    for keyword, value in values.items():
        # by a new element: setting the value would change the one that is shared
        other[keyword] = DataElement(keyword, dictionary_VR(keyword), value)
    return other


def _add_plane(header: Dataset, series: SourceSeries) -> None:
    first = series.volume.planes[0]
    header.Rows, header.Columns = first.rows, first.columns
    header.FrameOfReferenceUID = series.frame_of_reference_uid
    header.PositionReferenceIndicator = ""
    header.ImagePositionPatient = decimal_strings(first.position)
    # Directions differ by rounding between slices, which SEG does not allow; where they differ by more, conform.py corrects it.
    header.ImageOrientationPatient = decimal_strings(np.concatenate([first.along_row, first.along_column]))
    header.PixelSpacing = decimal_strings(np.array(first.spacing))
    header.SliceThickness = decimal_strings(np.array([series.thickness_mm]))[0]
    if len(series.volume.planes) > 1:
        header.SpacingBetweenSlices = decimal_strings(np.array([series.volume.geometry.spacing_between_slices_mm]))[0]


def _add_equipment(header: Dataset, source: Dataset) -> None:
    for keyword in _EQUIPMENT:
        text = _text(source, keyword)
        if text and text.isascii() and len(text) <= _LONGEST_EQUIPMENT_TEXT:
            setattr(header, keyword, text)


def decimal_strings(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[str]:
    """Return numbers as DS values of at most 16 characters (PS3.5 section 6.2)."""
    return [format_number_as_ds(float(value) + 0.0) for value in values.ravel()]


def _text(header: Dataset, keyword: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = header.get(keyword)
    if isinstance(value, str) or value is None:
        return str(value or "").strip()
    try:
        return "\\".join(str(part) for part in value).strip()
    except TypeError:
        return str(value).strip()


def _number(header: Dataset, keyword: str) -> float | None:
    """Return a positive number from the header or from the first functional group that has it."""
    groups = [
        *(header.get("SharedFunctionalGroupsSequence") or ())[:1],
        *(header.get("PerFrameFunctionalGroupsSequence") or ())[:1],
    ]
    places = [header, *(measures for group in groups for measures in (group.get("PixelMeasuresSequence") or ())[:1])]
    for place in places:
        try:
            value = float(place.get(keyword) or 0)
        except (TypeError, ValueError):
            continue
        if np.isfinite(value) and value > 0:
            return value
    return None
