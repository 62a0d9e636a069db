"""What the SR says, as plain values: one entry for each measurement group, sagittal and axial.

Every group is drawn: viewers that list an SR (OHIF) fail on groups without coordinates. A withheld value therefore stands at
a mark, a line of two pixels on the cord where the measurement was tried. A point would do, but OHIF takes points for probes of
its own, which it offers to track and to edit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pydicom.sr.coding import Code

from node.domain.analysis import Analysis
from node.domain.anatomy import LEVELS, VERTEBRAE, Corner, Landmark, Level, Structure, Vertebra
from node.domain.errors import Finding, Reason, Severity
from node.domain.geometry import PixelPoint
from node.domain.measurement import (
    AxialMeasurements,
    CompressionRatio,
    Evidence,
    LevelDiameters,
    Measurement,
    Quantity,
    ReferenceMethod,
    SagittalMeasurements,
    Unit,
    Verdict,
)
from node.domain.prediction import Keypoint
from node.domain.study import SeriesRole
from node.reporting import codes
from node.reporting.figures import shown
from node.reporting.prior import HEADLINE_GROUPS, changes_of

_CORD, _CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL
_SAGITTAL, _AXIAL = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2
_WORDS = {_CORD: "Cord", _CANAL: "Canal"}
_RATIO_NAMES = {_CORD: "MSCC", _CANAL: "MCC"}


@dataclass(frozen=True, slots=True)
class Number:
    """A value with its name and unit as codes; ``method`` says where the denominators of a ratio come from."""

    name: Code
    value: float
    unit: Code
    method: Code | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a group is drawn: a line or an outline on one slice of the series of a role."""

    role: SeriesRole
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Group:
    """One measurement group: what it is about, where it is drawn, its numbers and what the plausibility gate says.

    Parameters
    ----------
    name
        Tracking identifier, unique within the report.
    sites
        Finding sites, the level first: OHIF shows the first.
    is_alternative
        Whether the group adds to the measurements that the paper asks for; one withheld does not make the report partial.
    """

    name: str
    finding: Code
    sites: tuple[Code, ...]
    place: Place
    numbers: tuple[Number, ...]
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    level_of_minimum: Level | None = None
    is_alternative: bool = False


def groups_of(analysis: Analysis) -> tuple[Group, ...]:
    """Return every group of the report: the ratios first, then levels, axial values and corners."""
    measured = analysis.measurements
    anchor = _anchor(analysis)
    groups: list[Group] = []
    if measured.sagittal is not None:
        groups += _ratio_groups(measured.sagittal, anchor)
        groups += _level_groups(measured.sagittal, anchor)
    groups += _axial_groups(measured.axial, measured.findings, anchor)
    if measured.sagittal is not None:
        groups += _corner_groups(measured.sagittal)
    return (*groups, *_change_groups(analysis, groups))


def _change_groups(analysis: Analysis, groups: Sequence[Group]) -> Iterator[Group]:
    """Yield what changed since the prior, each drawn where the present value is."""
    by_name = {group.name: group for group in groups}
    changes = changes_of(analysis)
    if analysis.history.findings and not changes:
        yield _unknown_change(analysis)
    for change in changes:
        key = (change.measured.quantity, change.measured.structure)
        measured, unit = by_name[HEADLINE_GROUPS[key]], codes.UNITS[change.measured.unit]
        prior, difference = codes.COMPARED[key]
        yield replace(
            measured,
            name=f"{difference.meaning} since the prior",
            numbers=(Number(difference, change.difference, unit), Number(prior, change.prior, unit)),
            verdict=Verdict.FLAG if change.findings else measured.verdict,
            findings=(*measured.findings, *change.findings),
            level_of_minimum=None,
            is_alternative=True,
        )


def _unknown_change(analysis: Analysis) -> Group:
    """Return the group that says why there is no change: without it, that would read as if there were no prior."""
    return Group(
        name="Change since the prior",
        finding=codes.STRUCTURES[_CORD],
        sites=_sites(None, _CORD),
        place=_anchor(analysis),
        numbers=(),
        verdict=Verdict.WITHHOLD,
        findings=analysis.history.findings,
        is_alternative=True,
    )


def _anchor(analysis: Analysis) -> Place:
    """Return the mark that withheld values stand at: on the narrowest cord, else in the middle of the cord, else of the image."""
    sagittal = analysis.measurements.sagittal
    role = _SAGITTAL if _SAGITTAL in analysis.series_by_role else next(iter(analysis.series_by_role))
    series = analysis.series_by_role[role]
    index = sagittal.slice_index if sagittal is not None and role is _SAGITTAL else len(series.volume.planes) // 2
    at_level = sagittal.ratio(_CORD).at_level if sagittal is not None else None
    if role is _SAGITTAL and at_level is not None and at_level.evidence:
        evidence = at_level.evidence[0]
        return _mark(role, evidence.slice_index, np.mean(evidence.points, axis=0))
    marked = np.argwhere(series.masks.binary(_CORD)[index])
    plane = series.volume.planes[index]
    centre = marked.mean(axis=0) if len(marked) else np.array([(plane.rows - 1) / 2, (plane.columns - 1) / 2])
    nearest = marked[np.linalg.norm(marked - centre, axis=1).argmin()] if len(marked) else centre
    return _mark(role, index, nearest)


