"""Area and diameters of cord and canal on one axial slice."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.anatomy import Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.geometry import LEFT, ImagePlane, PixelPoint, Points
from node.domain.prediction import BORDER_PROBABILITY, Probabilities
from node.measurement.outline import Box, area_and_centroid, crossings, simplified
from node.measurement.sampling import FloatArray

_SMALLEST_MM2 = 8.0
_NOISE_SHARE = 0.08
_BROKEN_SHARE = 0.2
_ROTATION_FLAG_DEG = 25.0
_OUTLINE_TOLERANCE_MM = 0.08
_EQUAL_AREA = 0.02
_IN_PIECES = {
    Structure.SPINAL_CORD: Reason.CORD_MULTIPLE_COMPONENTS,
    Structure.SPINAL_CANAL: Reason.CANAL_MULTIPLE_COMPONENTS,
}


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The outline of one structure on one axial slice, in in-plane millimetres (down, across).

    Parameters
    ----------
    area_mm2
        Area inside the 0.5 crossing of the probability.
    points
        Closed outline, shape (n, 2), first point not repeated.
    hull
        Its convex hull, shape (m, 2).
    centroid
        Shape (2,).
    findings
        What speaks against it.
    """

    area_mm2: float
    points: Points
    hull: Points
    centroid: Points
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Diameters:
    """Transverse and anteroposterior diameter with their lines, each shape (2, 2), in in-plane millimetres."""

    transverse_mm: float
    ap_mm: float
    transverse_line: Points
    ap_line: Points
    findings: tuple[Finding, ...]


def trace(probabilities: Probabilities, plane: ImagePlane, structure: Structure) -> Outline | None:
    """Return the outline of the largest piece of a structure in one slice, [row, column]; None if there is hardly any."""
    if not np.isfinite(probabilities).all():
        probabilities = np.nan_to_num(probabilities)
    mask = probabilities >= BORDER_PROBABILITY
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return None
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = int(areas.argmax()) + 1
    if areas[largest - 1] * plane.pixel_area_mm2 < _SMALLEST_MM2:
        return None
    left, top, width, height = (int(stats[largest, k]) for k in range(4))
    findings = (*_piece_findings(areas, structure), *_edge_findings((top, left, height, width), plane, structure))
    others = (labels != largest) & mask
    return _outline(np.where(others, 0, probabilities), plane, (top, left, height, width), findings)


def _outline(probabilities: npt.NDArray[np.floating], plane: ImagePlane, box: Box, findings: tuple[Finding, ...]) -> Outline:
    """Return the largest 0.5 crossing of a probability map [row, column] inside a box."""
    points = crossings(probabilities, plane, box)[0]
    area_mm2, centroid = area_and_centroid(points)
    hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2).astype(np.float64)
    return Outline(area_mm2, simplified(points, _OUTLINE_TOLERANCE_MM), hull, centroid, findings)


def _piece_findings(areas: npt.NDArray[np.number], structure: Structure) -> tuple[Finding, ...]:
    ordered = np.sort(areas)[::-1]
    others = float(ordered[1:].sum())
    if others < _NOISE_SHARE * ordered[0]:
        return ()
    # Pieces of some size leave it open which one is the structure, or whether it is all of it.
    severity = Severity.WITHHOLD if others > _BROKEN_SHARE * ordered[0] else Severity.FLAG
    name = structure.value.replace("_", " ")
    return (Finding(_IN_PIECES[structure], severity, f"the {name} mask of the axial slice is in several pieces"),)


def _edge_findings(box: tuple[int, int, int, int], plane: ImagePlane, structure: Structure) -> tuple[Finding, ...]:
    top, left, height, width = box
    if top > 0 and left > 0 and top + height < plane.rows and left + width < plane.columns:
        return ()
    name = structure.value.replace("_", " ")
    return (Finding(Reason.MASK_TOUCHES_BORDER, Severity.WITHHOLD, f"the {name} reaches the edge of the axial image"),)


def cord_diameters(outline: Outline, plane: ImagePlane) -> Diameters:
    """Return the diameters of the cord as the paper defines them.

    Transverse: long side of the minimum-area rectangle. Anteroposterior: longest chord of the convex hull
    perpendicular to it. A long side that is far from the patient's left-right axis is flagged.
    """
    along = _long_side(outline.hull)
    left = plane.direction_in_plane(LEFT)
    rotation_deg = float(np.rad2deg(np.arccos(np.clip(abs(along @ left), 0, 1))))
    text = f"the long axis of the cord is {rotation_deg:.0f} degrees from the patient's left-right axis"
    rotated = (Finding(Reason.CORD_ROTATED, Severity.FLAG, text),) if rotation_deg > _ROTATION_FLAG_DEG else ()
    return _along(outline, along, rotated)


def _long_side(hull: Points) -> FloatArray:
    """Return the direction of the long side of the minimum-area rectangle around a hull, a unit vector, shape (2,).

    For a nearly round cord the area hardly depends on the angle, and noise of a hundredth of a pixel would turn the
    rectangle by 15 degrees. Among rectangles of practically the least area, the longest is therefore taken.
    """
    angles = np.deg2rad(np.arange(0.0, 180.0, 0.5))
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    extents = np.ptp(hull @ directions.T, axis=0)
    areas = extents * np.roll(extents, len(angles) // 2)
    candidates = areas <= areas.min() * (1 + _EQUAL_AREA)
    return np.asarray(directions[int(np.where(candidates, extents, 0).argmax())])


def diameters_across(outline: Outline, transverse: FloatArray) -> Diameters:
    """Return the diameters of an outline along a given transverse direction (down, across): cord and canal share one axis."""
    return _along(outline, transverse, ())


def transverse_direction(diameters: Diameters) -> FloatArray:
    """Return the unit vector (down, across) along which the transverse diameter was taken."""
    line = diameters.transverse_line[1] - diameters.transverse_line[0]
    return np.asarray(line / np.linalg.norm(line))


def _along(outline: Outline, along: FloatArray, findings: tuple[Finding, ...]) -> Diameters:
    across = np.array([-along[1], along[0]])
    position, height = outline.hull @ along, outline.hull @ across
    transverse_mm = float(np.ptp(position))
    level = float(outline.centroid @ across)
    ends = np.array([position.min(), position.max()])
    where, low, high = _longest_chord(position, height)
    return Diameters(
        transverse_mm=transverse_mm,
        ap_mm=high - low,
        transverse_line=ends[:, None] * along + level * across,
        ap_line=where * along + np.array([low, high])[:, None] * across,
        findings=findings,
    )


def _longest_chord(position: FloatArray, height: FloatArray) -> tuple[float, float, float]:
    """Return where the hull, a convex polygon, is highest, and its lower and upper end there."""
    where = np.linspace(position.min(), position.max(), 401)
    first, last = int(position.argmin()), int(position.argmax())
    order = np.arange(position.size)
    one = (first + order[: (last - first) % position.size + 1]) % position.size
    other = (first - order[: (first - last) % position.size + 1]) % position.size
    chains = np.stack([np.interp(where, position[chain], height[chain]) for chain in (one, other)])
    best = int(np.ptp(chains, axis=0).argmax())
    return float(where[best]), float(chains[:, best].min()), float(chains[:, best].max())


def pixel_points(points_mm: Points, plane: ImagePlane) -> tuple[PixelPoint, ...]:
    """Return pixel points of in-plane millimetres, shape (n, 2)."""
    return tuple(PixelPoint(*map(float, point)) for point in plane.from_plane_mm(points_mm))
