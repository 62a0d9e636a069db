"""What came of comparing one case."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from node.domain.anatomy import Landmark, Level, Structure, Vertebra
from node.domain.errors import Reason
from tools.evaluate.agreement import Floats
from tools.evaluate.readings import SLICE_MEASURES, Measure, Reading, withheld


class Region(StrEnum):
    """Where masks are compared."""

    SAGITTAL_SLICE = "sagittal, middle slice"
    SAGITTAL_VOLUME = "sagittal, all slices"
    AXIAL_SLICE = "axial, each slice"
    AXIAL_VOLUME = "axial, all slices"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Agreement of the masks of one structure; of several slices compared one by one, the mean."""

    structure: Structure
    region: Region
    slices: int
    dice: float
    iou: float
    hd95_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class WidthErrors:
    """Signed errors of AP widths on the middle sagittal slice, tested minus reference, mm, one for each known layer."""

    structure: Structure
    errors_mm: Floats


@dataclass(frozen=True, slots=True)
class CornerResult:
    """One true corner and what the model said of it.

    Parameters
    ----------
    error_mm
        Distance in the plane of the corner of that name; NaN if it was not found.
    nearest
        The vertebra whose true corner of that kind is nearest to it; None if it was not found.
    confidence
        NaN if it was not found.
    """

    landmark: Landmark
    error_mm: float
    nearest: Vertebra | None
    confidence: float


@dataclass(frozen=True, slots=True)
class PairedReading:
    """A reading of the tested side and what the reference says; None if it does not."""

    tested: Reading
    reference: float | None

    @property
    def is_pair(self) -> bool:
        """Whether both sides give a number."""
        return self.tested.value is not None and self.reference is not None


@dataclass(frozen=True, slots=True)
class NarrowestLevel:
    """Level of the smallest diameter as both sides see it; ``tested`` is None if it was withheld."""

    structure: Structure
    tested: Level | None
    reference: Level


@dataclass(frozen=True, slots=True, eq=False)
class CaseResult:
    """Everything in which a case was compared; ``declined`` says why there is nothing but withheld numbers.

    Parameters
    ----------
    chosen_slice_mm
        Distance between the sagittal slice that was measured and the middle one of the truth; NaN without a truth.
    picture
        PNG of contours and corners of both sides; empty if there is none.
    """

    case: str
    person: str
    overlaps: tuple[Overlap, ...] = ()
    widths: tuple[WidthErrors, ...] = ()
    corners: tuple[CornerResult, ...] = ()
    readings: tuple[PairedReading, ...] = ()
    narrowest: tuple[NarrowestLevel, ...] = ()
    declined: str | None = None
    chosen_slice_mm: float = math.nan
    picture: bytes = b""


def pair_up(readings: tuple[Reading, ...], numbers: Mapping[tuple[Measure, str], float]) -> tuple[PairedReading, ...]:
    """Return every reading with its reference; a level or slice that only the reference has is withheld by the tested side."""
    read = {one.key for one in readings}
    absent = [withheld(measure, place, (_absence(measure),)) for measure, place in numbers if (measure, place) not in read]
    return tuple(PairedReading(one, numbers.get(one.key)) for one in (*readings, *absent))


def _absence(measure: Measure) -> str:
    return (Reason.CORD_NOT_FOUND if measure in SLICE_MEASURES else Reason.LEVEL_MISSING).value
