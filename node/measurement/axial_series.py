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
from node.measurement.formulas import compression_ratio
from node.measurement.judging import Subject, judge, with_findings, withhold
from node.measurement.promise import promise_findings
from node.measurement.ratios import RATIO_OF, combine
from node.measurement.wall import Layers

_OBLIQUE_FLAG_DEG = 25.0
# A slice belongs to the level of the nearest layer; further from every layer than this it lies above C3 or below C7.
_LEVEL_REACH_MM = 3.0
_CANAL_DEPTH_MM = 40.0
# AP diameters of the two planes that differ by this share of the larger contradict each other: one mask must be wrong.
_CONTRADICTION = 0.4

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
    ratio = compression_ratio(diameters.ap_mm, diameters.transverse_mm)
    findings = (*cord.findings, *promised[CORD], *diameters.findings, *_oblique(plane, axis), *_cord_in_canal(cord, canal))
    canal_findings = () if canal is None else (*canal.findings, *promised[CANAL])
    return AxialSliceMeasurements(
        slice_index=index,
        level=level,
        area=judge(Subject(Quantity.CROSS_SECTIONAL_AREA, CORD, level), cord.area_mm2, (contour,), findings),
        area_along_cord=_area_along_cord(
            cord, plane, axis, Subject(Quantity.CROSS_SECTIONAL_AREA_ALONG_CORD, CORD, level), (contour, promised[CORD])
        ),
        ap=judge(
            Subject(Quantity.AP_DIAMETER, CORD, level), diameters.ap_mm, (_line(diameters, plane, index, ap=True),), findings
        ),
        transverse=judge(
            Subject(Quantity.TRANSVERSE_DIAMETER, CORD, level),
            diameters.transverse_mm,
            (_line(diameters, plane, index, ap=False),),
            findings,
        ),
        compression_ratio=judge(Subject(Quantity.CORD_COMPRESSION_RATIO, CORD, level), ratio, (contour,), findings),
        canal_area=_canal_area(canal, plane, (index, level), canal_findings),
        canal_ap=_canal_ap(canal, diameters, plane, (index, level), canal_findings),
    )


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
    return judge(subject, cord.area_mm2 * abs(float(plane.normal @ axis)), (contour,), (*cord.findings, *findings))


def _oblique(plane: ImagePlane, axis: Points | None) -> tuple[Finding, ...]:
    if axis is None:
        return ()
    angle_deg = float(np.rad2deg(np.arccos(np.clip(abs(plane.normal @ axis), 0, 1))))
    if angle_deg <= _OBLIQUE_FLAG_DEG:
        return ()
    text = f"the axial slice is tilted {angle_deg:.0f} degrees against the cord"
    return (Finding(Reason.AXIAL_OBLIQUE, Severity.FLAG, text),)


def _cord_in_canal(cord: Outline, canal: Outline | None) -> tuple[Finding, ...]:
    if canal is None or cord.area_mm2 <= canal.area_mm2:
        return ()
    text = f"the cord ({cord.area_mm2:.0f} mm2) is larger than the canal ({canal.area_mm2:.0f} mm2) on the axial slice"
    return (Finding(Reason.CORD_OUTSIDE_CANAL, Severity.WITHHOLD, text),)


def _decisive(
    volume: Volume,
    slices: Sequence[AxialSliceMeasurements],
    sagittal: SagittalMeasurements | None,
    frame: SagittalFrame | None,
    config: MeasurementConfig,
) -> tuple[AxialSliceMeasurements | None, tuple[Finding, ...]]:
    """Return the slice nearest to the sagittal point of greatest cord compression, or the reason why there is none."""
    if sagittal is None or frame is None:
        return None, ()
    at_level = sagittal.ratio(CORD).at_level
    if at_level is None or not at_level.evidence:
        text = "the level of greatest cord compression is unknown, so no axial slice can be chosen"
        return None, (Finding(Reason.LEVEL_MISSING, Severity.WITHHOLD, text),)
    point = frame.middle_of(at_level.evidence[0])
    distances_mm = {one.slice_index: abs(float(volume.planes[one.slice_index].distance_mm(point))) for one in slices}
    covering = [one for one in slices if bool(volume.planes[one.slice_index].contains(point))]
    nearest = min(covering, key=lambda one: distances_mm[one.slice_index], default=None)
    if nearest is None or distances_mm[nearest.slice_index] > config.maximum_axial_distance_mm:
        text = f"no axial slice covers the level of greatest cord compression ({at_level.level})"
        return None, (Finding(Reason.NO_AXIAL_AT_LEVEL, Severity.WITHHOLD, text),)
    findings = (
        *_distance_findings(distances_mm[nearest.slice_index], volume.geometry.spacing_between_slices_mm),
        *_agreement(at_level, nearest.ap, config),
    )
    return _doubted(nearest, findings), findings


