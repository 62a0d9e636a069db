"""Volume to masks."""

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import Structure
from node.domain.image import Volume
from node.domain.prediction import BORDER_PROBABILITY, Masks, Probabilities
from node.inference.islands import without_islands
from node.inference.manifest import ModelManifest, View
from node.inference.preprocess import ModelGrid, fit_grid, model_input, reference_signal
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
        grid = fit_grid(self._manifest, volume.planes[0], volume.voxels)
        reference = reference_signal(volume.voxels, self._manifest.reference_percentile)
        structures = [Structure(channel) for channel in self._manifest.channels]
        maps: dict[Structure, Probabilities] = {one: np.zeros(volume.voxels.shape, dtype=np.float16) for one in structures}
        depicted = [index for index, pixels in enumerate(volume.voxels) if pixels.min() < pixels.max()]
        for indices in _batches(depicted, self._batch_size):
            images = np.stack([model_input(volume.voxels[i], grid, reference) for i in indices])[:, None]
            for index, output in zip(indices, self._session.run(images), strict=True):
                self._put(output, index, grid, maps)
        if self._manifest.view is View.SAGITTAL and Structure.SPINAL_CORD in maps:
            middle = int((maps[Structure.SPINAL_CORD] >= BORDER_PROBABILITY).sum(axis=(1, 2)).argmax())
            maps = {structure: without_islands(one, middle, depicted) for structure, one in maps.items()}
        return Masks(maps, self._manifest.identity)

    def _put(self, output: npt.NDArray[np.float32], index: int, grid: ModelGrid, maps: dict[Structure, Probabilities]) -> None:
        for structure, channel in zip(maps, output, strict=True):
            shape = (maps[structure].shape[1], maps[structure].shape[2])
            probabilities = np.clip(grid.put(channel, shape, self._manifest.stride), 0, 1)
            maps[structure][index] = recentred(probabilities, self._manifest.border_of(structure))


def recentred(probabilities: npt.NDArray[np.float32], border: float) -> npt.NDArray[np.float32]:
    """Return probabilities whose odds are changed by one factor, so that ``border`` becomes the 0.5 at which borders lie.

    A network that draws every cord too narrow is sure of itself in the middle and too low by one factor at the edge.
    """
    inside, outside = probabilities * (1 - border), (1 - probabilities) * border
    return np.asarray(inside / (inside + outside), dtype=np.float32)


def _batches(indices: list[int], size: int) -> list[list[int]]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]
