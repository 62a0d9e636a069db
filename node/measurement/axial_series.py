"""Measurements of the axial series: every slice, the decisive one, and MSCC and MCC from axial diameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from node.config import MeasurementConfig
from node.domain.anatomy import LEVELS, Level, Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.geometry import ImagePlane, Points
from node.domain.image import Volume
from node.domain.measurement import (
    AxialMeasurements,
    AxialSliceMeasurements,
    CompressionRatio,
    Evidence,
    Measurement,
    Quantity,
    ReferenceMethod,
    SagittalMeasurements,
)
from node.domain.prediction import Masks
from node.measurement.axial import Diameters, Outline, cord_diameters, diameters_across, pixel_points, trace, transverse_direction
from node.measurement.axial_doubts import canal_findings, choice_findings, hidden_findings, oblique_findings
from node.measurement.formulas import compression_ratio
from node.measurement.judging import Subject, judge, with_findings, withhold
from node.measurement.promise import promise_findings
from node.measurement.ratios import RATIO_OF, combine
from node.measurement.wall import Layers

# A slice belongs to the level of the nearest layer; further from every layer than this it lies above C3 or below C7.
_LEVEL_REACH_MM = 3.0
_CANAL_DEPTH_MM = 40.0

CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL


@dataclass(frozen=True, slots=True, eq=False)
class SagittalFrame:
    """The layers of the decisive sagittal slice in patient space: what tells an axial slice its level.

    Parameters
    ----------
    planes, decisive
        Planes of all sagittal slices, and which of them holds the layers.
    """

    layers: Layers
    planes: Sequence[ImagePlane]
    decisive: int

    @property
    def plane(self) -> ImagePlane:
        """The plane of the decisive slice."""
        return self.planes[self.decisive]

    def middle_of(self, evidence: Evidence) -> Points:
        """Return the middle of a line on a sagittal slice, LPS mm, shape (3,)."""
        return self.planes[evidence.slice_index].to_patient(np.mean(evidence.points, axis=0))

    def level_of(self, point: Points) -> Level | None:
        """Return the level of a patient point, shape (3,); None outside C3 to C7."""
        if not self.layers.levels:
            return None
        offset = self.plane.to_plane_mm(self.plane.to_pixels(point)) - self.layers.origins
        along = np.abs((offset * self.layers.tangents).sum(axis=1))
        behind = (offset * self.layers.normals).sum(axis=1)
        along = np.where((behind > -_LEVEL_REACH_MM) & (behind < _CANAL_DEPTH_MM), along, np.inf)
        nearest = int(along.argmin())
        return self.layers.levels[nearest] if along[nearest] <= _LEVEL_REACH_MM else None


def measure_axial(
    volume: Volume, masks: Masks, sagittal: SagittalMeasurements | None, frame: SagittalFrame | None, config: MeasurementConfig
) -> AxialMeasurements:
    """Return everything that is measured on the axial series.

    Parameters
    ----------
    sagittal, frame
        The sagittal results and their layers; None if the two series do not share a frame of reference, and then no
        slice has a level and none is decisive.
    """
    outlines = [
        {structure: trace(masks.probabilities[structure][index], plane, structure) for structure in Structure}
        for index, plane in enumerate(volume.planes)
    ]
    centroids = [_centroid(plane, one[CORD]) for plane, one in zip(volume.planes, outlines, strict=True)]
    slices = tuple(
        _measure_slice(
            volume.planes[index],
            index,
            outlines[index],
            (_axis(centroids, index), _level(frame, centroids[index])),
            _promised(masks, index, config),
        )
        for index in range(len(volume.planes))
        if outlines[index][CORD] is not None
    )
    decisive, findings = _decisive(volume, slices, sagittal, frame, config)
    if decisive is not None:
        slices = tuple(decisive if one.slice_index == decisive.slice_index else one for one in slices)
    ratios = {structure: _axial_ratio(slices, structure) for structure in Structure} if frame is not None else {}
    return AxialMeasurements(decisive, slices, ratios, findings)


def _centroid(plane: ImagePlane, outline: Outline | None) -> Points | None:
    return None if outline is None else plane.to_patient(plane.from_plane_mm(outline.centroid))


def _level(frame: SagittalFrame | None, centroid: Points | None) -> Level | None:
    return None if frame is None or centroid is None else frame.level_of(centroid)


def _axis(centroids: Sequence[Points | None], index: int) -> Points | None:
    """Return the direction of the cord at a slice from its neighbours' centroids, a unit vector; None without neighbours."""
    near = [c for c in centroids[max(0, index - 1) : index + 2] if c is not None]
    if len(near) < 2:
        return None
    difference = near[-1] - near[0]
    return np.asarray(difference / np.linalg.norm(difference))


