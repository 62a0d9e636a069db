"""Outlines of a structure on one slice: where its probability crosses 0.5 between the pixels."""

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.geometry import ImagePlane, Points
from node.domain.prediction import BORDER_PROBABILITY
from node.measurement.sampling import sample

# Grid on which an outline is looked for, before its points are moved onto the exact crossing.
_GRID_MM = 0.2
_MARGIN_PIXELS = 3

Box = tuple[int, int, int, int]
"""Pixels: top, left, height, width."""


def trace_outlines(
    probabilities: npt.NDArray[np.floating], plane: ImagePlane, smallest_mm2: float, tolerance_mm: float
) -> tuple[Points, ...]:
    """Return the outer outline of every piece of a structure on one slice, in pixel points (row, column), largest first.

    Parameters
    ----------
    probabilities
        One slice, [row, column].
    smallest_mm2
        Pieces below this area are left out.
    tolerance_mm
        How far the outline may pass a point of the crossing that is left out.
    """
    rows, columns = np.nonzero(probabilities >= BORDER_PROBABILITY)
    if rows.size == 0:
        return ()
    box = int(rows.min()), int(columns.min()), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    outlines = [simplified(one, tolerance_mm) for one in crossings(probabilities, plane, box)]
    return tuple(plane.from_plane_mm(one) for one in outlines if len(one) > 2 and _area_mm2(one) >= smallest_mm2)


def crossings(probabilities: npt.NDArray[np.floating], plane: ImagePlane, box: Box) -> list[Points]:
    """Return the outer 0.5 crossings inside a box of pixels, in in-plane mm, shape (n, 2) each, largest first."""
    top, left, height, width = box
    first = plane.to_plane_mm([top - _MARGIN_PIXELS, left - _MARGIN_PIXELS])
    last = plane.to_plane_mm([top + height - 1 + _MARGIN_PIXELS, left + width - 1 + _MARGIN_PIXELS])
    down, across = (np.arange(first[k], last[k] + _GRID_MM, _GRID_MM) for k in (0, 1))
    grid = np.stack(np.meshgrid(down, across, indexing="ij"), axis=-1)
    inside = sample(probabilities, plane.from_plane_mm(grid)) >= BORDER_PROBABILITY
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest_first = sorted(contours, key=cv2.contourArea, reverse=True)
    return [_on_crossing(first + one.reshape(-1, 2)[:, ::-1] * _GRID_MM, probabilities, plane) for one in largest_first]


def _on_crossing(points: Points, probabilities: npt.NDArray[np.floating], plane: ImagePlane) -> Points:
    """Return points near an outline, in-plane mm, moved along the gradient onto the 0.5 crossing.

    Without this the steps of the grid turn the minimum-area rectangle of a nearly round cord by 15 degrees and more.
    """
    axes = np.eye(2) * _GRID_MM / 2
    for _ in range(3):
        lack = BORDER_PROBABILITY - sample(probabilities, plane.from_plane_mm(points))
        around = sample(probabilities, plane.from_plane_mm(points[:, None, None, :] + np.stack([axes, -axes], axis=1)))
        gradient = (around[..., 0] - around[..., 1]) / _GRID_MM
        steepness = (gradient**2).sum(axis=1, keepdims=True)
        step = np.divide(lack[:, None] * gradient, steepness, out=np.zeros_like(points), where=steepness > 1e-6)
        points = points + np.clip(step, -_GRID_MM, _GRID_MM)
    return points


def _area_mm2(points: Points) -> float:
    return float(cv2.contourArea(points.astype(np.float32)))


def area_and_centroid(points: Points) -> tuple[float, Points]:
    """Return area and centroid of a closed polygon (the surveyor's formula)."""
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    area = cross.sum() / 2
    return abs(float(area)), np.asarray(((points + following) * cross[:, None]).sum(axis=0) / (6 * area))


def simplified(points: Points, tolerance_mm: float) -> Points:
    """Return a closed outline, in-plane mm, without the points that a line between others passes within the tolerance."""
    kept = cv2.approxPolyDP(points.astype(np.float32), tolerance_mm, closed=True)
    return np.asarray(kept.reshape(-1, 2), dtype=np.float64)
