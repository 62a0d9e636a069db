"""What a benchmark found: the figures of each run, the median of the ratios within the runs, and the target."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Target:
    """What a row is to reach: its ratio where it has a competitor, its figure otherwise."""

    relation: Literal[">=", "<="]
    value: float

    def is_met(self, figure: float) -> bool:
        """Return whether a figure reaches the target."""
        return figure >= self.value if self.relation == ">=" else figure <= self.value

    def __str__(self) -> str:
        return f"{self.relation} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity under one condition.

    Parameters
    ----------
    ours, other
        The figures of the node and of its competitor, one for each repeat; ``other`` is empty where there is none.
    against
        Name of the competitor.
    """

    quantity: str
    condition: str
    unit: str
    ours: tuple[float, ...]
    other: tuple[float, ...] = ()
    against: str = ""
    target: Target | None = None

    def __post_init__(self) -> None:
        if not self.ours or (self.other and len(self.other) != len(self.ours)):
            raise ValueError(f"{self.quantity}, {self.condition}: each run of the node needs one of {self.against}")

    @property
    def ratio(self) -> float | None:
        """Median of ours / other, each taken within its repeat; None without a competitor."""
        return statistics.median(a / b for a, b in zip(self.ours, self.other, strict=True)) if self.other else None

    @property
    def median(self) -> float:
        """Median of our figures."""
        return statistics.median(self.ours)

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.target.is_met(self.median if self.ratio is None else self.ratio)

    def as_json(self) -> dict[str, Any]:
        """Return the row as it stands in ``latest.json``."""
        competitor = {
            "against": self.against,
            "other": [round(one, 4) for one in self.other],
            "median_other": round(statistics.median(self.other or [0.0]), 4),
            "ratio": round(self.ratio or 0.0, 4),
        }
        return {
            "quantity": self.quantity,
            "condition": self.condition,
            "unit": self.unit,
            "ours": [round(one, 4) for one in self.ours],
            "median": round(self.median, 4),
            **(competitor if self.other else {}),
            **({"target": str(self.target), "met": self.is_met} if self.target else {}),
        }


@dataclass(frozen=True, slots=True)
class Section:
    """The result of one benchmark.

    Parameters
    ----------
    settings
        What it ran with, as far as the reader needs it to judge the figures.
    notes
        What could not be measured, and why.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    settings: Mapping[str, str | int | float]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the section as it stands in ``latest.json``."""
        return {
            "title": self.title,
            "settings": dict(self.settings),
            "notes": list(self.notes),
            "rows": [row.as_json() for row in self.rows],
        }


def alternate(competitors: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, tuple[float, ...]]:
    """Return the figures of each competitor; they take turns, and each repeat begins with another one."""
    names = list(competitors)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats):
        first = repeat % len(names)
        for name in names[first:] + names[:first]:
            figures[name].append(competitors[name]())
    return {name: tuple(found) for name, found in figures.items()}