def _promised(masks: Masks, index: int, config: MeasurementConfig) -> dict[Structure, tuple[Finding, ...]]:
    """Return by structure what its probabilities on one slice say against its mask."""
    return {one: promise_findings(one, maps[index], config) for one, maps in masks.probabilities.items()}


def _measure_slice(
    plane: ImagePlane,
    index: int,
    outlines: Mapping[Structure, Outline | None],
    place: tuple[Points | None, Level | None],
    promised: Mapping[Structure, tuple[Finding, ...]],
) -> AxialSliceMeasurements:
    """Return the measurements of one slice that shows a cord; ``place`` is the direction of the cord there, and the level."""
    axis, level = place
    cord, canal = outlines[CORD], outlines[CANAL]
    assert cord is not None  # noqa: S101 - the caller takes slices with a cord only
    diameters = cord_diameters(cord, plane)
    contour = Evidence(index, pixel_points(cord.points, plane))
    of_mask = (*cord.findings, *promised[CORD], *canal_findings(cord, canal))
    findings = (*of_mask, *diameters.findings, *oblique_findings(plane, axis))
    of_canal = () if canal is None else (*canal.findings, *promised[CANAL])
    ap_line, transverse_line = (_line(diameters, plane, index, ap=which) for which in (True, False))
    ap = judge(Subject(Quantity.AP_DIAMETER, CORD, level), diameters.ap_mm, (ap_line,), findings)
    transverse = judge(Subject(Quantity.TRANSVERSE_DIAMETER, CORD, level), diameters.transverse_mm, (transverse_line,), findings)
    return AxialSliceMeasurements(
        slice_index=index,
        level=level,
        area=judge(Subject(Quantity.CROSS_SECTIONAL_AREA, CORD, level), cord.area_mm2, (contour,), findings),
        area_along_cord=_area_along_cord(
            cord, plane, axis, Subject(Quantity.CROSS_SECTIONAL_AREA_ALONG_CORD, CORD, level), (contour, of_mask)
        ),
        ap=ap,
        transverse=transverse,
        compression_ratio=_compression_ratio(ap, transverse, contour, findings),
        canal_area=_canal_area(canal, plane, (index, level), of_canal),
        canal_ap=_canal_ap(canal, diameters, plane, (index, level), of_canal),
    )


def _compression_ratio(ap: Measurement, transverse: Measurement, contour: Evidence, findings: Sequence[Finding]) -> Measurement:
    """Return the compression ratio; withheld if one of its diameters is."""
    subject = Subject(Quantity.CORD_COMPRESSION_RATIO, CORD, ap.level)
    if ap.value is None or transverse.value is None:
        return withhold(subject, tuple(dict.fromkeys((*ap.findings, *transverse.findings))))
    return judge(subject, compression_ratio(ap.value, transverse.value), (contour,), findings)


def _line(diameters: Diameters, plane: ImagePlane, index: int, *, ap: bool) -> Evidence:
    return Evidence(index, pixel_points(diameters.ap_line if ap else diameters.transverse_line, plane))


def _canal_area(
    canal: Outline | None, plane: ImagePlane, at: tuple[int, Level | None], findings: Sequence[Finding]
) -> Measurement:
    index, level = at
    subject = Subject(Quantity.CROSS_SECTIONAL_AREA, CANAL, level)
    if canal is None:
        return withhold(subject, (_canal_missing(),))
    return judge(subject, canal.area_mm2, (Evidence(index, pixel_points(canal.points, plane)),), findings)


def _canal_ap(
    canal: Outline | None, cord: Diameters, plane: ImagePlane, at: tuple[int, Level | None], findings: Sequence[Finding]
) -> Measurement:
    index, level = at
    subject = Subject(Quantity.AP_DIAMETER, CANAL, level)
    if canal is None:
        return withhold(subject, (_canal_missing(),))
    # Canal and cord are measured along the same axis, or their ratios could not be compared.
    diameters = diameters_across(canal, transverse_direction(cord))
    return judge(subject, diameters.ap_mm, (_line(diameters, plane, index, ap=True),), findings)


def _canal_missing() -> Finding:
    return Finding(Reason.CANAL_NOT_FOUND, Severity.WITHHOLD, "the spinal canal was not found on the axial slice")


def _area_along_cord(
    cord: Outline, plane: ImagePlane, axis: Points | None, subject: Subject, known: tuple[Evidence, tuple[Finding, ...]]
) -> Measurement:
    """Return the area projected onto the plane perpendicular to the cord; ``known`` is its contour and what speaks against it."""
    contour, findings = known
    if axis is None:
        text = "the direction of the cord is unknown: no neighbouring axial slice shows it"
        return withhold(subject, (Finding(Reason.TOO_FEW_SLICES, Severity.WITHHOLD, text),))
    return judge(subject, cord.area_mm2 * abs(float(plane.normal @ axis)), (contour,), findings)


