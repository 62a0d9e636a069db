"""The header facts of one series, read once; the criteria see nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from node.domain.study import ReceivedSeries
from node.selection.header import Attribute, FrameScope, frame_scopes, read_header

_FRAME_TYPE = "MRImageFrameTypeSequence"
_MODIFIER = "MRModifierSequence"
_TIMING = "MRTimingAndRelatedParametersSequence"

ECHO_TIME: tuple[Attribute, ...] = (("MREchoSequence", "EffectiveEchoTime"), (None, "EffectiveEchoTime"), (None, "EchoTime"))
REPETITION_TIME: tuple[Attribute, ...] = ((_TIMING, "RepetitionTime"), (None, "RepetitionTime"))
INVERSION_TIME: tuple[Attribute, ...] = ((_MODIFIER, "InversionTimes"), (None, "InversionTime"))
FLIP_ANGLE: tuple[Attribute, ...] = ((_TIMING, "FlipAngle"), (None, "FlipAngle"))
B_VALUE: tuple[Attribute, ...] = (("MRDiffusionSequence", "DiffusionBValue"), (None, "DiffusionBValue"))
ORIENTATION: tuple[Attribute, ...] = (("PlaneOrientationSequence", "ImageOrientationPatient"), (None, "ImageOrientationPatient"))
POSITION: tuple[Attribute, ...] = (("PlanePositionSequence", "ImagePositionPatient"), (None, "ImagePositionPatient"))
PIXEL_SPACING: tuple[Attribute, ...] = (("PixelMeasuresSequence", "PixelSpacing"), (None, "PixelSpacing"))
SLICE_THICKNESS: tuple[Attribute, ...] = (("PixelMeasuresSequence", "SliceThickness"), (None, "SliceThickness"))

# PS3.3 section C.8.13.4: the Enhanced words for what classic MR calls ScanningSequence
_ENHANCED_SEQUENCE = {"SPIN": "SE", "GRADIENT": "GR", "BOTH": "SE"}
# Siemens SequenceName without the leading asterisk, where ScanningSequence is empty
_NAMED_SEQUENCE = {
    "tse": "SE",
    "spc": "SE",
    "se": "SE",
    "h2d": "SE",
    "tir": "IR",
    "me": "GR",
    "fl": "GR",
    "tfl": "GR",
    "ep": "EP",
}
_NO_AGENT = frozenset({"", "NO", "NONE", "N", "0", "NOT GIVEN", "WITHOUT"})


@dataclass(frozen=True, slots=True, eq=False)
class SeriesSummary:
    """Header facts of one series; a set holds every value that occurs in it.

    Parameters
    ----------
    frame_count
        Planes in the series, over all its instances.
    normals
        Unit normals of the planes that state an orientation, shape (n, 3).
    planes_complete
        Every plane states orientation, position and pixel spacing.
    sequence
        Codes of ScanningSequence: SE, GR, IR, EP, RM.
    texts, study_texts
        What people wrote about the series, and about the study; may hold anything, so never logged.
    acquired
        Date and time of acquisition as one sortable text.
    """

    series: ReceivedSeries
    frame_count: int
    modalities: frozenset[str]
    sop_class_uids: frozenset[str]
    devices: frozenset[str]
    frames_of_reference: frozenset[str]
    image_type: frozenset[str]
    acquisition_contrast: frozenset[str]
    sequence: frozenset[str]
    scan_options: frozenset[str]
    suppression: frozenset[str]
    echo_times_ms: frozenset[float]
    repetition_times_ms: frozenset[float]
    inversion_times_ms: frozenset[float]
    flip_angles_deg: frozenset[float]
    b_values: frozenset[float]
    slice_thicknesses_mm: frozenset[float]
    pixel_spacings_mm: frozenset[tuple[float, ...]]
    sizes: frozenset[tuple[int, int]]
    normals: npt.NDArray[np.float64]
    planes_complete: bool
    has_pixels: bool
    converted: bool
    contrast_agent: bool
    sequence_names: frozenset[str]
    acquired: str
    patients: frozenset[str] = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)
    study_texts: tuple[str, ...] = field(repr=False)


def summarise_series(series: ReceivedSeries) -> SeriesSummary:
    """Return the header facts of a series; pixel data are never loaded.

    Raises
    ------
    PermanentError
        ``not_dicom`` if a file cannot be parsed.
    """
    headers = [read_header(instance) for instance in series.instances]
    heads = [FrameScope((), data_set) for data_set, _ in headers]
    frames = [frame for data_set, _ in headers for frame in frame_scopes(data_set)]
    return SeriesSummary(
        series=series,
        frame_count=len(frames),
        modalities=_codes(heads, (None, "Modality")),
        sop_class_uids=_codes(heads, (None, "SOPClassUID")),
        devices=_codes(heads, (None, "Manufacturer")) | _codes(heads, (None, "ManufacturerModelName")),
        frames_of_reference=_codes(heads, (None, "FrameOfReferenceUID")),
        image_type=_codes(heads, (None, "ImageType")) | _codes(frames, (_FRAME_TYPE, "FrameType")),
        acquisition_contrast=_codes(frames, (_FRAME_TYPE, "AcquisitionContrast"), (None, "AcquisitionContrast")),
        sequence=_sequence(heads, frames),
        scan_options=_codes(heads, (None, "ScanOptions")),
        suppression=_codes(frames, (None, "SpectrallySelectedSuppression"), (_MODIFIER, "SpectrallySelectedSuppression")),
        echo_times_ms=_numbers(frames, *ECHO_TIME),
        repetition_times_ms=_numbers(frames, *REPETITION_TIME),
        inversion_times_ms=_numbers(frames, *INVERSION_TIME),
        flip_angles_deg=_numbers(frames, *FLIP_ANGLE),
        b_values=_numbers(frames, *B_VALUE),
        slice_thicknesses_mm=_numbers(frames, *SLICE_THICKNESS),
        pixel_spacings_mm=frozenset(tuple(round(x, 4) for x in frame.numbers(*PIXEL_SPACING)) for frame in frames),
        sizes=frozenset(size for head in heads for size in _size(head)),
        normals=_normals(frames),
        planes_complete=bool(frames) and all(_is_placed(frame) for frame in frames),
        has_pixels=bool(headers) and all(found for _, found in headers),
        converted=bool(_codes(heads, (None, "ConversionType"))),
        contrast_agent=any(_has_agent(head) for head in heads),
        sequence_names=_codes(heads, (None, "SequenceName"), (None, "PulseSequenceName")),
        acquired=max((_acquired(head) for head in heads), default=""),
        patients=frozenset(_text(head.data_set, "PatientID") for head in heads),
        texts=_texts(heads, "SeriesDescription", "ProtocolName", "BodyPartExamined"),
        study_texts=_texts(heads, "StudyDescription"),
    )


def _codes(scopes: Iterable[FrameScope], *attributes: Attribute) -> frozenset[str]:
    return frozenset(code for scope in scopes for code in scope.codes(*attributes))


def _numbers(scopes: Iterable[FrameScope], *attributes: Attribute) -> frozenset[float]:
    return frozenset(number for scope in scopes for number in scope.numbers(*attributes))


def _sequence(heads: list[FrameScope], frames: list[FrameScope]) -> frozenset[str]:
    codes = _codes(heads, (None, "ScanningSequence"))
    if codes:
        return codes
    enhanced = _codes(heads, (None, "EchoPulseSequence"))
    inversion = {"IR"} if "YES" in _codes(frames, (_MODIFIER, "InversionRecovery")) else set()
    if enhanced:
        return frozenset({_ENHANCED_SEQUENCE[code] for code in enhanced if code in _ENHANCED_SEQUENCE} | inversion)
    names = [name.lower().lstrip("*#") for name in _codes(heads, (None, "SequenceName"))]
    return frozenset(code for name in names for start, code in _NAMED_SEQUENCE.items() if name.startswith(start))


def _size(head: FrameScope) -> list[tuple[int, int]]:
    rows, columns = head.numbers((None, "Rows")), head.numbers((None, "Columns"))
    return [(int(rows[0]), int(columns[0]))] if rows and columns else []


def _normals(frames: list[FrameScope]) -> npt.NDArray[np.float64]:
    orientations = [values for frame in frames if len(values := frame.numbers(*ORIENTATION)) == 6]
    directions = np.array(orientations, dtype=np.float64).reshape(-1, 2, 3)
    normals = np.cross(directions[:, 0], directions[:, 1])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals[lengths[:, 0] > 0.5] / lengths[lengths[:, 0] > 0.5])


def _is_placed(frame: FrameScope) -> bool:
    lengths = [len(frame.numbers(*attribute)) for attribute in (ORIENTATION, POSITION, PIXEL_SPACING)]
    return lengths == [6, 3, 2]


def _has_agent(head: FrameScope) -> bool:
    named = head.codes((None, "ContrastBolusAgent")) - _NO_AGENT
    return bool(named or head.values((None, "ContrastBolusAgentSequence")))


def _acquired(head: FrameScope) -> str:
    both = head.values((None, "AcquisitionDateTime"))
    if both:
        return str(both[0])
    date = head.values((None, "AcquisitionDate"), (None, "SeriesDate"), (None, "StudyDate"))
    time = head.values((None, "AcquisitionTime"), (None, "SeriesTime"))
    return "".join(str(part) for part in (*date, *time))


def _text(data_set: Dataset, keyword: str) -> str:
    return " ".join(str(value) for value in FrameScope((), data_set).values((None, keyword))).strip()


def _texts(heads: list[FrameScope], *keywords: str) -> tuple[str, ...]:
    found = {reading for head in heads for keyword in keywords for reading in _readings(_text(head.data_set, keyword))}
    return tuple(sorted(found - {""}))


def _readings(text: str) -> set[str]:
    """Return a text as declared and, if it could be Chinese sent under a Latin character set, as GB 18030 too."""
    readings = {text.replace("_", " ")}
    try:
        raw = text.encode("latin-1")
        readings.add(raw.decode("gb18030").replace("_", " "))
    except UnicodeError:
        return readings
    return readings
