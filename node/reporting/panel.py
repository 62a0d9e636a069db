"""The column of words beside a picture, and the plot of diameters by level."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from node.domain.anatomy import LEVELS, Level, Structure
from node.domain.errors import Finding
from node.domain.measurement import LevelDiameters, Measurement, Unit, Verdict
from node.reporting.canvas import BLACK, CANAL_COLOUR, CORD_COLOUR, GREY, WARNING_COLOUR, WHITE, Colour, Picture, font
from node.reporting.figures import shown

PANEL_WIDTH = 620
_LINE_HEIGHT, _MARGIN = 1.35, 28
_PLOT_SIZE = (1100, 1100)
_PLOT_AREA = (150, 130, 1040, 1000)  # left, top, right, bottom
_UNIT_WORDS = {Unit.MM: "mm", Unit.MM2: "mm2", Unit.PERCENT: "%", Unit.RATIO: ""}
_VERDICT_WORDS = {Verdict.REPORT: "", Verdict.FLAG: "  (to be reviewed)", Verdict.WITHHOLD: ""}
_DECIMALS = {Unit.MM: 2, Unit.MM2: 1, Unit.PERCENT: 1, Unit.RATIO: 3}

#: Stands on every picture.
NOTICE = "Software result, not verified by a person."


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph of the panel."""

    text: str
    colour: Colour = WHITE
    size: int = 26


def value_words(measured: Measurement | None) -> str:
    """Return a value with its unit as it is read aloud, or ``withheld``."""
    value = shown(measured)
    if measured is None or value is None:
        return "withheld"
    return f"{value:.{_DECIMALS[measured.unit]}f} {_UNIT_WORDS[measured.unit]}".rstrip() + _VERDICT_WORDS[measured.verdict]


def reason_words(findings: Sequence[Finding]) -> list[Words]:
    """Return the reasons as small paragraphs, each once."""
    return [Words(f"- {message}", WARNING_COLOUR, 20) for message in dict.fromkeys(one.message for one in findings)]


def beside(picture: Picture, paragraphs: Sequence[Words]) -> Picture:
    """Return a picture with a panel of words on its right, as high as the picture or higher if the words need it."""
    wrapped = [(line, one) for one in paragraphs for line in _wrap(one)]
    needed = 2 * _MARGIN + sum(round(one.size * _LINE_HEIGHT) for _, one in wrapped)
    height = max(picture.shape[0], needed)
    sheet = Image.new("RGB", (picture.shape[1] + PANEL_WIDTH, height), BLACK)
    sheet.paste(Image.fromarray(picture), (0, 0))
    pen = ImageDraw.Draw(sheet)
    y = _MARGIN
    for line, one in wrapped:
        pen.text((picture.shape[1] + _MARGIN, y), line, fill=one.colour, font=font(one.size))
        y += round(one.size * _LINE_HEIGHT)
    return np.asarray(sheet, dtype=np.uint8)


def _wrap(one: Words) -> list[str]:
    face = font(one.size)
    lines = [""]
    for word in one.text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and face.getlength(longer) > PANEL_WIDTH - 2 * _MARGIN:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def profile_plot(levels: Sequence[LevelDiameters]) -> Picture:
    """Return cord and canal AP against level, from head to feet; a withheld level leaves a gap that is named."""
    sheet = Image.new("RGB", _PLOT_SIZE, BLACK)
    pen = ImageDraw.Draw(sheet)
    by_level = {one.level: one for one in levels}
    measured = {
        Structure.SPINAL_CORD: {level: one.cord_ap for level, one in by_level.items()},
        Structure.SPINAL_CANAL: {level: one.canal_ap for level, one in by_level.items()},
    }
    values = [value for of in measured.values() for one in of.values() if (value := shown(one)) is not None]
    limit_mm = max(5.0, 5.0 * np.ceil((max(values, default=15.0) + 1.0) / 5.0))
    _draw_axes(pen, limit_mm)
    for structure, colour in ((Structure.SPINAL_CANAL, CANAL_COLOUR), (Structure.SPINAL_CORD, CORD_COLOUR)):
        _draw_curve(pen, measured[structure], limit_mm, colour)
    pen.text((_PLOT_AREA[0], 40), "AP diameter by level, decisive sagittal slice (mm)", fill=WHITE, font=font(32))
    pen.text((_PLOT_AREA[0], 84), "spinal cord", fill=CORD_COLOUR, font=font(26))
    pen.text((_PLOT_AREA[0] + 180, 84), "spinal canal", fill=CANAL_COLOUR, font=font(26))
    pen.text((_PLOT_AREA[0], _PLOT_SIZE[1] - 44), NOTICE, fill=GREY, font=font(22))
    return np.asarray(sheet, dtype=np.uint8)


def _draw_axes(pen: ImageDraw.ImageDraw, limit_mm: float) -> None:
    left, top, right, bottom = _PLOT_AREA
    for level in LEVELS:
        y = _level_y(level)
        pen.line((left, y, right, y), fill=(55, 55, 55))
        pen.text((left - 16, y), level.value, fill=GREY if level.is_disc else WHITE, font=font(26), anchor="rm")
    for mm in np.arange(0.0, limit_mm + 0.1, 2.5):
        x = _value_x(float(mm), limit_mm)
        pen.line((x, top, x, bottom), fill=(55, 55, 55))
        if mm % 5 == 0:
            pen.text((x, bottom + 12), f"{mm:.0f}", fill=WHITE, font=font(26), anchor="mt")


def _draw_curve(pen: ImageDraw.ImageDraw, measured: dict[Level, Measurement], limit_mm: float, colour: Colour) -> None:
    previous: tuple[float, float] | None = None
    for level in LEVELS:
        value = shown(measured.get(level))
        if value is None:
            previous = None
            x = _PLOT_AREA[0] + (12.0 if colour == CORD_COLOUR else 170.0)
            pen.text((x, _level_y(level)), "withheld", fill=colour, font=font(20), anchor="lm")
            continue
        point = (_value_x(value, limit_mm), _level_y(level))
        if previous is not None:
            pen.line((*previous, *point), fill=colour, width=3)
        pen.ellipse((point[0] - 6, point[1] - 6, point[0] + 6, point[1] + 6), fill=colour)
        pen.text((point[0] + 14, point[1] - 16), f"{value:.2f}", fill=colour, font=font(22), anchor="lm")
        previous = point


def _level_y(level: Level) -> float:
    _, top, _, bottom = _PLOT_AREA
    return top + (bottom - top) * (level.order + 0.5) / len(LEVELS)


def _value_x(value_mm: float, limit_mm: float) -> float:
    left, _, right, _ = _PLOT_AREA
    return left + (right - left) * value_mm / limit_mm