def _doubted(one: AxialSliceMeasurements, findings: Sequence[Finding]) -> AxialSliceMeasurements:
    """Return a slice whose reported values carry what was found when it was chosen."""
    return replace(
        one,
        area=with_findings(one.area, findings),
        compression_ratio=with_findings(one.compression_ratio, findings),
        ap=with_findings(one.ap, findings),
    )


def _distance_findings(distance_mm: float, spacing_mm: float) -> tuple[Finding, ...]:
    if distance_mm <= spacing_mm / 2 + 1.0:
        return ()
    text = f"the nearest axial slice is {distance_mm:.1f} mm from the level of greatest cord compression"
    return (Finding(Reason.SLICES_GAP, Severity.FLAG, text),)


def _agreement(sagittal_ap: Measurement, axial_ap: Measurement, config: MeasurementConfig) -> tuple[Finding, ...]:
    """Return a finding if the cord AP diameters of the two planes differ; their agreement is a sign of quality."""
    if sagittal_ap.value is None or axial_ap.value is None:
        return ()
    difference_mm = abs(sagittal_ap.value - axial_ap.value)
    if difference_mm <= config.maximum_plane_disagreement_mm:
        return ()
    text = f"cord AP is {sagittal_ap.value:.1f} mm in the sagittal and {axial_ap.value:.1f} mm in the axial plane"
    contradict = difference_mm > _CONTRADICTION * max(sagittal_ap.value, axial_ap.value)
    return (Finding(Reason.PLANES_DISAGREE, Severity.WITHHOLD if contradict else Severity.FLAG, text),)


def _axial_ratio(slices: Sequence[AxialSliceMeasurements], structure: Structure) -> CompressionRatio:
    """Return MSCC or MCC from the AP diameters of the axial slices that lie on C3 to C7."""
    diameters = [one.ap if structure is CORD else one.canal_ap for one in slices if one.level is not None]
    usable = [one for one in diameters if one.value is not None]
    above, below = (_mean([one for one in usable if one.level is level]) for level in (Level.C3, Level.C7))
    if not usable or above is None or below is None:
        text = f"the axial slices do not cover C3 and C7 ({len(usable)} usable slices)"
        subject = Subject(RATIO_OF[structure], structure)
        missing = (Finding(Reason.REFERENCE_MISSING, Severity.WITHHOLD, text),)
        return CompressionRatio(withhold(subject, missing), ReferenceMethod.C3_C7, None, above, below)
    narrowest = min(usable, key=lambda one: one.value or np.inf)
    uncovered = [level for level in LEVELS if not any(one.level is level for one in usable)]
    note = Finding(Reason.SLICES_GAP, Severity.FLAG, f"no axial slice lies on {', '.join(uncovered)}")
    return combine(RATIO_OF[structure], ReferenceMethod.C3_C7, (narrowest, above, below), (note,) if uncovered else ())


def _mean(diameters: Sequence[Measurement]) -> Measurement | None:
    """Return the mean of AP diameters of one level, with the line of the middle slice as evidence."""
    if not diameters:
        return None
    middle = diameters[len(diameters) // 2]
    value = float(np.mean([one.value for one in diameters if one.value is not None]))
    subject = Subject(middle.quantity, middle.structure, middle.level)
    findings = [f for one in diameters for f in one.findings if f.code is not Reason.VALUE_OUTSIDE_HEALTHY_RANGE]
    return judge(subject, value, middle.evidence, tuple(dict.fromkeys(findings)))
