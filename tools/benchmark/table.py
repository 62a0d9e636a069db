"""The benchmark as Markdown: every row, or one line for each quantity and competitor as the README shows it."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from statistics import median
from typing import Any

BEGIN, END = "<!-- benchmark: written by `python -m tools.benchmark table --write` -->", "<!-- benchmark ends -->"

_Row = Mapping[str, Any]


def full_table(record: Mapping[str, Any]) -> str:
    """Return every row of every section."""
    lines = ["| section | quantity | condition | node | peer | ratio | target | met |", "|---|---|---|---|---|---|---|---|"]
    for name, section in record["sections"].items():
        lines += [f"| {name} | {_cells(row)} |" for row in section["rows"]]
        lines += [f"| {name} | note | {note} | | | | | |" for note in section["notes"]]
    return "\n".join(lines)


def summary(record: Mapping[str, Any]) -> str:
    """Return a few lines for each section: the figure of a single condition, or the range over many."""
    lines = ["| | quantity | against | node | target | met |", "|---|---|---|---|---|---|"]
    for section in record["sections"].values():
        groups = groupby(sorted(section["rows"], key=_group), key=_group)
        lines += [f"| {section['title']} | {_line(list(rows))} |" for _, rows in groups]
    return "\n".join([*lines, "", _machine(record)])


def inserted(text: str, table: str) -> str:
    """Return a text with the table between its two markers.

    Raises
    ------
    ValueError
        If the text lacks a marker.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no place for the table: put the lines {BEGIN} and {END} there")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _cells(row: _Row) -> str:
    peer = f"{row['median_other']:.4g} ({row['against']})" if "ratio" in row else ""
    ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
    node = f"{row['median']:.4g} {row['unit']}"
    return " | ".join([row["quantity"], row["condition"], node, peer, ratio, row.get("target", ""), _answer(row)])


def _answer(row: _Row) -> str:
    return {None: "", True: "yes", False: "**no**"}[row.get("met")]


def _group(row: _Row) -> tuple[str, str, str]:
    return row["quantity"], row.get("against", ""), row.get("target", "")


def _line(rows: list[_Row]) -> str:
    quantity, against, target = _group(rows[0])
    is_ratio = bool(against)
    figures = [row["ratio" if is_ratio else "median"] for row in rows]
    unit = "x" if is_ratio else f" {rows[0]['unit']}"
    figure = f"{median(figures):.3g}{unit}"
    if len(rows) > 1:
        figure += f" ({min(figures):.3g} to {max(figures):.3g})"
    return " | ".join([quantity, against, figure, target, _met(rows)])


def _met(rows: Iterable[_Row]) -> str:
    answers = [row["met"] for row in rows if "met" in row]
    if len(answers) < 2:
        return "".join("yes" if one else "**no**" for one in answers)
    return f"{sum(answers)} of {len(answers)} conditions"


def _machine(record: Mapping[str, Any]) -> str:
    machine = record["machine"]
    parts = {name: number for one in record["sections"].values() for name, number in one["versions"].items()}
    dates = sorted({one["date"] for one in record["sections"].values()})
    return (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, {machine['system']}; "
        f"{', '.join(f'{name} {number}' for name, number in parts.items())}; {' and '.join(dates[:: max(1, len(dates) - 1)])}. "
        "Medians of paired runs; where a range is given, the median over the conditions."
    )
