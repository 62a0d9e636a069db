"""The diameters by level as a plot: coordinates on a sheet of fixed size, which the page draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from node.domain.anatomy import LEVELS, Structure
from node.domain.healthy import HEALTHY_RANGES
from node.domain.measurement import Quantity
from node.web.measured_view import LevelView

WIDTH, HEIGHT = 560, 420
_LEFT, _TOP, _RIGHT, _BOTTOM = 70.0, 12.0, 545.0, 380.0
_STEP_MM, _LEAST_LIMIT_MM = 5.0, 20.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A value on the plot, with the place of its words; no value where it is withheld."""

    x: float
    y: float
    value: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The diameters of one structure: marks by level, and the lines between neighbours that both have a value."""

    structure: str
    healthy: tuple[float, float]
    band: tuple[float, float]
    lines: tuple[tuple[float, float, float, float], ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class ProfileView:
    """The plot: millimetres to the right, levels from head to feet downwards."""

    width: int
    height: int
    box: tuple[float, float, float, float]
    ticks: tuple[tuple[int, float], ...]
    rows: tuple[tuple[str, float], ...]
    curves: tuple[Curve, ...]


def profile_view(levels: Sequence[LevelView]) -> ProfileView:
    """Return the plot of the diameters by level; a withheld value leaves a gap."""
    by_level = {one.level: one for one in levels}
    values = [value for one in levels for value in (one.cord_ap_mm, one.canal_ap_mm) if value is not None]
    steps = -(-(max(values, default=0.0) + 2.0) // _STEP_MM)
    limit_mm = max(_LEAST_LIMIT_MM, _STEP_MM * steps)
    ticks = tuple((mm, _x(mm, limit_mm)) for mm in range(0, round(limit_mm) + 1, round(_STEP_MM)))
    rows = tuple((level.value, _y(number)) for number, level in enumerate(LEVELS))
    shown = [by_level.get(level.value, LevelView(level.value, None, None, "withhold", "withhold", ())) for level in LEVELS]
    cord = [(one.cord_ap_mm, one.cord_verdict) for one in shown]
    canal = [(one.canal_ap_mm, one.canal_verdict) for one in shown]
    curves = (_curve(Structure.SPINAL_CANAL, canal, limit_mm), _curve(Structure.SPINAL_CORD, cord, limit_mm))
    return ProfileView(WIDTH, HEIGHT, (_LEFT, _TOP, _RIGHT, _BOTTOM), ticks, rows, curves)


def _x(value_mm: float, limit_mm: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * value_mm / limit_mm, 1)


def _y(number: int) -> float:
    return round(_TOP + (_BOTTOM - _TOP) * (number + 0.5) / len(LEVELS), 1)


def _curve(structure: Structure, values: Sequence[tuple[float | None, str]], limit_mm: float) -> Curve:
    healthy = HEALTHY_RANGES[Quantity.AP_DIAMETER, structure]
    middle = sum(healthy) / 2
    marks = tuple(
        Mark(_x(middle if value is None else value, limit_mm), _y(number), value, verdict)
        for number, (value, verdict) in enumerate(values)
    )
    lines = tuple((a.x, a.y, b.x, b.y) for a, b in pairwise(marks) if a.value is not None and b.value is not None)
    band = (_x(healthy[0], limit_mm), _x(healthy[1], limit_mm))
    return Curve(structure.value, healthy, band, lines, marks)