def _mark(role: SeriesRole, index: int, middle: npt.NDArray[np.floating]) -> Place:
    row, column = map(float, middle)
    return Place(role, Evidence(index, (PixelPoint(row, column - 1.0), PixelPoint(row, column + 1.0))))


def _ratio_groups(sagittal: SagittalMeasurements, anchor: Place) -> Iterator[Group]:
    for structure in Structure:
        for method in ReferenceMethod:
            if (ratio := sagittal.ratios.get((structure, method))) is None:
                continue
            name = f"{_RATIO_NAMES[structure]} ({method})"
            yield _ratio_group(name, ratio, _SAGITTAL, anchor, is_alternative=method is not ReferenceMethod.C3_C7)
            if method is ReferenceMethod.ADJACENT:
                yield from _reference_groups(name, ratio)
        if (worst := sagittal.worst_slice.get(structure)) is not None:
            yield _ratio_group(f"{_RATIO_NAMES[structure]} on the worst slice", worst, _SAGITTAL, anchor, is_alternative=True)


def _ratio_group(name: str, ratio: CompressionRatio, role: SeriesRole, anchor: Place, *, is_alternative: bool) -> Group:
    structure = ratio.ratio.structure
    diameters = zip(codes.RATIO_DIAMETERS[structure], (ratio.at_level, ratio.above, ratio.below), strict=True)
    parts = (_number(code, one) for code, one in diameters)
    level = ratio.at_level.level if ratio.at_level is not None else ratio.ratio.level
    numbers = (_number(_name_of(ratio.ratio), ratio.ratio, codes.METHODS[ratio.reference]), *parts)
    return Group(
        name=name,
        finding=codes.STRUCTURES[structure],
        sites=_sites(level, structure),
        place=_place(role, ratio.at_level, anchor),
        numbers=tuple(one for one in numbers if one is not None),
        verdict=ratio.ratio.verdict,
        findings=ratio.ratio.findings,
        level_of_minimum=level,
        is_alternative=is_alternative,
    )


def _reference_groups(name: str, ratio: CompressionRatio) -> Iterator[Group]:
    """Yield the reference lines at mid-vertebral levels; those of C3 and C7 are drawn with the levels."""
    for word, reference in (("above", ratio.above), ("below", ratio.below)):
        if reference is not None and reference.value is not None and reference.evidence:
            yield _single(f"{name} reference {word}", reference, Place(_SAGITTAL, reference.evidence[0]), is_alternative=True)


def _level_groups(sagittal: SagittalMeasurements, anchor: Place) -> Iterator[Group]:
    by_level = {one.level: one for one in sagittal.levels}
    for structure in Structure:
        for level in LEVELS:
            found = by_level.get(level)
            measured = _absent(level, structure, sagittal) if found is None else _diameter(found, structure)
            name = f"{_WORDS[structure]} AP {level}"
            yield _single(name, measured, _place(_SAGITTAL, measured, anchor))


def _diameter(found: LevelDiameters, structure: Structure) -> Measurement:
    return found.cord_ap if structure is _CORD else found.canal_ap


def _absent(level: Level, structure: Structure, sagittal: SagittalMeasurements) -> Measurement:
    """Return the withheld diameter of a level that could not be located, with what was found wrong about its corners."""
    gone = Finding(Reason.LEVEL_MISSING, Severity.WITHHOLD, f"{level} could not be located")
    findings = (gone, *sagittal.findings_by_level.get(level, ()))
    return Measurement(Quantity.AP_DIAMETER, structure, Unit.MM, None, Verdict.WITHHOLD, level, (), findings)


def _axial_groups(axial: AxialMeasurements | None, findings: tuple[Finding, ...], anchor: Place) -> Iterator[Group]:
    if axial is None or axial.decisive is None:
        yield _axial_withheld(axial.findings if axial is not None and axial.findings else findings, anchor)
    else:
        one = axial.decisive
        contour = (one.area, one.compression_ratio, one.area_along_cord)
        yield _combined("Axial cord", contour, _place(_AXIAL, one.area, anchor))
        yield _single("Axial cord AP", one.ap, _place(_AXIAL, one.ap, anchor))
        yield _single("Axial cord transverse", one.transverse, _place(_AXIAL, one.transverse, anchor))
        yield _single("Axial canal", one.canal_area, _place(_AXIAL, one.canal_area, anchor), is_alternative=True)
        yield _single("Axial canal AP", one.canal_ap, _place(_AXIAL, one.canal_ap, anchor), is_alternative=True)
    for structure, ratio in (axial.ratios if axial is not None else {}).items():
        yield _ratio_group(f"Axial {_RATIO_NAMES[structure]} ({ratio.reference})", ratio, _AXIAL, anchor, is_alternative=True)


