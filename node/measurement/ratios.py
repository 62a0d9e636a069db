"""MSCC and MCC from the widths along the posterior wall."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import LEVELS, Level, Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.geometry import ImagePlane, PixelPoint
from node.domain.measurement import CompressionRatio, Evidence, Measurement, Quantity, ReferenceMethod
from node.measurement.borders import Borders
from node.measurement.following import SlicePath
from node.measurement.formulas import compression_percent
from node.measurement.judging import Subject, judge, withhold

RATIO_OF: dict[Structure, Quantity] = {
    Structure.SPINAL_CORD: Quantity.MAXIMUM_SPINAL_CORD_COMPRESSION,
    Structure.SPINAL_CANAL: Quantity.MAXIMUM_CANAL_COMPROMISE,
}

_INNER: tuple[Level, ...] = LEVELS[1:-1]


@dataclass(frozen=True, slots=True, eq=False)
class StructureProfile:
    """The borders of one structure, and what speaks against each level of it.

    Parameters
    ----------
    planes
        Planes of all slices of the series.
    path
        On which slice each layer was read.
    findings_by_level
        What was found wrong on a level; a withholding finding takes the level out of every ratio.
    general
        What was found wrong with the slice as a whole; speaks against every diameter and every ratio.
    """

    structure: Structure
    borders: Borders
    planes: Sequence[ImagePlane]
    path: SlicePath
    findings_by_level: Mapping[Level, tuple[Finding, ...]]
    general: tuple[Finding, ...] = ()

    def findings(self, level: Level) -> tuple[Finding, ...]:
        """Return what was found wrong on a level, and with the slice as a whole."""
        return (*self.findings_by_level.get(level, ()), *self.general)

    def measured(self, level: Level) -> npt.NDArray[np.intp]:
        """Return the layers of a level that have a width."""
        indices = self.borders.layers.of(level)
        return np.asarray(indices[np.isfinite(self.borders.widths_mm[indices])], dtype=np.intp)

    def mean_diameter(self, level: Level) -> Measurement:
        """Return the mean AP diameter over a level, with a line of that length in its middle; withheld unless it is whole."""
        subject = Subject(Quantity.AP_DIAMETER, self.structure, level)
        indices = self.measured(level)
        if not self._complete(level):
            return withhold(subject, (*self.findings(level), _missing(self.structure, level)))
        value = float(self.borders.widths_mm[indices].mean())
        return self._diameter(subject, int(indices[len(indices) // 2]), value)

    def diameter_at(self, index: int) -> Measurement:
        """Return the AP diameter in one layer, with its line."""
        subject = Subject(Quantity.AP_DIAMETER, self.structure, self.borders.layers.levels[index])
        return self._diameter(subject, index, float(self.borders.widths_mm[index]))

    def _diameter(self, subject: Subject, index: int, value: float) -> Measurement:
        assert subject.level is not None  # noqa: S101 - both callers name a level
        return judge(subject, value, (self._line(index, value),), self.findings(subject.level))

    def _line(self, index: int, length_mm: float) -> Evidence:
        """Return the line of one layer, as long as the diameter that it stands for, on the slice on which it was read."""
        slice_index = int(self.path.slices[index])
        source, target = self.planes[self.path.decisive], self.planes[slice_index]
        ends = target.to_pixels(source.to_patient(source.from_plane_mm(self.borders.ends(index, length_mm))))
        return Evidence(slice_index, tuple(PixelPoint(*map(float, end)) for end in ends))

    def narrowest(self, levels: Sequence[Level]) -> int:
        """Return the layer with the smallest width among levels that are wholly measured."""
        layers = [int(index) for level in levels for index in self.measured(level)]
        return min(layers, key=lambda index: float(self.borders.widths_mm[index]))

    def blocking(self) -> tuple[Finding, ...]:
        """Return what forbids a ratio: an unsound or unmeasured level could hide the narrowest point."""
        gaps = [_missing(self.structure, level) for level in LEVELS if not self._complete(level)]
        unsound = [f for level in LEVELS for f in self.findings(level) if f.severity is Severity.WITHHOLD]
        return tuple(dict.fromkeys([*unsound, *gaps]))

    def _complete(self, level: Level) -> bool:
        count = self.borders.layers.of(level).size
        return count > 0 and self.measured(level).size == count


def compression(profile: StructureProfile, method: ReferenceMethod) -> CompressionRatio:
    """Return MSCC or MCC of a profile; withheld with its reasons if any level from C3 to C7 is missing or unsound."""
    quantity = RATIO_OF[profile.structure]
    blocking = profile.blocking()
    if blocking:
        return CompressionRatio(withhold(Subject(quantity, profile.structure), blocking), method, None, None, None)
    narrowest = profile.narrowest(_INNER if method is ReferenceMethod.INNER else LEVELS)
    above, below = _references(profile, method, narrowest)
    return combine(quantity, method, (profile.diameter_at(narrowest), above, below), profile.general)


def combine(
    quantity: Quantity,
    method: ReferenceMethod,
    diameters: tuple[Measurement, Measurement | None, Measurement | None],
    findings: Sequence[Finding],
) -> CompressionRatio:
    """Return the ratio of d_i, d_a and d_b; what speaks against a diameter speaks against the ratio."""
    at_level, above, below = diameters
    subject = Subject(quantity, at_level.structure, at_level.level)
    inherited = [*findings, *_inherited(at_level, is_reference=False)]
    for reference in (above, below):
        inherited += _inherited(reference, is_reference=True) if reference is not None else [_reference_missing(at_level)]
    inherited = list(dict.fromkeys(inherited))
    if above is None or below is None or at_level.value is None or above.value is None or below.value is None:
        return CompressionRatio(withhold(subject, inherited), method, at_level, above, below)
    value = compression_percent(at_level.value, above.value, below.value)
    evidence = at_level.evidence + above.evidence + below.evidence
    return CompressionRatio(judge(subject, value, evidence, inherited), method, at_level, above, below)


def _references(
    profile: StructureProfile, method: ReferenceMethod, narrowest: int
) -> tuple[Measurement | None, Measurement | None]:
    if method is not ReferenceMethod.ADJACENT:
        return profile.mean_diameter(Level.C3), profile.mean_diameter(Level.C7)
    order = profile.borders.layers.levels[narrowest].order
    # Vertebrae have even positions: a disc's neighbours are one step away, a vertebra's are two.
    step = 1 if order % 2 else 2
    return _mid_vertebral(profile, order - step), _mid_vertebral(profile, order + step)


def _mid_vertebral(profile: StructureProfile, order: int) -> Measurement | None:
    if not 0 <= order < len(LEVELS):
        return None
    layers = profile.borders.layers
    if layers.of(LEVELS[order]).size == 0 or not np.isfinite(profile.borders.widths_mm[layers.middle(LEVELS[order])]):
        return None
    return profile.diameter_at(layers.middle(LEVELS[order]))


def _inherited(diameter: Measurement, *, is_reference: bool) -> list[Finding]:
    """Return the findings of a diameter that concern the ratio: a narrow d_i is what is looked for, a narrow reference is not."""
    return [f for f in diameter.findings if is_reference or f.code is not Reason.VALUE_OUTSIDE_HEALTHY_RANGE]


def _missing(structure: Structure, level: Level) -> Finding:
    name = structure.value.replace("_", " ")
    return Finding(Reason.LEVEL_MISSING, Severity.WITHHOLD, f"the {name} could not be measured over the whole of {level}")


def _reference_missing(at_level: Measurement) -> Finding:
    text = f"there is no mid-vertebral level on both sides of {at_level.level} between C3 and C7"
    return Finding(Reason.REFERENCE_MISSING, Severity.WITHHOLD, text)
