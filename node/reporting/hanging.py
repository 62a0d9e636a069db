"""A slice as a radiologist hangs it: upright, square pixels, with lines at the points of the stored slice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.geometry import LEFT, POSTERIOR, SUPERIOR, ImagePlane, PixelPoint
from node.domain.image import Pixels
from node.domain.prediction import BORDER_PROBABILITY, Probabilities
from node.reporting.canvas import BLACK, Colour, Drawing, Matrix

_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE = 1.0, 98.0

Direction = tuple[float, float, float]
#: The patient directions that point right and down on the screen.
SAGITTAL_VIEW: tuple[Direction, Direction] = (POSTERIOR, (-SUPERIOR[0], -SUPERIOR[1], -SUPERIOR[2]))
AXIAL_VIEW: tuple[Direction, Direction] = (LEFT, POSTERIOR)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """How points of a stored slice come to lie on a picture.

    Parameters
    ----------
    matrix
        Affine map of (column, row) to picture (x, y), shape (2, 3).
    """

    matrix: Matrix
    width: int
    height: int
    pixels_per_mm: float

    def place(self, points: Iterable[PixelPoint]) -> Matrix:
        """Return the picture coordinates (x, y) of points, shape (n, 2)."""
        stored = np.array([(point.column, point.row, 1.0) for point in points], dtype=np.float64)
        return np.asarray(stored @ self.matrix.T)

    def widened(self, width: int) -> "View":
        """Return the view with room on the right."""
        return replace(self, width=self.width + width)


def upright_view(
    plane: ImagePlane,
    axes: tuple[Direction, Direction],
    around: Sequence[PixelPoint],
    margin_mm: float,
    size: tuple[int, int],
) -> View:
    """Return the view of a slice, turned and mirrored to the usual hanging, with the surroundings of points as large as they fit.

    Parameters
    ----------
    axes
        Patient directions that shall point right and down; the stored axes nearest to them are taken.
    around
        What must be seen, in the middle; with no point the whole slice is shown.
    size
        Width and height of the picture in pixels.
    """
    to_mm = _hanging(plane, axes)
    corners = [PixelPoint(row, column) for row in (-0.5, plane.rows - 0.5) for column in (-0.5, plane.columns - 0.5)]
    seen = np.array([(point.column, point.row) for point in around or corners]) @ to_mm.T
    margin = margin_mm if around else 0.0
    low, high = seen.min(axis=0) - margin, seen.max(axis=0) + margin
    scale = float((np.array(size) / np.maximum(high - low, 1.0)).min())
    shift = np.array(size) / 2 - (low + high) / 2 * scale
    return View(np.column_stack([to_mm * scale, shift]), *size, scale)


def _hanging(plane: ImagePlane, axes: tuple[Direction, Direction]) -> Matrix:
    """Return the map of stored (column, row) to (right, down) in mm, shape (2, 2): axes exchanged or mirrored as needed."""
    stored = np.stack([plane.along_row, plane.along_column])
    cosines = np.array(axes) @ stored.T
    exchanged = abs(cosines[0, 0]) < abs(cosines[0, 1])
    chosen = ((0, 1), (1, 0)) if exchanged else ((0, 0), (1, 1))
    spacing = (plane.spacing.column_mm, plane.spacing.row_mm)
    matrix = np.zeros((2, 2))
    for shown, stored_axis in chosen:
        matrix[shown, stored_axis] = spacing[stored_axis] * (1.0 if cosines[shown, stored_axis] >= 0 else -1.0)
    return matrix


def window(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Return a slice as 8-bit grey by percentiles of its tissue, [row, column]."""
    tissue = pixels[pixels > pixels.min()]
    low, high = np.percentile(tissue if tissue.size else pixels, (_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE))
    grey = np.clip((pixels - low) / max(float(high - low), 1e-6), 0, 1) * 255
    return np.asarray(grey, dtype=np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class SlicePicture:
    """A slice being drawn upon at the points of its stored pixels."""

    view: View
    drawing: Drawing

    def outline(self, probabilities: Probabilities, colour: Colour) -> None:
        """Draw the border of a structure, where its probability crosses 0.5 between the pixels."""
        sheet = cv2.warpAffine(
            probabilities.astype(np.float32), self.view.matrix, (self.view.width, self.view.height), flags=cv2.INTER_LINEAR
        )
        contours, _ = cv2.findContours((sheet >= BORDER_PROBABILITY).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(self.drawing.image, contours, -1, colour, 2, cv2.LINE_AA)

    def line(self, points: Sequence[PixelPoint], colour: Colour, thickness: int = 3) -> Matrix:
        """Draw a line between stored points, dark-edged; return its picture coordinates, shape (n, 2)."""
        placed = self.view.place(points)
        self.drawing.polyline(placed, BLACK, thickness + 2)
        self.drawing.polyline(placed, colour, thickness)
        return placed

    def dot(self, point: PixelPoint, colour: Colour) -> None:
        """Draw a dot at a stored point."""
        ((x, y),) = self.view.place([point])
        self.drawing.disc((x, y), 6, BLACK)
        self.drawing.disc((x, y), 4, colour)


def slice_picture(pixels: Pixels, view: View) -> SlicePicture:
    """Return a slice as a picture to draw upon, resampled to square pixels."""
    grey = cv2.warpAffine(window(pixels), view.matrix, (view.width, view.height), flags=cv2.INTER_CUBIC)
    return SlicePicture(view, Drawing(np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), dtype=np.uint8), BLACK))
