"""A picture to draw upon: lines with fractions of a pixel, words in our own typeface, nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Picture = npt.NDArray[np.uint8]
"""uint8 [row, column, red-green-blue]."""
Matrix = npt.NDArray[np.float64]
Place = tuple[float, float]
"""x to the right and y down, in pixels of the picture."""

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
#: On dark slices.
CORD_COLOUR, CANAL_COLOUR, CORNER_COLOUR = (255, 214, 0), (0, 176, 240), (90, 230, 120)

#: Subsets of Noto Sans CJK SC, made by tools/subset_font.py.
FONTS = Path(__file__).parent / "fonts"
# OpenCV draws with fractions of a pixel if coordinates are multiplied by 2 ** shift.
_SHIFT = 4
# Of each row the differences to the row above are compressed: a quarter smaller than those to the pixel before, and no slower.
_PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
)
# A Chinese character may end a line, but no mark may begin one and no bracket end one.
_TOKENS = re.compile(r"（*[⺀-￯][，。；：、）]*|[^\s⺀-￯]+|\s+")


@dataclass(frozen=True, slots=True)
class Style:
    """How words look."""

    colour: Colour = BLACK
    size: int = 22
    bold: bool = False

    @property
    def line_height(self) -> int:
        """Distance between lines in pixels."""
        return round(self.size * 1.35)

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        """The typeface, the same on every machine."""
        return _typeface(self.size, self.bold)

    def width(self, text: str) -> float:
        """Return how long a text is in pixels."""
        return float(self.font.getlength(text))

    def wrapped(self, text: str, width: float) -> list[str]:
        """Return a text as lines that are no wider; a word that is wider on its own is broken."""
        face = self.font
        lines = [""]
        for token in _TOKENS.findall(text):
            for part in [token] if face.getlength(token) <= width else list(token):
                if face.getlength((lines[-1] + part).strip()) > width:
                    lines.append("")
                lines[-1] += part
        return [line.strip() for line in lines if line.strip()]


@dataclass(frozen=True, slots=True)
class Text:
    """Words and where they stand; ``anchor`` as in Pillow."""

    at: Place
    words: str
    style: Style
    anchor: str


@dataclass(slots=True, eq=False)
class Drawing:
    """A picture being drawn upon; words are set last, over all lines.

    Parameters
    ----------
    edge
        Colour around every word, which keeps it readable upon lines; None for none.
    texts
        The words set so far.
    """

    image: Picture
    edge: Colour | None = None
    texts: list[Text] = field(default_factory=list)

    @classmethod
    def blank(cls, size: tuple[int, int], edge: Colour | None = WHITE) -> "Drawing":
        """Return a white drawing of a width and height."""
        return cls(np.full((size[1], size[0], 3), 255, dtype=np.uint8), edge)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.shape[1], self.image.shape[0]

    def polyline(self, points: Matrix | Sequence[Place], colour: Colour, thickness: int = 1) -> None:
        """Draw a line through picture points, shape (n, 2)."""
        cv2.polylines(self.image, [_fixed(points)], False, colour, thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, at: Place, radius: float, colour: Colour, hole: Colour | None = None) -> None:
        """Draw a disc, or a ring around a hole of another colour."""
        centre = (round(at[0] * (1 << _SHIFT)), round(at[1] * (1 << _SHIFT)))
        cv2.circle(self.image, centre, round(radius * (1 << _SHIFT)), colour, -1, cv2.LINE_AA, _SHIFT)
        if hole is not None:
            self.disc(at, radius - 3, hole)

    def square(self, at: Place, radius: float, colour: Colour, hole: Colour | None = None) -> None:
        """Draw a square, or a frame around a hole of another colour."""
        self.box((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), colour)
        if hole is not None:
            self.square(at, radius - 3, hole)

    def box(self, corners: tuple[float, float, float, float], fill: Colour, border: Colour | None = None) -> None:
        """Fill a box from left, top to right, bottom; with a border of two pixels if asked."""
        left, top, right, bottom = (round(one) for one in corners)
        cv2.rectangle(self.image, (left, top), (right, bottom), fill, -1)
        if border is not None:
            cv2.rectangle(self.image, (left, top), (right, bottom), border, 2)

    def paste(self, picture: Picture, at: tuple[int, int]) -> None:
        """Put a picture with its upper left corner at a place."""
        x, y = at
        self.image[y : y + picture.shape[0], x : x + picture.shape[1]] = picture

    def words(self, at: Place, text: str, style: Style, anchor: str = "lm") -> None:
        """Set words at a place; ``anchor`` as in Pillow."""
        self.texts.append(Text(at, text, style, anchor))

    def paragraph(self, at: Place, text: str, style: Style, width: float) -> float:
        """Set a text in lines that are no wider, downwards from a place; return where it ends."""
        x, y = at
        for line in style.wrapped(text, width):
            self.words((x, y), line, style, "la")
            y += style.line_height
        return y

    def finished(self) -> Picture:
        """Return the picture with its words, read-only."""
        sheet = Image.fromarray(self.image)
        pen = ImageDraw.Draw(sheet)
        stroke = 0 if self.edge is None else 2
        for one in self.texts:
            pen.text(
                one.at,
                one.words,
                fill=one.style.colour,
                font=one.style.font,
                anchor=one.anchor,
                stroke_width=stroke,
                stroke_fill=self.edge or WHITE,
            )
        return np.asarray(sheet, dtype=np.uint8)


def png(picture: Picture) -> bytes:
    """Return a picture as PNG: a tenth larger than the smallest, in half the time."""
    found, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _PNG)
    if not found:
        raise ValueError(f"a picture of {picture.shape} cannot be written as PNG")
    return encoded.tobytes()


@lru_cache(maxsize=64)
def _typeface(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "NotoSansCJK-Bold.otf" if bold else "NotoSansCJK-Regular.otf"
    return ImageFont.truetype(str(FONTS / name), size, layout_engine=ImageFont.Layout.BASIC)


def _fixed(points: Matrix | Sequence[Place]) -> npt.NDArray[np.int32]:
    return np.round(np.asarray(points, dtype=np.float64) * (1 << _SHIFT)).astype(np.int32)
