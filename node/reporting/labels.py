"""Words beside the lines of a presentation state: where each row stands so that none lies upon another."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from node.domain.geometry import ImagePlane, PixelPoint
from node.reporting.sr_content import Group

# Of the height of the image: fourteen pixels where a slice fills 512, which most viewers write words in.
_LINE_HEIGHT = 1 / 36
# Of the height of a line.
_CHARACTER_WIDTH, _GAP = 0.52, 0.5


class Layer(StrEnum):
    """Graphic layers: what a viewer can switch off, each in a colour of its own."""

    CORNERS = "AI_CORNERS"
    CANAL = "AI_CANAL"
    CORD = "AI_CORD"
    LEVELS = "AI_LEVELS"
    RATIOS = "AI_RATIOS"
    NOTES = "AI_NOTES"


@dataclass(frozen=True, slots=True)
class Label:
    """Words in a box beside what they are about; its sides in columns and rows from the upper left corner of the image.

    Parameters
    ----------
    anchor
        A point of the image that the words are tied to by a line, if they may have been moved away from it.
    """

    layer: Layer
    text: str
    left: float
    top: float
    right: float
    bottom: float
    is_right_aligned: bool = False
    anchor: PixelPoint | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of words and the point of the image that it belongs beside."""

    layer: Layer
    text: str
    beside: PixelPoint
    is_tied: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of words left or right of everything that is drawn on a slice."""

    edge: float
    is_leftward: bool
    line_height: float
    plane: ImagePlane

    @classmethod
    def beside(cls, drawn: Iterable[Group], plane: ImagePlane, *, is_leftward: bool) -> "Column":
        """Return the empty column beside the places of groups."""
        height = plane.rows * _LINE_HEIGHT
        ends = [point.column for group in drawn for point in group.place.evidence.points] or [0.0]
        edge = min(ends) - _GAP * height if is_leftward else max(ends) + 1 + _GAP * height
        return cls(edge, is_leftward, height, plane)

    def nearest(self, group: Group) -> PixelPoint:
        """Return the end of a line that is nearest to the column."""
        points = sorted(group.place.evidence.points, key=lambda point: point.column)
        return points[0] if self.is_leftward else points[-1]

    def labels(self, rows: Iterable[Row]) -> Iterator[Label]:
        """Yield the rows from top to bottom, each as near to its point as the one above it leaves room."""
        ordered = sorted(rows, key=lambda row: row.beside.row)
        left, right = self._sides(max((len(row.text) for row in ordered), default=0) * _CHARACTER_WIDTH * self.line_height)
        lowest = 0.0
        for row in ordered:
            top = min(max(row.beside.row + 0.5 - self.line_height / 2, lowest), self.plane.rows - self.line_height)
            lowest = top + self.line_height
            anchor = row.beside if row.is_tied else None
            yield Label(row.layer, row.text, left, top, right, lowest, self.is_leftward, anchor)

    def _sides(self, width: float) -> tuple[float, float]:
        width = min(width, float(self.plane.columns))
        left = self.edge - width if self.is_leftward else self.edge
        left = min(max(left, 0.0), self.plane.columns - width)
        return left, left + width


def in_the_middle(group: Group, plane: ImagePlane, layer: Layer, text: str) -> Label:
    """Return words in the middle of an outline."""
    height = plane.rows * _LINE_HEIGHT
    width = len(text) * _CHARACTER_WIDTH * height
    row, column = np.mean(group.place.evidence.points, axis=0) + 0.5
    left = float(min(max(column - width / 2, 0.0), plane.columns - width))
    top = float(min(max(row - height / 2, 0.0), plane.rows - height))
    return Label(layer, text, left, top, left + width, top + height)
