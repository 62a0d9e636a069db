"""One sagittal slice to named corners."""

import numpy as np

from node.domain.geometry import PixelPoint
from node.domain.image import Volume
from node.domain.prediction import Keypoint, Keypoints, Masks
from node.inference.chain import Peak, find_corners
from node.inference.manifest import FixedSpacingPlan, ModelManifest
from node.inference.preprocess import ModelGrid, fit_grid, model_input, reference_signal
from node.inference.session import Session


class KeypointDetector:
    """Finds the corners of C3 to C7 in one slice.

    Parameters
    ----------
    session, manifest
        The network and what it is.
    """

    def __init__(self, session: Session, manifest: ModelManifest) -> None:
        self._session = session
        self._manifest = manifest

    def detect(self, volume: Volume, slice_index: int, masks: Masks | None = None) -> Keypoints:
        """Return the landmarks of one slice; empty if the vertebrae cannot be told apart.

        Parameters
        ----------
        volume, slice_index
            Where to look.
        masks
            Masks of the same volume; a detector may use them.
        """
        grid = fit_grid(self._manifest, volume.planes[slice_index], volume.voxels)
        reference = reference_signal(volume.voxels, self._manifest.reference_percentile)
        image = model_input(volume.voxels[slice_index], grid, reference)
        output = self._session.run(image[None, None])[0]
        maps = dict(zip(self._manifest.channels, output, strict=True))
        peaks, certainty = find_corners(maps, self._cell_mm(volume, grid), self._top_row(volume, grid))
        keypoints = {peak.landmark: self._keypoint(peak, certainty, grid) for peak in peaks}
        return Keypoints(slice_index, keypoints, self._manifest.identity)

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
        stride = self._manifest.stride
        cells = np.array([peak.row, peak.column])
        point = grid.to_source(cells * stride + (stride - 1) / 2)
        # right if the peak is in the right place and the vertebra has the right name
        confidence = self._manifest.confidence_at(peak.height) * certainty
        return Keypoint(peak.landmark, PixelPoint(float(point[0]), float(point[1])), round(confidence, 4))