def _decisive(
    volume: Volume,
    slices: Sequence[AxialSliceMeasurements],
    sagittal: SagittalMeasurements | None,
    frame: SagittalFrame | None,
    config: MeasurementConfig,
) -> tuple[AxialSliceMeasurements | None, tuple[Finding, ...]]:
    """Return the slice nearest to the sagittal point of greatest cord compression, if there is one, and what was found."""
    if sagittal is None or frame is None:
        return None, ()
    at_level = sagittal.ratio(CORD).at_level
    if at_level is None or not at_level.evidence:
        text = "the level of greatest cord compression is unknown, so no axial slice can be chosen"
        return None, (Finding(Reason.LEVEL_MISSING, Severity.WITHHOLD, text),)
    point = frame.middle_of(at_level.evidence[0])
    nearest = _covering_slice(volume, point, config.maximum_axial_distance_mm)
    if nearest is None:
        text = f"no axial slice covers the level of greatest cord compression ({at_level.level})"
        return None, (Finding(Reason.NO_AXIAL_AT_LEVEL, Severity.WITHHOLD, text),)
    found = next((one for one in slices if one.slice_index == nearest), None)
    if found is None:
        # the slice beside would be measured beside the compression
        text = f"the axial slice at the level of greatest cord compression ({at_level.level}) shows no cord"
        return None, (Finding(Reason.CORD_NOT_FOUND, Severity.WITHHOLD, text),)
    findings = choice_findings(at_level, point, found, volume, config)
    chosen = _doubted(found, findings)
    return chosen, tuple(dict.fromkeys((*findings, *_withholding(chosen))))


def _withholding(one: AxialSliceMeasurements) -> list[Finding]:
    """Return why values of a slice are withheld."""
    values = (one.area, one.area_along_cord, one.ap, one.transverse, one.compression_ratio, one.canal_area, one.canal_ap)
    return [finding for value in values for finding in value.findings if finding.severity is Severity.WITHHOLD]


def _covering_slice(volume: Volume, point: Points, farthest_mm: float) -> int | None:
    """Return the index of the slice nearest to a patient point, shape (3,), among those that hold its projection."""
    distances_mm = {
        index: abs(float(plane.distance_mm(point))) for index, plane in enumerate(volume.planes) if bool(plane.contains(point))
    }
    nearest = min(distances_mm, key=lambda index: distances_mm[index], default=None)
    return None if nearest is None or distances_mm[nearest] > farthest_mm else nearest


def _doubted(one: AxialSliceMeasurements, findings: Sequence[Finding]) -> AxialSliceMeasurements:
    """Return a slice whose cord values carry what was found when it was chosen: all come from one mask."""
    return replace(
        one,
        area=with_findings(one.area, findings),
        area_along_cord=with_findings(one.area_along_cord, findings),
        ap=with_findings(one.ap, findings),
        transverse=with_findings(one.transverse, findings),
        compression_ratio=with_findings(one.compression_ratio, findings),
    )


def _axial_ratio(slices: Sequence[AxialSliceMeasurements], structure: Structure) -> CompressionRatio:
    """Return MSCC or MCC from the AP diameters of the axial slices that lie on C3 to C7; withheld if one of them is."""
    subject = Subject(RATIO_OF[structure], structure)
    by_slice = {one.slice_index: one.ap if structure is CORD else one.canal_ap for one in slices if one.level is not None}
    usable = [one for one in by_slice.values() if one.value is not None]
    above, below = (_mean([one for one in usable if one.level is level]) for level in (Level.C3, Level.C7))
    blocking = hidden_findings(structure, by_slice)
    if not usable or above is None or below is None:
        text = f"the axial slices do not cover C3 and C7 ({len(usable)} usable slices)"
        blocking += (Finding(Reason.REFERENCE_MISSING, Severity.WITHHOLD, text),)
    if blocking or above is None or below is None:
        return CompressionRatio(withhold(subject, blocking), ReferenceMethod.C3_C7, None, above, below)
    narrowest = min(usable, key=lambda one: one.value or np.inf)
    uncovered = [level for level in LEVELS if not any(one.level is level for one in usable)]
    note = Finding(Reason.SLICES_GAP, Severity.FLAG, f"no axial slice lies on {', '.join(uncovered)}")
    return combine(subject.quantity, ReferenceMethod.C3_C7, (narrowest, above, below), (note,) if uncovered else ())


def _mean(diameters: Sequence[Measurement]) -> Measurement | None:
    """Return the mean of AP diameters of one level, with the line of the middle slice as evidence."""
    if not diameters:
        return None
    middle = diameters[len(diameters) // 2]
    value = float(np.mean([one.value for one in diameters if one.value is not None]))
    subject = Subject(middle.quantity, middle.structure, middle.level)
    findings = [f for one in diameters for f in one.findings if f.code is not Reason.VALUE_OUTSIDE_HEALTHY_RANGE]
    return judge(subject, value, middle.evidence, tuple(dict.fromkeys(findings)))
