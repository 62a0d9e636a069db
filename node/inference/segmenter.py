"""Volume to masks."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import Structure
from node.domain.image import Volume
from node.domain.prediction import BORDER_PROBABILITY, Masks, Probabilities
from node.inference.islands import without_islands
from node.inference.manifest import ModelManifest, View
from node.inference.preprocess import ModelGrid, Pixels, fit_grids, model_input, reference_signal
from node.inference.session import Session


class Segmenter:
    """Segments every slice of a volume.

    Parameters
    ----------
    session, manifest
        The network and what it is.
    batch_size
        Slices in one batch.
    """

    def __init__(self, session: Session, manifest: ModelManifest, batch_size: int = 4) -> None:
        self._session = session
        self._manifest = manifest
        self._batch_size = batch_size

    def segment(self, volume: Volume) -> Masks:
        """Return probability maps of all structures for all slices, on the source grid; 0 on slices without a picture."""
        reference = reference_signal(volume.voxels, self._manifest.reference_percentile)
        grids = fit_grids(self._manifest.zoomed_plans, self._manifest, volume.planes[0], volume.voxels, reference)
        references = self._references(volume.voxels, reference)
        maps: dict[Structure, Probabilities] = {one: np.zeros(volume.voxels.shape, dtype=np.float16) for one in self._structures}
        depicted = [index for index, pixels in enumerate(volume.voxels) if pixels.min() < pixels.max()]
        for indices in _batches(depicted, self._batch_size):
            seen = self._seen_at_each(volume.voxels[indices], grids, references[indices])
            for structure, probabilities in zip(maps, seen.swapaxes(0, 1), strict=True):
                maps[structure][indices] = recentred(probabilities, self._manifest.border_of(structure))
        if self._manifest.view is View.SAGITTAL and Structure.SPINAL_CORD in maps:
            middle = int((maps[Structure.SPINAL_CORD] >= BORDER_PROBABILITY).sum(axis=(1, 2)).argmax())
            maps = {structure: without_islands(one, middle, depicted) for structure, one in maps.items()}
        return Masks(maps, self._manifest.identity)

    @property
    def _structures(self) -> list[Structure]:
        return [Structure(channel) for channel in self._manifest.channels]

    def _references(self, voxels: Pixels, of_all: float) -> Pixels:
        """Return the signal that counts as bright on each slice, shape (slices,)."""
        if self._manifest.reference_over == "slice":
            percentile = self._manifest.reference_percentile
            return np.array([reference_signal(pixels, percentile) for pixels in voxels], dtype=np.float32)
        return np.full(len(voxels), of_all, dtype=np.float32)

    def _seen_at_each(self, slices: Pixels, grids: Sequence[ModelGrid], references: Pixels) -> Pixels:
        """Return the mean of what the network says of slices on each grid, [slice, structure, row, column].

        Slices on which the first grid shows no cord are not looked at again. A grid has no say beyond its end.
        """
        first, *others = grids
        seen = self._seen(slices, first, references)
        cord = seen[:, self._structures.index(Structure.SPINAL_CORD)]
        showing = np.flatnonzero((cord >= self._manifest.border_of(Structure.SPINAL_CORD)).any(axis=(1, 2)))
        if not others or not showing.size:
            return seen
        total, weight = seen[showing], np.ones(slices.shape[1:], dtype=np.float32)
        for grid in others:
            total += self._seen(slices[showing], grid, references[showing])
            weight += grid.put(np.ones((grid.rows, grid.columns), dtype=np.float32), slices.shape[1:])
        seen[showing] = total / weight
        return seen

    def _seen(self, slices: Pixels, grid: ModelGrid, references: Pixels) -> Pixels:
        """Return what the network says of slices on one grid, float32 [slice, structure, row, column]; 0 outside the grid."""
        bright = zip(slices, references.tolist(), strict=True)
        images = np.stack([model_input(pixels, grid, reference) for pixels, reference in bright])[:, None]
        shape, stride = slices.shape[1:], self._manifest.stride
        found = [[np.clip(grid.put(one, shape, stride), 0, 1) for one in output] for output in self._session.run(images)]
        return np.array(found, dtype=np.float32)


def recentred(probabilities: npt.NDArray[np.float32], border: float) -> npt.NDArray[np.float32]:
    """Return probabilities whose odds are changed by one factor, so that ``border`` becomes the 0.5 at which borders lie.

    A network that draws every cord too narrow is sure of itself in the middle and too low by one factor at the edge.
    """
    inside, outside = probabilities * (1 - border), (1 - probabilities) * border
    return np.asarray(inside / (inside + outside), dtype=np.float32)


def _batches(indices: list[int], size: int) -> list[list[int]]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]
