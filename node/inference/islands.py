"""Taking islands out of sagittal masks: what hangs together with the cord of the middle slice stays."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.prediction import BORDER_PROBABILITY, Probabilities

# A structure that goes on in the next slice overlaps itself there, or nearly so where slices are far apart.
_REACH_PIXELS = 5
_ELLIPSE = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _REACH_PIXELS + 1,) * 2)


def without_islands(probabilities: Probabilities, middle: int, depicted: Sequence[int]) -> Probabilities:
    """Return the maps of one structure without the pieces that no chain of slices joins to the middle slice.

    Networks see bits of cord in roots, vessels and muscle of the outer slices, which are 10 mm and more from any cord. Every
    piece on the middle slice is kept: whether it belongs there is for the plausibility gate to say.

    Parameters
    ----------
    probabilities
        [slice, row, column].
    middle
        Index of the slice that shows most of the cord.
    depicted
        Indices of the slices that have a picture, ascending; a slice without one breaks no chain.
    """
    kept = probabilities.copy()
    for order in ([k for k in depicted if k > middle], [k for k in reversed(depicted) if k < middle]):
        before = _mask(probabilities[middle])
        for index in order:
            before = _clean(kept[index], before)
    return kept


def _clean(probabilities: npt.NDArray[np.float16], before: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Blank the pieces of one slice that do not reach those kept on the slice before; return the mask of what is left."""
    mask = _mask(probabilities)
    pieces = list(_pieces(mask))
    if not pieces:
        return mask
    reach = cv2.dilate(before, _ELLIPSE)
    for piece in pieces:
        if not reach[piece > 0].any():
            blank = cv2.dilate(piece, _ELLIPSE) > 0
            probabilities[blank], mask[blank] = 0, 0
    return mask


def _mask(probabilities: npt.NDArray[np.float16]) -> npt.NDArray[np.uint8]:
    return np.asarray(probabilities >= BORDER_PROBABILITY, dtype=np.uint8)


def _pieces(mask: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    for label in range(1, count):
        yield np.asarray(labels == label, dtype=np.uint8)
