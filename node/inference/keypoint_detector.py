"""One sagittal slice to named corners."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from node.domain.geometry import PixelPoint, Points
from node.domain.image import Volume
from node.domain.prediction import Keypoint, Keypoints, Masks
from node.inference.chain import Chain, Maps, Peak, agreed, chain_of, find_corners
from node.inference.manifest import FixedSpacingPlan, ModelManifest
from node.inference.preprocess import ModelGrid, fit_grid, model_input, reference_signal
from node.inference.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """What a network makes of one slice.

    Parameters
    ----------
    maps
        Heat maps by channel.
    cell_mm
        Size of a cell.
    chain
        Body centres in cells; None if they cannot be told apart.
    """

    maps: Mapping[str, Maps]
    grid: ModelGrid
    cell_mm: float
    chain: Chain | None


class KeypointDetector:
    """Finds the corners of C3 to C7 in one slice.

    Parameters
    ----------
    session, manifest
        The network and what it is.
    witness
        A second network that has to give the same names.
    """

    def __init__(self, session: Session, manifest: ModelManifest, witness: "KeypointDetector | None" = None) -> None:
        self._session = session
        self._manifest = manifest
        self._witness = witness

    def detect(self, volume: Volume, slice_index: int, masks: Masks | None = None) -> Keypoints:
        """Return the landmarks of one slice; empty if the vertebrae cannot be told apart.

        Parameters
        ----------
        volume, slice_index
            Where to look.
        masks
            Masks of the same volume; a detector may use them.
        """
        witness = None if self._witness is None else self._witness._manifest.identity
        seen = self._look(volume, slice_index)
        if seen.chain is None:
            return Keypoints(slice_index, {}, self._manifest.identity, witness)
        chain = seen.chain if self._witness is None else self._agreed(self._witness, seen, seen.chain, volume, slice_index)
        peaks = find_corners(seen.maps, chain, seen.cell_mm)
        keypoints = {peak.landmark: self._keypoint(peak, chain.certainty, seen.grid) for peak in peaks}
        return Keypoints(slice_index, keypoints, self._manifest.identity, witness)

    def _look(self, volume: Volume, slice_index: int) -> _Sight:
        reference = reference_signal(volume.voxels, self._manifest.reference_percentile)
        grid = fit_grid(self._manifest, volume.planes[slice_index], volume.voxels, reference)
        image = model_input(volume.voxels[slice_index], grid, reference)
        output = self._session.run(image[None, None])[0]
        maps = dict(zip(self._manifest.channels, output, strict=True))
        cell_mm = self._cell_mm(volume, grid)
        return _Sight(maps, grid, cell_mm, chain_of(maps, cell_mm, self._top_row(volume, grid)))

    def _agreed(self, witness: "KeypointDetector", seen: _Sight, chain: Chain, volume: Volume, slice_index: int) -> Chain:
        other = witness._look(volume, slice_index)
        if other.chain is None:
            return agreed(chain, None, seen.cell_mm)
        centres = {
            name: self._to_cells(seen.grid, witness._to_source(other.grid, cells)) for name, cells in other.chain.centres.items()
        }
        return agreed(chain, Chain(centres, other.chain.certainty), seen.cell_mm)

    def _to_source(self, grid: ModelGrid, cells: Points) -> Points:
        """Return source pixels of cells of the maps, shape (..., 2)."""
        stride = self._manifest.stride
        return grid.to_source(cells * stride + (stride - 1) / 2)

    def _to_cells(self, grid: ModelGrid, pixels: Points) -> Points:
        """Return cells of the maps of source pixels, shape (..., 2)."""
        stride = self._manifest.stride
        return (grid.to_model(pixels) - (stride - 1) / 2) / stride

    def _cell_mm(self, volume: Volume, grid: ModelGrid) -> float:
        if isinstance(self._manifest.plan, FixedSpacingPlan):
            return self._manifest.plan.spacing_mm * self._manifest.stride
        area = abs(float(np.linalg.det(grid.matrix))) * volume.planes[0].pixel_area_mm2
        return float(np.sqrt(area)) * self._manifest.stride

    def _top_row(self, volume: Volume, grid: ModelGrid) -> float:
        """Return the row of cells, in the model's direction, at which the source image begins."""
        _, rows, columns = volume.geometry.shape
        corners = grid.to_model([[r, c] for r in (0, rows - 1) for c in (0, columns - 1)])
        return max(0.0, float(corners[:, 0].min()) / self._manifest.stride)

    def _keypoint(self, peak: Peak, certainty: float, grid: ModelGrid) -> Keypoint:
        point = self._to_source(grid, np.array([peak.row, peak.column]))
        # right if the peak is in the right place and the vertebra has the right name
        confidence = self._manifest.confidence_at(peak.height) * certainty
        return Keypoint(peak.landmark, PixelPoint(float(point[0]), float(point[1])), round(confidence, 4))
