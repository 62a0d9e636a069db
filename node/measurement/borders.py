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
    if not layers.levels or not (probabilities >= BORDER_PROBABILITY).any():
        nothing = np.full(len(layers.levels), np.nan)
        return Borders(layers, nothing, nothing, np.zeros(len(layers.levels), dtype=np.int64), nothing)
    depths = np.arange(-_BEFORE_WALL_MM, _BEHIND_WALL_MM + _RAY_STEP_MM / 2, _RAY_STEP_MM)
    rays = layers.origins[:, None, :] + depths[None, :, None] * layers.normals[:, None, :]
    # Blurred across the border only: along the cord a blur would fill in a sharp narrowing.
    sigma = _BLUR_PIXELS * plane.pixel_area_mm2**0.5 / _RAY_STEP_MM
    read = sample(probabilities, plane.from_plane_mm(rays))
    values = np.asarray(cv2.GaussianBlur(read, (41, 1), sigma, borderType=cv2.BORDER_REPLICATE), dtype=np.float64)
    inside_mm = np.full(len(values), np.nan) if around is None else (around.anterior_mm + around.posterior_mm) / 2
    pieces = _pieces(values)
    chosen = _chosen(pieces, depths, inside_mm)
    anterior, posterior, certainty = np.full((3, len(values)), np.nan)
    anterior[chosen.ray] = _crossings(values[chosen.ray], depths, chosen.start - 1)
    posterior[chosen.ray] = _crossings(values[chosen.ray], depths, chosen.stop - 1)
    certainty[chosen.ray] = chosen.mass / (chosen.stop - chosen.start)
    return Borders(
        layers,
        local_quadratic(layers.positions_mm, anterior, smoothing_mm),
        local_quadratic(layers.positions_mm, posterior, smoothing_mm),
        np.bincount(pieces.ray[(pieces.stop - pieces.start) * _RAY_STEP_MM > 1.0], minlength=len(values)),
        certainty,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """Pieces of rays that lie inside the structure, in the order of the rays, shape (pieces,).

    Parameters
    ----------
    ray
        Index of the ray.
    start, stop
        First sample of the piece, and the first behind it.
    mass
        Sum of the probabilities of the piece.
    """

    ray: npt.NDArray[np.intp]
    start: npt.NDArray[np.intp]
    stop: npt.NDArray[np.intp]
    mass: FloatArray

    def only(self, indices: npt.NDArray[np.intp]) -> "_Pieces":
        """Return some of the pieces."""
        return _Pieces(self.ray[indices], self.start[indices], self.stop[indices], self.mass[indices])


def _pieces(values: FloatArray) -> _Pieces:
    """Return all pieces of rays, shape (rays, samples), in which the probability is high enough."""
    inside = np.pad(values >= BORDER_PROBABILITY, ((0, 0), (1, 1)))
    ray, start = np.nonzero(~inside[:, :-1] & inside[:, 1:])
    stop = np.nonzero(inside[:, :-1] & ~inside[:, 1:])[1]
    mass = [values[one, first:last].sum() for one, first, last in zip(ray, start, stop, strict=True)]
    return _Pieces(ray, start, stop, np.array(mass, dtype=np.float64))


def _chosen(pieces: _Pieces, depths: FloatArray, inside_mm: FloatArray) -> _Pieces:
    """Return one piece of each ray that has any: the one that holds the given depth of the ray, or else the largest."""
    wanted_mm = inside_mm[pieces.ray]
    is_holding = (depths[pieces.start] <= wanted_mm) & (depths[pieces.stop - 1] >= wanted_mm)
    best_first = pieces.only(np.lexsort((-pieces.mass, ~is_holding, pieces.ray)))
    return best_first.only(np.unique(best_first.ray, return_index=True)[1])


def _crossings(values: FloatArray, depths: FloatArray, before: npt.NDArray[np.intp]) -> FloatArray:
    """Return for each ray the depth at which the probability crosses 0.5 behind a sample; the end of the ray if it does not."""
    crossings = depths[np.maximum(before, 0)]
    ray = np.flatnonzero((before >= 0) & (before + 1 < depths.size))
    sample_before = before[ray]
    low, high = values[ray, sample_before], values[ray, sample_before + 1]
    step_mm = depths[sample_before + 1] - depths[sample_before]
    crossings[ray] += (BORDER_PROBABILITY - low) / (high - low) * step_mm
    return crossings
