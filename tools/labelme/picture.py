"""A slice as 8-bit grey PNG on its own pixels, and back to stored values.

Grey grows with the square root of the signal, as in the input of the models: beside bright CSF, dark vertebrae keep their edges.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from node.domain.image import Pixels

Grey = npt.NDArray[np.uint8]
"""uint8 [row, column]."""

# Beyond these percentiles lie noise and the skin next to the coil.
_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE = 0.5, 99.5


def robust_window(pixels: Pixels) -> tuple[float, float]:
    """Return the stored values of a slice to be shown as black and as white."""
    low, high = (float(value) for value in np.percentile(pixels, (_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE)))
    return low, high if high > low else low + 1.0


def to_grey(pixels: Pixels, window: tuple[float, float]) -> Grey:
    """Return a slice as 8-bit grey."""
    low, high = window
    return np.asarray(np.round(np.sqrt(np.clip((pixels - low) / (high - low), 0, 1)) * 255), dtype=np.uint8)


def from_grey(grey: Grey, window: tuple[float, float]) -> Pixels:
    """Return the stored values that an 8-bit picture shows, as fine as it shows them, float32 [row, column]."""
    low, high = window
    return np.asarray(low + (grey.astype(np.float32) / 255) ** 2 * (high - low), dtype=np.float32)


def write_png(grey: Grey, path: Path) -> None:
    """Write an 8-bit grey picture."""
    Image.fromarray(grey).save(path, "PNG")


def read_png(path: Path) -> Grey:
    """Return a picture as 8-bit grey.

    Raises
    ------
    OSError
        If it is not a picture.
    """
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"), dtype=np.uint8)


def png_size(path: Path) -> tuple[int, int]:
    """Return rows and columns of a picture, read from its head; raise OSError if it is not a picture."""
    with Image.open(path) as picture:
        return picture.height, picture.width