def _axial_withheld(findings: tuple[Finding, ...], anchor: Place) -> Group:
    weighty = tuple(finding for finding in findings if finding.severity is Severity.WITHHOLD)
    sites = _sites(None, _CORD)
    return Group("Axial cord", codes.STRUCTURES[_CORD], sites, anchor, (), Verdict.WITHHOLD, weighty)


def _combined(name: str, measurements: tuple[Measurement, ...], place: Place) -> Group:
    """Return measurements of one outline as one group; the heaviest verdict counts for all."""
    order = tuple(Verdict)
    first = measurements[0]
    numbers = (_number(_name_of(one), one) for one in measurements)
    return Group(
        name=name,
        finding=codes.STRUCTURES[first.structure],
        sites=_sites(first.level, first.structure),
        place=place,
        numbers=tuple(one for one in numbers if one is not None),
        verdict=max((one.verdict for one in measurements[:2]), key=order.index),
        findings=tuple(dict.fromkeys(finding for one in measurements for finding in one.findings)),
    )


def _single(name: str, measured: Measurement, place: Place, *, is_alternative: bool = False) -> Group:
    number = _number(_name_of(measured), measured)
    return Group(
        name=name,
        finding=codes.STRUCTURES[measured.structure],
        sites=_sites(measured.level, measured.structure),
        place=place,
        numbers=() if number is None else (number,),
        verdict=measured.verdict,
        findings=measured.findings,
        is_alternative=is_alternative,
    )


def _corner_groups(sagittal: SagittalMeasurements) -> Iterator[Group]:
    for vertebra in VERTEBRAE:
        corners = {corner: sagittal.keypoints.by_landmark.get(Landmark(vertebra, corner)) for corner in Corner}
        found = {corner: keypoint for corner, keypoint in corners.items() if keypoint is not None}
        if len(found) == len(Corner):
            yield _corner_group(vertebra, found, sagittal)


def _corner_group(vertebra: Vertebra, found: dict[Corner, Keypoint], sagittal: SagittalMeasurements) -> Group:
    points = body_outline({corner: keypoint.point for corner, keypoint in found.items()})
    confidence = round(min(keypoint.confidence for keypoint in found.values()), 3)
    weighty = _level_findings(sagittal, Level(vertebra.value))
    return Group(
        name=f"{vertebra} corners",
        finding=codes.VERTEBRAL_BODY_CORNERS,
        sites=(codes.VERTEBRAE[vertebra],),
        place=Place(_SAGITTAL, Evidence(sagittal.slice_index, points)),
        numbers=(Number(codes.CORNER_CONFIDENCE, confidence, codes.UNITS[Unit.RATIO]),),
        verdict=Verdict.FLAG if weighty else Verdict.REPORT,
        findings=weighty,
        is_alternative=True,
    )


def _level_findings(sagittal: SagittalMeasurements, level: Level) -> tuple[Finding, ...]:
    """Return what was found wrong with the corners of a vertebra, which both of its diameters bear."""
    found = next((one for one in sagittal.levels if one.level is level), None)
    if found is None:
        return ()
    return tuple(finding for finding in found.cord_ap.findings if finding in sagittal.findings)


def body_outline(corners: dict[Corner, PixelPoint]) -> tuple[PixelPoint, ...]:
    """Return the outline of a vertebral body: its corners in order, with the middles of both end plates.

    With the closing point that makes seven. Five, a plain quadrangle, would be taken by OHIF for an editable rectangle.
    """
    front_top, front_bottom = corners[Corner.ANTERIOR_SUPERIOR], corners[Corner.ANTERIOR_INFERIOR]
    back_top, back_bottom = corners[Corner.POSTERIOR_SUPERIOR], corners[Corner.POSTERIOR_INFERIOR]
    return (front_top, _middle(front_top, back_top), back_top, back_bottom, _middle(back_bottom, front_bottom), front_bottom)


def _middle(one: PixelPoint, other: PixelPoint) -> PixelPoint:
    return PixelPoint((one.row + other.row) / 2, (one.column + other.column) / 2)


def _name_of(measured: Measurement) -> Code:
    return codes.QUANTITIES[measured.quantity, measured.structure]


def _number(name: Code, measured: Measurement | None, method: Code | None = None) -> Number | None:
    value = shown(measured)
    return None if value is None or measured is None else Number(name, value, codes.UNITS[measured.unit], method)


def _sites(level: Level | None, structure: Structure) -> tuple[Code, ...]:
    return (codes.LEVELS[level] if level is not None else codes.CERVICAL_SPINE, codes.STRUCTURES[structure])


def _place(role: SeriesRole, measured: Measurement | None, anchor: Place) -> Place:
    return anchor if measured is None or not measured.evidence else Place(role, measured.evidence[0])


def is_complete(groups: Iterable[Group]) -> bool:
    """Return whether everything that the paper asks for has a value."""
    return not any(group.verdict is Verdict.WITHHOLD for group in groups if not group.is_alternative)
