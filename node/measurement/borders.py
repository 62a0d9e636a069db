"""Anterior and posterior border of cord and canal in each layer, finer than a pixel."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.geometry import ImagePlane, Points
from node.domain.prediction import BORDER_PROBABILITY, Probabilities
from node.measurement.sampling import FloatArray, local_quadratic, sample
from node.measurement.wall import Layers

# How far a ray starts before the wall (a corner may be placed inside the canal) and how far it reaches behind it:
# the widest healthy canal is 17.6 mm (Zhu 2024, doi:10.1002/acm2.14282), plus the epidural space.
_BEFORE_WALL_MM = 5.0
_BEHIND_WALL_MM = 32.0
_RAY_STEP_MM = 0.1
_BLUR_PIXELS = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Borders:
    """Where a structure begins and ends on each layer, in mm behind the wall; NaN where it is absent.

    Parameters
    ----------
    anterior_mm, posterior_mm
        Shape (n,); smoothed along the wall.
    runs
        How many separate pieces longer than 1 mm the ray met in each layer, shape (n,).
    certainty
        Mean probability between the borders, shape (n,); NaN where absent.
    """

    layers: Layers
    anterior_mm: FloatArray
    posterior_mm: FloatArray
    runs: npt.NDArray[np.int64]
    certainty: FloatArray

    @property
    def widths_mm(self) -> FloatArray:
        """Width in each layer, shape (n,)."""
        return self.posterior_mm - self.anterior_mm

    def both_ends(self) -> Points:
        """Return the border points of every layer in in-plane mm, anterior first, shape (n, 2, 2); NaN where absent."""
        offsets = np.stack([self.anterior_mm, self.posterior_mm], axis=-1)
        return np.asarray(self.layers.origins[:, None, :] + offsets[..., None] * self.layers.normals[:, None, :])

    def ends(self, index: int, length_mm: float) -> Points:
        """Return the ends of a line of the given length about the middle of one layer, in in-plane mm, shape (2, 2)."""
        middle, half = self.both_ends()[index].mean(axis=0), self.layers.normals[index] * length_mm / 2
        return np.stack([middle - half, middle + half])


def find_borders(
    probabilities: Probabilities, plane: ImagePlane, layers: Layers, smoothing_mm: float, around: Borders | None = None
) -> Borders:
    """Return the borders of a structure on the layers of one slice.

    A border is where the probability, read between pixels along the layer, crosses 0.5. Counting whole pixels instead
    moves MSCC by up to 22 points at 1 mm pixels.

    Parameters
    ----------
    probabilities
        One slice, [row, column].
    smoothing_mm
        Half-width of the fit along the wall.
    around
        Borders of a structure that lies inside this one (the cord in the canal): the piece that holds its middle is
        taken; without it, the largest piece.
    """
    if not layers.levels:
        nothing = np.empty(0)
        return Borders(layers, nothing, nothing, np.empty(0, dtype=np.int64), nothing)
    depths = np.arange(-_BEFORE_WALL_MM, _BEHIND_WALL_MM + _RAY_STEP_MM / 2, _RAY_STEP_MM)
    rays = layers.origins[:, None, :] + depths[None, :, None] * layers.normals[:, None, :]
    # Blurred across the border only: along the cord a blur would fill in a sharp narrowing.
    sigma = _BLUR_PIXELS * plane.pixel_area_mm2**0.5 / _RAY_STEP_MM
    read = sample(probabilities, plane.from_plane_mm(rays))
    values = np.asarray(cv2.GaussianBlur(read, (41, 1), sigma, borderType=cv2.BORDER_REPLICATE), dtype=np.float64)
    inside_mm = None if around is None else (around.anterior_mm + around.posterior_mm) / 2
    found = [_borders_on_ray(row, depths, None if inside_mm is None else float(inside_mm[i])) for i, row in enumerate(values)]
    anterior, posterior, certainty = (np.array([one[k] for one in found], dtype=np.float64) for k in (0, 1, 2))
    return Borders(
        layers,
        local_quadratic(layers.positions_mm, anterior, smoothing_mm),
        local_quadratic(layers.positions_mm, posterior, smoothing_mm),
        np.array([one[3] for one in found], dtype=np.int64),
        certainty,
    )


def _borders_on_ray(values: FloatArray, depths: FloatArray, inside_mm: float | None) -> tuple[float, float, float, int]:
    """Return anterior border, posterior border, mean probability between them, and the number of pieces."""
    inside = np.concatenate([[False], values >= BORDER_PROBABILITY, [False]])
    starts, stops = np.flatnonzero(~inside[:-1] & inside[1:]), np.flatnonzero(inside[:-1] & ~inside[1:])
    if starts.size == 0:
        return np.nan, np.nan, np.nan, 0
    masses = np.array([values[start:stop].sum() for start, stop in zip(starts, stops, strict=True)])
    pieces = int(((stops - starts) * _RAY_STEP_MM > 1.0).sum())
    chosen = int(masses.argmax())
    if inside_mm is not None and np.isfinite(inside_mm):
        holding = np.flatnonzero((depths[starts] <= inside_mm) & (depths[stops - 1] >= inside_mm))
        chosen = int(holding[0]) if holding.size else chosen
    start, stop = int(starts[chosen]), int(stops[chosen])
    return _crossing(values, depths, start - 1), _crossing(values, depths, stop - 1), float(values[start:stop].mean()), pieces


def _crossing(values: FloatArray, depths: FloatArray, before: int) -> float:
    """Return the depth at which the probability crosses 0.5 between two samples; the end of the ray if it does not."""
    if before < 0:
        return float(depths[0])
    if before + 1 >= depths.size:
        return float(depths[-1])
    low, high = values[before], values[before + 1]
    return float(depths[before] + (BORDER_PROBABILITY - low) / (high - low) * (depths[before + 1] - depths[before]))
