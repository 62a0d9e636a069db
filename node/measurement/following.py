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
# Another slice is taken only where it lies nearer to the middle of the cord by this share of the distance between slices.
_MARGIN = 0.3


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
    kept wherever it is about as good as the best.

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
    widths_mm = np.nan_to_num(np.stack([one.widths_mm for one in cord_by_slice]))
    middle_mm = _middle_mm(widths_mm, offsets_mm, layers.positions_mm)
    away_mm = np.abs(offsets_mm[:, None] - middle_mm)
    margin_mm = _MARGIN * float(np.median(np.abs(np.diff(offsets_mm))))
    nearest = away_mm.argmin(axis=0)
    is_better = away_mm.min(axis=0) + margin_mm < away_mm[decisive]
    return SlicePath(decisive, np.where(is_better, nearest, decisive).astype(np.intp))


def _middle_mm(widths_mm: FloatArray, offsets_mm: FloatArray, positions_mm: FloatArray) -> FloatArray:
    """Return the lateral middle of the cord in each layer, averaged along the wall; NaN where no slice shows a cord."""
    near = np.exp(-0.5 * ((positions_mm[:, None] - positions_mm[None, :]) / _BEND_MM) ** 2)
    mass = near @ widths_mm.sum(axis=0)
    moment = near @ (widths_mm * offsets_mm[:, None]).sum(axis=0)
    return np.where(mass > 0, moment / np.maximum(mass, 1e-9), np.nan)


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
