"""The parts of the summary page that are not slices: headline cards, lists of values, reasons, and the plot by level."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from node.domain.anatomy import LEVELS, Level, Structure
from node.domain.healthy import HEALTHY_RANGES
from node.domain.measurement import LevelDiameters, Measurement, Quantity, Verdict
from node.reporting.canvas import WHITE, Colour, Drawing, Picture, Place, Style
from node.reporting.figures import shown
from node.reporting.words import ReasonText, Wording

INK, SOFT, RULE, PALE = (30, 30, 30), (105, 105, 105), (200, 200, 200), (243, 243, 243)
#: On paper, where the colours of the slices are too light for lines and words.
CORD_INK, CANAL_INK = (138, 90, 0), (0, 98, 155)
VERDICT_COLOURS: dict[Verdict, Colour] = {
    Verdict.REPORT: (0, 110, 60),
    Verdict.FLAG: (186, 92, 0),
    Verdict.WITHHOLD: (165, 25, 25),
}
_CAPTION_HEIGHT = 60
_REASON, _NOTE = Style(INK, 20), Style(SOFT, 18)
_INKS = {Structure.SPINAL_CORD: CORD_INK, Structure.SPINAL_CANAL: CANAL_INK}
_BANDS = {Structure.SPINAL_CORD: (255, 236, 179), Structure.SPINAL_CANAL: (220, 236, 248)}
_LEGEND_HEIGHT = 150
# Between the levels and the axis there is room for the number at a very thin cord.
_LEVELS_WIDTH = 76

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True, slots=True)
class Card:
    """One of the main values: its names, its details in small, and what speaks against it."""

    short: str
    long: str
    measured: Measurement | None
    level: str
    details: tuple[str, ...]
    reasons: tuple[ReasonText, ...]

    @property
    def verdict(self) -> Verdict:
        """Of the value; withheld if there is none."""
        return Verdict.WITHHOLD if self.measured is None else self.measured.verdict


def draw_card(sheet: Drawing, box: Box, card: Card, words: Wording) -> None:
    """Draw a main value large, with its verdict and the reasons for it."""
    left, top, right, bottom = box
    colour = VERDICT_COLOURS[card.verdict]
    sheet.box(box, PALE)
    sheet.box((left, top, left + 8, bottom), colour)
    x, width = left + 28, right - left - 48
    sheet.words((x, top + 32), card.short, Style(INK, 34, bold=True), "lm")
    _draw_pill(sheet, right - 18, top + 32, words.verdicts[card.verdict], colour)
    sheet.words((x, top + 68), card.long, Style(SOFT, 20), "lm")
    y = float(top + 88)
    if card.measured is not None and card.measured.value is not None:
        _draw_value(sheet, (x, top + 124), words.value(card.measured))
        sheet.words((right - 20, top + 132), card.level, Style(INK, 28), "rm")
        y = float(top + 164)
    for line in card.details:
        y = sheet.paragraph((x, y), line, Style(INK, 20), width)
    draw_reasons(sheet, (x, round(y) + 4, x + width, bottom - 10), card.reasons, words)


def _draw_value(sheet: Drawing, at: Place, text: str) -> None:
    number, _, unit = text.partition(" ")
    style = Style(INK, 60, bold=True)
    sheet.words(at, number, style, "lm")
    sheet.words((at[0] + style.width(number) + 12, at[1] + 8), unit, Style(INK, 34, bold=True), "lm")


def _draw_pill(sheet: Drawing, right: int, middle: int, text: str, colour: Colour) -> None:
    style = Style(WHITE, 20, bold=True)
    left = right - style.width(text) - 28
    sheet.box((left, middle - 19, right, middle + 19), colour)
    sheet.words(((left + right) / 2, middle), text, style, "mm")


def draw_reasons(sheet: Drawing, box: Box, reasons: Sequence[ReasonText], words: Wording) -> None:
    """Set reasons into a box; the small print goes first if they are too many, then the lightest, and their number is told."""
    left, top, right, bottom = box
    y = float(top)
    for style, line in _fitting(reasons, right - left, bottom - top, words):
        sheet.words((left, y), line, style, "la")
        y += style.line_height


def _fitting(reasons: Sequence[ReasonText], width: int, room: int, words: Wording) -> list[tuple[Style, str]]:
    plain = [[(_REASON, line) for line in _REASON.wrapped(f"- {one.text}", width)] for one in reasons]
    notes = [[(_NOTE, line) for line in _NOTE.wrapped(one.note, width)] for one in reasons]
    whole = [line for text, note in zip(plain, notes, strict=True) for line in (*text, *note)]
    candidates = chain([whole], (_first(plain, count, words, width) for count in range(len(plain), 0, -1)))
    fits = (lines for lines in candidates if sum(style.line_height for style, _ in lines) <= room)
    return next(fits, None) or _first(plain, 0, words, width)


def _first(plain: Sequence[list[tuple[Style, str]]], count: int, words: Wording, width: int) -> list[tuple[Style, str]]:
    lines = [line for one in plain[:count] for line in one]
    left_out = len(plain) - count
    counted = (words.more if count else words.too_many).format(left_out)
    return lines + [(_NOTE, line) for line in _NOTE.wrapped(counted, width) if left_out]


def draw_values(sheet: Drawing, box: Box, values: Sequence[tuple[str, Measurement]], words: Wording) -> None:
    """Draw a list of values with their verdicts, one a row."""
    left, top, right, bottom = box
    height = (bottom - top) / len(values)
    for number, (name, measured) in enumerate(values):
        y = top + height * (number + 0.5)
        ink, style = _INKS[measured.structure], Style(VERDICT_COLOURS[measured.verdict], 18)
        sheet.polyline([(left, y + height / 2), (right, y + height / 2)], RULE)
        sheet.words((left, y), name, Style(ink, 22), "lm")
        if measured.verdict is not Verdict.WITHHOLD:
            sheet.words((right - 165, y), words.value(measured), Style(INK, 24, bold=True), "rm")
        sheet.words((right, y), words.verdicts[measured.verdict], style, "rm")


def draw_missing(sheet: Drawing, box: Box, reasons: Sequence[ReasonText], words: Wording) -> None:
    """Say in the place of a picture that it is missing, and why."""
    left, top, right, bottom = box
    sheet.box(box, PALE, RULE)
    sheet.words((left + 40, top + 60), words.not_measured, Style(VERDICT_COLOURS[Verdict.WITHHOLD], 32, bold=True), "lm")
    draw_reasons(sheet, (left + 40, top + 100, right - 40, bottom - 20), reasons, words)


def captioned(drawn: Drawing, title: str, words: Wording) -> Picture:
    """Return a finished drawing under a line that says what it is and that no person has verified it."""
    width, _ = drawn.size
    caption = Drawing.blank((width, _CAPTION_HEIGHT))
    caption.words((20, _CAPTION_HEIGHT / 2), title, Style(INK, 26, bold=True), "lm")
    caption.words((width - 20, _CAPTION_HEIGHT / 2), words.unverified, Style(SOFT, 20), "rm")
    return np.concatenate([caption.finished(), drawn.finished()])


@dataclass(frozen=True, slots=True)
class _Axes:
    """Where millimetres and levels lie on the plot."""

    box: Box
    limit_mm: float

    def x(self, value_mm: float) -> float:
        left, _, right, _ = self.box
        return left + (right - left) * value_mm / self.limit_mm

    def y(self, level: Level) -> float:
        _, top, _, bottom = self.box
        return top + (bottom - top) * (level.order + 0.5) / len(LEVELS)


def profile_plot(levels: Sequence[LevelDiameters], words: Wording, size: tuple[int, int]) -> Drawing:
    """Return cord and canal AP against level, from head to feet, upon the healthy ranges; a withheld level leaves a gap."""
    sheet = Drawing.blank(size)
    by_level = {one.level: one for one in levels}
    measured = {
        Structure.SPINAL_CANAL: {level: one.canal_ap for level, one in by_level.items()},
        Structure.SPINAL_CORD: {level: one.cord_ap for level, one in by_level.items()},
    }
    values = [value for of in measured.values() for one in of.values() if (value := shown(one)) is not None]
    limit_mm = max(20.0, 5.0 * float(np.ceil((max(values, default=0.0) + 2.0) / 5.0)))
    axes = _Axes((_LEVELS_WIDTH + 45, _LEGEND_HEIGHT, size[0] - 20, size[1] - 40), limit_mm)
    _draw_axes(sheet, axes)
    _draw_legend(sheet, words)
    for structure, of in measured.items():
        _draw_curve(sheet, axes, structure, of, words)
    return sheet


def _healthy(structure: Structure) -> tuple[float, float]:
    return HEALTHY_RANGES[Quantity.AP_DIAMETER, structure]


def _draw_axes(sheet: Drawing, axes: _Axes) -> None:
    _, top, right, bottom = axes.box
    for structure in (Structure.SPINAL_CANAL, Structure.SPINAL_CORD):
        low, high = map(axes.x, _healthy(structure))
        sheet.box((low, top, high, bottom), _BANDS[structure])
    for structure, ink in _INKS.items():
        for edge in map(axes.x, _healthy(structure)):
            sheet.polyline([(edge, top), (edge, bottom)], ink)
    for level in LEVELS:
        sheet.polyline([(_LEVELS_WIDTH, axes.y(level)), (right, axes.y(level))], RULE)
        sheet.words((_LEVELS_WIDTH - 8, axes.y(level)), level.value, Style(SOFT if level.is_disc else INK, 22), "rm")
    for mm in np.arange(0.0, axes.limit_mm + 0.1, 5.0):
        x = axes.x(float(mm))
        sheet.polyline([(x, top), (x, bottom)], RULE)
        sheet.words((x, bottom + 8), f"{mm:.0f}", Style(INK, 20), "mt")


def _draw_legend(sheet: Drawing, words: Wording) -> None:
    for row, structure in enumerate(Structure):
        y = 24.0 + 62 * row
        sheet.polyline([(4, y), (56, y)], _INKS[structure], 3)
        _draw_mark(sheet, structure, (30, y), Verdict.REPORT)
        sheet.words((70, y), words.structures[structure], Style(_INKS[structure], 22, bold=True), "lm")
        sheet.box((12, y + 18, 48, y + 42), _BANDS[structure], _INKS[structure])
        sheet.words((70, y + 30), words.healthy.format(*_healthy(structure)), Style(SOFT, 18), "lm")
    x = sheet.size[0] - 10.0 - Style(SOFT, 18).width(words.verdicts[Verdict.FLAG])
    sheet.words((x, 24), words.verdicts[Verdict.FLAG], Style(SOFT, 18), "lm")
    for structure, offset in ((Structure.SPINAL_CORD, 42), (Structure.SPINAL_CANAL, 18)):
        _draw_mark(sheet, structure, (x - offset, 24), Verdict.FLAG)


def _draw_mark(sheet: Drawing, structure: Structure, at: tuple[float, float], verdict: Verdict) -> None:
    """Draw a disc for the cord and a square for the canal, hollow if the value is to be reviewed: they differ without colour."""
    draw = sheet.disc if structure is Structure.SPINAL_CORD else sheet.square
    draw(at, 8, _INKS[structure], WHITE if verdict is Verdict.FLAG else None)


def _draw_curve(sheet: Drawing, axes: _Axes, structure: Structure, measured: dict[Level, Measurement], words: Wording) -> None:
    ink, is_cord = _INKS[structure], structure is Structure.SPINAL_CORD
    points = {level: (axes.x(value), axes.y(level)) for level, one in measured.items() if (value := shown(one)) is not None}
    for level in LEVELS[:-1]:
        if level in points and (below := LEVELS[level.order + 1]) in points:
            sheet.polyline([points[level], points[below]], ink, 3)
    for level in LEVELS:
        if level in points:
            x, y = points[level]
            _draw_mark(sheet, structure, (x, y), measured[level].verdict)
            # the cord is the narrower: its numbers stand on the left, where the canal never comes
            at, anchor = ((x - 14, y), "rm") if is_cord else ((x + 14, y), "lm")
            sheet.words(at, words.value(measured[level]).removesuffix(" mm"), Style(ink, 20), anchor)
        else:
            middle = axes.x(sum(_healthy(structure)) / 2)
            sheet.words((middle, axes.y(level)), words.verdicts[Verdict.WITHHOLD], Style(ink, 18), "mm")
