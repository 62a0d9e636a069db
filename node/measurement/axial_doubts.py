"""The plausibility gate of the axial plane: what speaks against a slice, and against the slice that was chosen."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from node.config import MeasurementConfig
from node.domain.anatomy import Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.geometry import ImagePlane, PixelPoint, Points
from node.domain.image import Volume
from node.domain.measurement import AxialSliceMeasurements, Measurement
from node.measurement.axial import Outline
from node.measurement.plausibility import outside_findings

_OBLIQUE_FLAG_DEG = 25.0
# AP diameters of the two planes that differ by this share of the larger contradict each other: one mask must be wrong.
_CONTRADICTION = 0.4
# Of 16 phantoms (seeds 9700 to 9715) the MSCC of the two planes differed by more than this on two, and was 5 and 11 points off
# there; on all others it differed by 5 points at most.
_RATIOS_DIFFER_PERCENT = 7.0
# The middle of the sagittal cord, seen on the axial slice, may lie beside the axial cord by so much: the patient moved a little.
_BESIDE_FLAG_MM = 2.0
_BESIDE_WITHHOLD_MM = 5.0


def oblique_findings(plane: ImagePlane, axis: Points | None) -> tuple[Finding, ...]:
    """Return a finding if a slice is tilted against the cord, whose direction is a unit vector, shape (3,)."""
    if axis is None:
        return ()
    angle_deg = float(np.rad2deg(np.arccos(np.clip(abs(plane.normal @ axis), 0, 1))))
    if angle_deg <= _OBLIQUE_FLAG_DEG:
        return ()
    text = f"the axial slice is tilted {angle_deg:.0f} degrees against the cord"
    return (Finding(Reason.AXIAL_OBLIQUE, Severity.FLAG, text),)


def canal_findings(cord: Outline, canal: Outline | None) -> tuple[Finding, ...]:
    """Return a finding if the cord of a slice is larger than its canal, or leaves it."""
    if canal is None:
        return ()
    if cord.area_mm2 > canal.area_mm2:
        text = "the cord is larger than the canal on the axial slice"
        return (Finding(Reason.CORD_OUTSIDE_CANAL, Severity.WITHHOLD, text),)
    return outside_findings(max(_beside_mm(point, canal.points) for point in cord.points), "on the axial slice")


def _beside_mm(point: Points, outline: Points) -> float:
    """Return how far a point lies outside a closed outline, shape (n, 2), in the unit of both; negative inside."""
    return -float(cv2.pointPolygonTest(outline.astype(np.float32), (float(point[0]), float(point[1])), measureDist=True))


def choice_findings(
    sagittal_ap: Measurement, point: Points, one: AxialSliceMeasurements, volume: Volume, config: MeasurementConfig
) -> tuple[Finding, ...]:
    """Return what speaks against the slice that was chosen for a sagittal point, LPS mm, shape (3,).

    Parameters
    ----------
    sagittal_ap
        The cord's diameter at that point.
    volume
        The axial series.
    """
    plane = volume.planes[one.slice_index]
    return (
        *_unstated(volume),
        *_distance(abs(float(plane.distance_mm(point))), volume.geometry.spacing_between_slices_mm),
        *(found for contour in one.area.evidence for found in _place(point, contour.points, plane)),
        *_agreement(sagittal_ap, one.ap, config),
    )


def _unstated(volume: Volume) -> tuple[Finding, ...]:
    if volume.frame_of_reference_uid:
        return ()
    text = "neither series states a frame of reference: check that the axial slice lies at the level that it is given"
    return (Finding(Reason.FRAME_OF_REFERENCE_DIFFERS, Severity.FLAG, text),)


def _distance(distance_mm: float, spacing_mm: float) -> tuple[Finding, ...]:
    if distance_mm <= spacing_mm / 2 + 1.0:
        return ()
    text = f"the nearest axial slice is {distance_mm:.1f} mm from the level of greatest cord compression"
    return (Finding(Reason.SLICES_GAP, Severity.FLAG, text),)


def _place(point: Points, contour: Sequence[PixelPoint], plane: ImagePlane) -> tuple[Finding, ...]:
    """Return a finding if the middle of the sagittal cord does not lie in the axial cord."""
    beside_mm = _beside_mm(plane.to_plane_mm(plane.to_pixels(point)), plane.to_plane_mm(contour))
    if beside_mm <= _BESIDE_FLAG_MM:
        return ()
    severity = Severity.WITHHOLD if beside_mm > _BESIDE_WITHHOLD_MM else Severity.FLAG
    text = f"the sagittal cord lies {beside_mm:.0f} mm beside the axial one: the patient moved, or a mask is wrong"
    return (Finding(Reason.PLANES_DISAGREE, severity, text),)


def _agreement(sagittal_ap: Measurement, axial_ap: Measurement, config: MeasurementConfig) -> tuple[Finding, ...]:
    """Return a finding if the cord AP diameters of the two planes differ; their agreement is a sign of quality."""
    if sagittal_ap.value is None or axial_ap.value is None:
        return ()
    difference_mm = abs(sagittal_ap.value - axial_ap.value)
    if difference_mm <= config.maximum_plane_disagreement_mm:
        return ()
    text = f"the cord AP diameters of the sagittal and the axial plane differ by {difference_mm:.1f} mm"
    contradict = difference_mm > _CONTRADICTION * max(sagittal_ap.value, axial_ap.value)
    return (Finding(Reason.PLANES_DISAGREE, Severity.WITHHOLD if contradict else Severity.FLAG, text),)


def ratio_findings(sagittal: Measurement, axial: Measurement) -> tuple[Finding, ...]:
    """Return a finding if the MSCC of the two planes differ; thick axial slices blunt a short dent, so some is allowed."""
    if sagittal.value is None or axial.value is None:
        return ()
    difference_percent = abs(sagittal.value - axial.value)
    if difference_percent <= _RATIOS_DIFFER_PERCENT:
        return ()
    text = f"MSCC of the sagittal and of the axial plane differ by {difference_percent:.0f} points"
    return (Finding(Reason.PLANES_DISAGREE, Severity.FLAG, text),)


def hidden_findings(structure: Structure, by_slice: Mapping[int, Measurement]) -> tuple[Finding, ...]:
    """Return a finding if an AP diameter between the first and the last slice was withheld: the narrowest could be there.

    Parameters
    ----------
    by_slice
        AP diameters by the index of their slice; a slice without a cord is absent.
    """
    if not by_slice:
        return ()
    absent = sum(index not in by_slice for index in range(min(by_slice), max(by_slice) + 1))
    withheld = sum(one.value is None for one in by_slice.values())
    if not absent + withheld:
        return ()
    name = structure.value.replace("_", " ")
    text = f"the {name} could not be measured on {absent + withheld} of the axial slices between C3 and C7"
    return (Finding(Reason.LEVEL_MISSING, Severity.WITHHOLD, text),)
