"""A slice as a picture that a radiologist can read: upright, square pixels, with lines and words in pixel coordinates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from node.domain.geometry import LEFT, POSTERIOR, SUPERIOR, ImagePlane, PixelPoint
from node.domain.image import Pixels
from node.domain.prediction import BORDER_PROBABILITY, Probabilities

Colour = tuple[int, int, int]
Picture = npt.NDArray[np.uint8]
"""uint8 [row, column, red-green-blue]."""
Matrix = npt.NDArray[np.float64]

WHITE, GREY, BLACK = (255, 255, 255), (165, 165, 165), (0, 0, 0)
CORD_COLOUR, CANAL_COLOUR, CORNER_COLOUR, WARNING_COLOUR = (255, 214, 0), (0, 176, 240), (90, 230, 120), (255, 120, 90)

_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE = 1.0, 98.0
# OpenCV draws with fractions of a pixel if coordinates are multiplied by 2 ** shift.
_SHIFT = 4

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


def upright_view(
    plane: ImagePlane, axes: tuple[Direction, Direction], around: Sequence[PixelPoint], margin_mm: float, height: int
) -> View:
    """Return the view of a slice, turned and mirrored to the usual hanging, cut to the surroundings of points.

    Parameters
    ----------
    axes
        Patient directions that shall point right and down; the stored axes nearest to them are taken.
    around
        What must be seen; with no point the whole slice is shown.
    height
        Of the picture in pixels; the width follows.
    """
    to_mm = _hanging(plane, axes)
    corners = [PixelPoint(row, column) for row in (-0.5, plane.rows - 0.5) for column in (-0.5, plane.columns - 0.5)]
    whole = np.array([(point.column, point.row) for point in corners]) @ to_mm.T
    low, high = whole.min(axis=0), whole.max(axis=0)
    if around:
        seen = np.array([(point.column, point.row) for point in around]) @ to_mm.T
        low = np.maximum(low, seen.min(axis=0) - margin_mm)
        high = np.minimum(high, seen.max(axis=0) + margin_mm)
    size_mm = np.maximum(high - low, 1.0)
    scale = height / float(size_mm[1])
    matrix = np.column_stack([to_mm * scale, -low * scale])
    return View(matrix, max(1, round(float(size_mm[0]) * scale)), height, scale)


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


def window(pixels: Pixels) -> Picture:
    """Return a slice as 8-bit grey by percentiles of its tissue, [row, column, 3]."""
    tissue = pixels[pixels > pixels.min()]
    low, high = np.percentile(tissue if tissue.size else pixels, (_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE))
    grey = np.clip((pixels - low) / max(float(high - low), 1e-6), 0, 1) * 255
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


@dataclass(slots=True, eq=False)
class SlicePicture:
    """A slice being drawn upon; words are set last, over all lines."""

    view: View
    image: Picture
    _words: list[tuple[tuple[float, float], str, Colour, int, str]] = field(default_factory=list)

    def outline(self, probabilities: Probabilities, colour: Colour) -> None:
        """Draw the border of a structure, where its probability crosses 0.5 between the pixels."""
        sheet = cv2.warpAffine(
            probabilities.astype(np.float32), self.view.matrix, (self.view.width, self.view.height), flags=cv2.INTER_LINEAR
        )
        contours, _ = cv2.findContours((sheet >= BORDER_PROBABILITY).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(self.image, contours, -1, colour, 2, cv2.LINE_AA)

    def line(self, points: Sequence[PixelPoint], colour: Colour, thickness: int = 3) -> Matrix:
        """Draw a line between stored points, dark-edged; return its picture coordinates, shape (n, 2)."""
        placed = self.view.place(points)
        self._polyline(placed, BLACK, thickness + 2)
        self._polyline(placed, colour, thickness)
        return placed

    def leader(self, start: tuple[float, float], end: tuple[float, float], colour: Colour) -> None:
        """Draw a thin line between picture points."""
        self._polyline(np.array([start, end]), colour, 1)

    def dot(self, point: PixelPoint, colour: Colour) -> Matrix:
        """Draw a dot at a stored point; return its picture coordinates, shape (2,)."""
        (placed,) = self.view.place([point])
        fixed = _fixed(placed)
        cv2.circle(self.image, fixed, 6 << _SHIFT, BLACK, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(self.image, fixed, 4 << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)
        return np.asarray(placed)

    def words(self, at: tuple[float, float], text: str, colour: Colour, size: int = 24, anchor: str = "lm") -> None:
        """Set words at picture coordinates; ``anchor`` as in Pillow."""
        self._words.append((at, text, colour, size, anchor))

    def finished(self) -> Picture:
        """Return the picture with its words."""
        sheet = Image.fromarray(self.image)
        pen = ImageDraw.Draw(sheet)
        for at, text, colour, size, anchor in self._words:
            pen.text(at, text, fill=colour, font=font(size), anchor=anchor, stroke_width=2, stroke_fill=BLACK)
        return np.asarray(sheet, dtype=np.uint8).copy()

    def _polyline(self, placed: Matrix, colour: Colour, thickness: int) -> None:
        fixed = np.round(placed * (1 << _SHIFT)).astype(np.int32).reshape(1, -1, 2)
        cv2.polylines(self.image, [*fixed], False, colour, thickness, cv2.LINE_AA, _SHIFT)


def slice_picture(pixels: Pixels, view: View) -> SlicePicture:
    """Return a slice as a picture to draw upon, resampled to square pixels."""
    grey = cv2.warpAffine(window(pixels), view.matrix, (view.width, view.height), flags=cv2.INTER_CUBIC)
    return SlicePicture(view, np.ascontiguousarray(grey, dtype=np.uint8))


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the typeface that comes with Pillow: the same on every machine."""
    return ImageFont.load_default(size)


def save(picture: Picture, path: Path) -> None:
    """Write a picture as PNG."""
    Image.fromarray(picture).save(path, "PNG", optimize=False)


def _fixed(point: Matrix) -> tuple[int, int]:
    x, y = (round(float(value) * (1 << _SHIFT)) for value in point)
    return x, y
