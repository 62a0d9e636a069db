"""Which sagittal slice shows the middle of the cord in each layer: a bent neck does not stay in one slice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from node.domain.geometry import ImagePlane
from node.measurement.borders import Borders
from node.measurement.sampling import FloatArray

# The middle of the cord is averaged along the wall over this far: wider than a compressed level, shorter than a scoliotic bend.
_BEND_MM = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class SlicePath:
    """On which slice each layer is read, shape (layers,), and the slice on which the layers lie."""

    decisive: int
    slices: npt.NDArray[np.intp]

    @classmethod
    def straight(cls, index: int, layers: int) -> "SlicePath":
        """Return the path that stays on one slice."""
        return cls(index, np.full(layers, index, dtype=np.intp))


def follow_cord(cord_by_slice: Sequence[Borders], planes: Sequence[ImagePlane], decisive: int) -> SlicePath:
    """Return for each layer the slice that shows the cord's middle.

    The middle is the mean position of the slices, weighed by the width of the cord that they show. The decisive slice is
    kept wherever it is the nearest, or shows a thicker cord.

    Parameters
    ----------
    cord_by_slice
        Borders of the cord on every slice, all on the same layers.
    planes
        Planes of the slices.
    decisive
        Index of the decisive slice.
    """
    layers = cord_by_slice[decisive].layers
    offsets_mm = np.array([float(planes[decisive].distance_mm(plane.position)) for plane in planes])
    if len(planes) < 2 or not layers.levels:
        return SlicePath.straight(decisive, len(layers.levels))
    near = np.exp(-0.5 * ((layers.positions_mm[:, None] - layers.positions_mm[None, :]) / _BEND_MM) ** 2)
    widths_mm = _connected(np.nan_to_num(np.stack([one.widths_mm for one in cord_by_slice])), decisive) @ near / near.sum(axis=0)
    away_mm = np.abs(offsets_mm[:, None] - _middle_mm(widths_mm, offsets_mm))
    nearest = away_mm.argmin(axis=0)
    # the middle of a cord is where it is thickest: a slice that shows less of it than the decisive one is not nearer to it
    is_thicker = np.take_along_axis(widths_mm, nearest[None], axis=0)[0] > widths_mm[decisive]
    return SlicePath(decisive, np.where(is_thicker, nearest, decisive).astype(np.intp))


def _connected(widths_mm: FloatArray, decisive: int) -> FloatArray:
    """Return the widths, shape (slices, layers), of slices that show the cord without a gap from the decisive one; others 0."""
    shown = widths_mm > 0
    after = np.logical_and.accumulate(shown[decisive:], axis=0)
    before = np.logical_and.accumulate(shown[decisive::-1], axis=0)[::-1]
    return np.asarray(np.where(np.concatenate([before, after[1:]]), widths_mm, 0.0))


def _middle_mm(widths_mm: FloatArray, offsets_mm: FloatArray) -> FloatArray:
    """Return the mean position of the slices in each layer, weighed by the square of the width; NaN where none shows a cord."""
    mass = widths_mm**2
    moment, total = (mass * offsets_mm[:, None]).sum(axis=0), mass.sum(axis=0)
    return np.where(total > 0, moment / np.maximum(total, 1e-9), np.nan)


def followed(by_slice: Sequence[Borders], path: SlicePath) -> Borders:
    """Return the borders that are read in each layer on its own slice, as borders on the layers of the decisive slice."""
    layers = np.arange(len(path.slices))

    def pick(name: str) -> npt.NDArray[np.generic]:
        return np.asarray(np.stack([getattr(one, name) for one in by_slice])[path.slices, layers])

    return Borders(
        by_slice[path.decisive].layers,
        pick("anterior_mm").astype(np.float64),
        pick("posterior_mm").astype(np.float64),
        pick("runs").astype(np.int64),
        pick("certainty").astype(np.float64),
    )
