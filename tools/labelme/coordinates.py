"""Between labelme's points and the node's: the only place that knows labelme's origin.

labelme draws the picture with its corner at (0, 0) and stores the place of the mouse in picture pixels (``Canvas.paintEvent``:
``drawPixmap(0, 0, pixmap)``; ``Canvas.transformPos``), x to the right and y down. Pixel (row, column) fills the square from
(column, row) to (column + 1, row + 1), so its centre is (column + 0.5, row + 0.5), and the picture reaches from 0 to its width
and height. In the node a whole number is the centre of a pixel. ``labelme.utils.shape_to_mask`` rounds to whole pixels and
disagrees with the canvas by half a pixel; what the radiologist saw counts.
"""

import numpy as np
import numpy.typing as npt

from node.domain.geometry import Points

_CENTRE = 0.5
_DECIMALS = 3


def from_labelme(points: npt.ArrayLike) -> Points:
    """Return pixel points (row, column), shape (n, 2), of labelme's (x, y)."""
    return np.asarray(np.asarray(points, dtype=np.float64).reshape(-1, 2)[:, ::-1] - _CENTRE)


def to_labelme(points: npt.ArrayLike, rows: int, columns: int) -> tuple[tuple[float, float], ...]:
    """Return labelme's (x, y) of pixel points (row, column), moved onto the picture where they lie beside it."""
    placed = np.asarray(points, dtype=np.float64).reshape(-1, 2)[:, ::-1] + _CENTRE
    kept = np.clip(placed, 0.0, [columns, rows]).round(_DECIMALS)
    return tuple((float(x), float(y)) for x, y in kept)


def on_picture(points: npt.ArrayLike, rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """Return for each of labelme's (x, y) whether it lies on the picture, borders included."""
    placed = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return np.asarray(((placed >= 0) & (placed <= [columns, rows])).all(axis=1))
