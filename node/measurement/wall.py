"""The posterior wall of C3 to C7 cut into layers, in the sagittal plane."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import LEVELS, Corner, Landmark, Level, Vertebra
from node.domain.geometry import POSTERIOR, ImagePlane, Points
from node.domain.prediction import Keypoint
from node.measurement.sampling import FloatArray

# A posterior wall or disc shorter than this cannot give a direction.
_SHORTEST_WALL_MM = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """Layers along the posterior wall, from head to feet, in in-plane millimetres (down, across).

    Parameters
    ----------
    levels
        Level of each layer.
    positions_mm
        Distance along the wall, ascending, shape (n,).
    origins
        Point of the wall in each layer, shape (n, 2).
    normals
        Unit vector perpendicular to the wall, pointing posterior, shape (n, 2).
    """

    levels: tuple[Level, ...]
    positions_mm: FloatArray
    origins: Points
    normals: Points

    def of(self, level: Level) -> npt.NDArray[np.intp]:
        """Return the indices of the layers of a level; empty if the level is missing."""
        return np.flatnonzero([one is level for one in self.levels])

    def middle(self, level: Level) -> int:
        """Return the index of the layer in the middle of a level that is present."""
        indices = self.of(level)
        return int(indices[len(indices) // 2])

    @property
    def tangents(self) -> Points:
        """Unit vector along the wall in each layer, perpendicular to the normal, shape (n, 2)."""
        return np.stack([-self.normals[:, 1], self.normals[:, 0]], axis=1)


def wall_segment(level: Level, by_landmark: Mapping[Landmark, Keypoint], plane: ImagePlane) -> tuple[Points, Points] | None:
    """Return upper and lower end of a level's posterior wall in in-plane mm, shape (2,) each; None if a corner is missing.

    A vertebra reaches from its posterior-superior to its posterior-inferior corner; a disc level from the
    posterior-inferior corner of the upper vertebra to the posterior-superior corner of the lower.
    """
    if level.is_disc:
        above, below = level.value.split("/")
        ends = (Landmark(Vertebra(above), Corner.POSTERIOR_INFERIOR), Landmark(Vertebra(below), Corner.POSTERIOR_SUPERIOR))
    else:
        vertebra = Vertebra(level.value)
        ends = (Landmark(vertebra, Corner.POSTERIOR_SUPERIOR), Landmark(vertebra, Corner.POSTERIOR_INFERIOR))
    if not all(end in by_landmark for end in ends):
        return None
    start, stop = (plane.to_plane_mm(by_landmark[end].point) for end in ends)
    return None if np.linalg.norm(stop - start) < _SHORTEST_WALL_MM else (start, stop)


def cut_layers(by_landmark: Mapping[Landmark, Keypoint], plane: ImagePlane, step_mm: float) -> Layers:
    """Return the layers of every level whose corners are present, about ``step_mm`` apart."""
    pieces = list(_pieces(by_landmark, plane, step_mm))
    if not pieces:
        return Layers((), np.empty(0), np.empty((0, 2)), np.empty((0, 2)))
    levels = tuple(level for level, *_, origins, _normals in pieces for _ in origins)
    return Layers(
        levels,
        np.concatenate([positions for _, positions, _, _ in pieces]),
        np.concatenate([origins for _, _, origins, _ in pieces]),
        np.concatenate([normals for _, _, _, normals in pieces]),
    )


def _pieces(
    by_landmark: Mapping[Landmark, Keypoint], plane: ImagePlane, step_mm: float
) -> Iterator[tuple[Level, FloatArray, Points, Points]]:
    posterior = plane.direction_in_plane(POSTERIOR)
    travelled_mm = 0.0
    for level in LEVELS:
        segment = wall_segment(level, by_landmark, plane)
        if segment is None:
            continue
        start, stop = segment
        length_mm = float(np.linalg.norm(stop - start))
        count = max(1, round(length_mm / step_mm))
        fraction = (np.arange(count) + 0.5) / count
        tangent = (stop - start) / length_mm
        normal = np.array([tangent[1], -tangent[0]])
        normal = normal if normal @ posterior > 0 else -normal
        yield level, travelled_mm + fraction * length_mm, start + fraction[:, None] * (stop - start), np.tile(normal, (count, 1))
        travelled_mm += length_mm
