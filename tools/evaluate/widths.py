"""AP widths of cord and canal along the posterior wall, counted on cover maps: independent of how the node finds borders."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import VERTEBRAE, Corner, Landmark
from node.domain.geometry import ImagePlane, Points
from node.measurement.sampling import sample
from tools.evaluate.case import Cover

Floats = npt.NDArray[np.float64]

_PER_LEVEL = 9
_STEP_MM = 0.05
_REACH_MM = (-3.0, 28.0)
_CLEARANCE = round(1.0 / _STEP_MM)  # a border this near to the unknown may lie in it
_POSTERIOR = (Corner.POSTERIOR_SUPERIOR, Corner.POSTERIOR_INFERIOR)


def widths_mm(cover: Cover, landmarks: Mapping[Landmark, Points], plane: ImagePlane) -> Floats:
    """Return widths at the 0.5 crossing in layers perpendicular to the posterior wall, from C3 to C7, shape (81,).

    NaN where the width is not known: nothing crosses the layer, or it ends in pixels that nobody knows.

    Parameters
    ----------
    cover
        One sagittal slice, [row, column].
    landmarks
        Patient points; the ten posterior corners are used.
    """
    wall = [plane.to_plane_mm(plane.to_pixels(landmarks[Landmark(v, c)])) for v in VERTEBRAE for c in _POSTERIOR]
    posterior = plane.direction_in_plane((0.0, 1.0, 0.0))
    return np.array([width for start, end in pairwise(wall) for width in _level(cover, start, end, posterior, plane)])


def _level(cover: Cover, start: Points, end: Points, posterior: Points, plane: ImagePlane) -> list[float]:
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    across = across * np.sign(across @ posterior)
    reach = np.arange(*_REACH_MM, _STEP_MM)
    shares = (np.arange(_PER_LEVEL) + 0.5) / _PER_LEVEL
    lines = start + shares[:, None, None] * (end - start) + reach[None, :, None] * across
    return [_width(values) for values in sample(cover, plane.from_plane_mm(lines))]


def _width(values: Floats) -> float:
    inside = np.flatnonzero(values >= 0.5)
    if not inside.size:
        return np.nan
    around = values[max(0, inside[0] - _CLEARANCE) : inside[-1] + _CLEARANCE]
    return np.nan if np.isnan(around).any() else inside.size * _STEP_MM
