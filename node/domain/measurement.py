"""A number with its unit, level, evidence and verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from node.domain.anatomy import Level, Structure
from node.domain.errors import Finding, Severity
from node.domain.geometry import PixelPoint
from node.domain.prediction import Keypoints, ModelIdentity


class Quantity(StrEnum):
    """What was measured."""

    MAXIMUM_SPINAL_CORD_COMPRESSION = "maximum_spinal_cord_compression"
    MAXIMUM_CANAL_COMPROMISE = "maximum_canal_compromise"
    AP_DIAMETER = "ap_diameter"
    TRANSVERSE_DIAMETER = "transverse_diameter"
    CROSS_SECTIONAL_AREA = "cross_sectional_area"
    CROSS_SECTIONAL_AREA_ALONG_CORD = "cross_sectional_area_along_cord"
    CORD_COMPRESSION_RATIO = "cord_compression_ratio"


class Unit(StrEnum):
    """UCUM codes."""

    MM = "mm"
    MM2 = "mm2"
    PERCENT = "%"
    RATIO = "{ratio}"


class Verdict(StrEnum):
    """What the plausibility gate says of a measurement."""

    REPORT = "report"
    FLAG = "flag"
    WITHHOLD = "withhold"


class ReferenceMethod(StrEnum):
    """Where the denominators of a compression ratio come from.

    ``c3-c7``
        Mean over C3 and over C7; smallest diameter of all levels (the paper's automatic method).
    ``inner``
        The same denominators; smallest diameter of C3/C4 to C6/C7 only.
    ``adjacent``
        Mid-vertebral level above and below the smallest diameter (Karpova et al. 2013).
    """

    C3_C7 = "c3-c7"
    INNER = "inner"
    ADJACENT = "adjacent"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The points between which a number was measured, on one slice of one series.

    Parameters
    ----------
    slice_index
        Slice of the volume that was measured.
    points
        A line of two points, or a closed outline whose first point is not repeated.
    """

    slice_index: int
    points: tuple[PixelPoint, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number, or the reasons why there is none.

    ``value`` is None exactly if ``verdict`` is ``withhold``.
    """

    quantity: Quantity
    structure: Structure
    unit: Unit
    value: float | None
    verdict: Verdict
    level: Level | None = None
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        if (self.value is None) != (self.verdict is Verdict.WITHHOLD):
            raise ValueError(f"{self.quantity}: value {self.value} and verdict {self.verdict} disagree")
        if self.value is not None and not np.isfinite(self.value):
            raise ValueError(f"{self.quantity} is not finite")


@dataclass(frozen=True, slots=True)
class CompressionRatio:
    """A compression ratio in percent with the three diameters that it is made of.

    Parameters
    ----------
    ratio
        Quantity MSCC or MCC; its level is that of the smallest diameter; withheld if a diameter is missing.
    reference
        Where the denominators come from.
    at_level, above, below
        Smallest diameter (d_i), upper (d_a) and lower (d_b) reference, each an AP diameter in mm with its line.
    """

    ratio: Measurement
    reference: ReferenceMethod
    at_level: Measurement | None
    above: Measurement | None
    below: Measurement | None


@dataclass(frozen=True, slots=True)
class LevelDiameters:
    """Mean AP diameters over one level in the sagittal plane, each with the line in the middle of the level."""

    level: Level
    cord_ap: Measurement
    canal_ap: Measurement


@dataclass(frozen=True, slots=True, eq=False)
class SagittalMeasurements:
    """What was measured on the sagittal series.

    Parameters
    ----------
    slice_index
        The decisive slice: the one that shows the cord at its largest.
    keypoints
        The corners on the decisive slice.
    levels
        From head to feet; a level that could not be located is absent.
    ratios
        By structure (cord: MSCC, canal: MCC) and reference method.
    worst_slice
        The most compressed plausible slice beside the decisive one, by structure; its ratio uses ``c3-c7``.
    findings_by_level
        Those of the findings that concern a level, also of one that is absent.
    """

    slice_index: int
    keypoints: Keypoints
    levels: tuple[LevelDiameters, ...]
    ratios: Mapping[tuple[Structure, ReferenceMethod], CompressionRatio]
    worst_slice: Mapping[Structure, CompressionRatio]
    findings: tuple[Finding, ...] = ()
    findings_by_level: Mapping[Level, tuple[Finding, ...]] = field(default_factory=dict)

    def ratio(self, structure: Structure, reference: ReferenceMethod = ReferenceMethod.C3_C7) -> CompressionRatio:
        """Return MSCC (cord) or MCC (canal) for a reference method."""
        return self.ratios[structure, reference]


@dataclass(frozen=True, slots=True)
class AxialSliceMeasurements:
    """What was measured on one axial slice; ``level`` is None where the sagittal levels do not reach."""

    slice_index: int
    level: Level | None
    area: Measurement
    area_along_cord: Measurement
    ap: Measurement
    transverse: Measurement
    compression_ratio: Measurement
    canal_area: Measurement
    canal_ap: Measurement


@dataclass(frozen=True, slots=True, eq=False)
class AxialMeasurements:
    """What was measured on the axial series.

    Parameters
    ----------
    decisive
        The slice nearest to the sagittal point of greatest cord compression; None if none covers it.
    slices
        Every axial slice that shows the cord, in the order of the volume.
    ratios
        MSCC and MCC from the axial AP diameters, reference ``c3-c7``, by structure; absent without levels.
    """

    decisive: AxialSliceMeasurements | None
    slices: tuple[AxialSliceMeasurements, ...]
    ratios: Mapping[Structure, CompressionRatio]
    findings: tuple[Finding, ...] = ()


class StudyStatus(StrEnum):
    """How an analysis ended."""

    MEASURED = "measured"
    PARTIAL = "partial"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """Everything that was measured on one study; a plane that is missing is None and has a finding."""

    sagittal: SagittalMeasurements | None
    axial: AxialMeasurements | None
    models: tuple[ModelIdentity, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def status(self) -> StudyStatus:
        """``measured`` if MSCC, MCC and the axial values are all there, ``partial`` if some are withheld."""
        withheld = any(m.verdict is Verdict.WITHHOLD for m in self.headline)
        return StudyStatus.PARTIAL if withheld or len(self.headline) < _HEADLINES else StudyStatus.MEASURED

    @property
    def headline(self) -> tuple[Measurement, ...]:
        """MSCC, MCC, TA and CR as far as their planes were measured."""
        found: list[Measurement] = []
        if self.sagittal is not None:
            found += [self.sagittal.ratio(structure).ratio for structure in Structure]
        if self.axial is not None and self.axial.decisive is not None:
            found += [self.axial.decisive.area, self.axial.decisive.compression_ratio]
        return tuple(found)


_HEADLINES = 4


def verdict_of(findings: tuple[Finding, ...]) -> Verdict:
    """Return the verdict that the heaviest finding asks for."""
    severities = {finding.severity for finding in findings}
    if severities & {Severity.WITHHOLD, Severity.DECLINE, Severity.ERROR}:
        return Verdict.WITHHOLD
    return Verdict.FLAG if Severity.FLAG in severities else Verdict.REPORT
