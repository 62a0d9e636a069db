"""The part of a sagittal slice that lies beside C3 to C7."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import Landmark
from node.domain.geometry import SUPERIOR, ImagePlane
from node.domain.prediction import Keypoint


def cervical_band(plane: ImagePlane, corners: Mapping[Landmark, Keypoint]) -> npt.NDArray[np.bool_]:
    """Return the pixels that are neither higher nor lower than every corner, bool [row, column]; all of them without corners."""
    if not corners:
        return np.ones((plane.rows, plane.columns), dtype=bool)
    superior = plane.direction_in_plane(SUPERIOR)
    heights_mm = [float(plane.to_plane_mm(one.point) @ superior) for one in corners.values()]
    grid = np.stack(np.meshgrid(np.arange(plane.rows), np.arange(plane.columns), indexing="ij"), axis=-1)
    height_mm = plane.to_plane_mm(grid) @ superior
    return np.asarray((height_mm > min(heights_mm)) & (height_mm < max(heights_mm)))
