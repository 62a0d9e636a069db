"""Everything that a report says: what ``metrics.json`` holds and ``report.html`` shows."""

from dataclasses import dataclass, field

from node.domain.anatomy import Structure, Vertebra
from tools.evaluate.agreement import BlandAltman, Intraclass, Mean, Reliability
from tools.evaluate.folds import UsedModel
from tools.evaluate.readings import Measure, Side
from tools.evaluate.results import Region


@dataclass(frozen=True, slots=True)
class Heading:
    """What was evaluated.

    Parameters
    ----------
    tested, reference
        Who is compared with whom.
    created
        Day and time, UTC, ISO 8601.
    seen
        People on whom a model that tested them was trained: the figures are then of training data.
    notes
        What the reader has to know of the cases.
    """

    title: str
    tested: Side
    reference: Side
    created: str
    software: str
    models: tuple[UsedModel, ...] = ()
    seen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """Masks of one structure in one region; means over people, each person counting once."""

    structure: Structure
    region: Region
    people: int
    slices: int
    dice: Mean
    iou: Mean
    hd95_mm: Mean


@dataclass(frozen=True, slots=True)
class WidthRow:
    """AP widths of one structure by layer; means over people of signed and of absolute errors, mm."""

    structure: Structure
    people: int
    layers: int
    bias_mm: Mean
    absolute_error_mm: Mean


@dataclass(frozen=True, slots=True)
class NumberRow:
    """One measure: the verdicts of the tested side, and the agreement of the n numbers that both sides give.

    Parameters
    ----------
    report, flag, withhold
        Numbers of the tested side by verdict, whether or not the reference knows them.
    pairs
        Tested and reference, in the order of the cases.
    """

    measure: Measure
    unit: str
    n: int
    people: int
    report: int
    flag: int
    withhold: int
    tested: Mean
    reference: Mean
    absolute_error: Mean
    intraclass: Intraclass
    bland_altman: BlandAltman
    pairs: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class CornerRow:
    """Corners of one vertebra, or of all (vertebra None): ``n`` true ones, ``found`` with a point, errors of those in mm.

    Parameters
    ----------
    within_limit
        Share 0..1 of the true corners found within 2 mm (PCK); one that was not found is a miss.
    named_right
        Share 0..1 of the found ones whose nearest true corner of that kind has the same vertebra.
    """

    vertebra: Vertebra | None
    n: int
    found: int
    error_mm: Mean
    within_limit: float
    named_right: float


@dataclass(frozen=True, slots=True)
class LevelRow:
    """Level of the smallest diameter: ``n`` cases where both sides name one, equal, and at most one level apart."""

    structure: Structure
    n: int
    equal: int
    neighbours: int


@dataclass(frozen=True, slots=True)
class WithheldRow:
    """Numbers of one case that the tested side does not give for the same reasons, which are codes.

    Parameters
    ----------
    places
        Levels or slices; empty for a number of the whole study.
    """

    case: str
    measure: Measure
    places: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CutRow:
    """Verdicts on names when only ``above_c3_mm`` of image is left above C3; None: nothing is cut off."""

    above_c3_mm: float | None
    right: int
    declined: int
    wrong: int


@dataclass(frozen=True, slots=True)
class WorstCase:
    """A case that is among the worst, why, and its picture (PNG)."""

    case: str
    why: str
    picture: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A whole evaluation; a part that does not apply is empty.

    Parameters
    ----------
    chosen_slice_mm
        Distance between the sagittal slice that was measured and the middle one of the truth.
    """

    heading: Heading
    cases: int
    people: int
    declined: tuple[tuple[str, str], ...] = ()
    overlaps: tuple[OverlapRow, ...] = ()
    widths: tuple[WidthRow, ...] = ()
    numbers: tuple[NumberRow, ...] = ()
    corners: tuple[CornerRow, ...] = ()
    levels: tuple[LevelRow, ...] = ()
    chosen_slice_mm: Mean | None = None
    confidence: Reliability | None = None
    withheld: tuple[WithheldRow, ...] = ()
    cuts: tuple[CutRow, ...] = ()
    worst: tuple[WorstCase, ...] = ()
