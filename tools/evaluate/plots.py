"""The figures of a report as SVG."""

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tools.evaluate.agreement import Reliability
from tools.evaluate.evaluation import NumberRow

_STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "cspine-node"}
_BLUE, _GREY = "#1f4e79", "#8a8a8a"


def bland_altman_figure(rows: Sequence[NumberRow]) -> bytes:
    """Return one panel for each measure: difference by mean of both sides, with bias and 95 % limits of agreement."""
    with mpl.rc_context(_STYLE):
        columns = min(2, len(rows))
        lines = math.ceil(len(rows) / columns)
        figure = Figure(figsize=(4.6 * columns, 3.3 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        for panel, row in zip(panels, rows, strict=False):
            _bland_altman(panel, row)
        for panel in panels[len(rows) :]:
            panel.set_axis_off()
        return _svg(figure)


def _bland_altman(panel: Axes, row: NumberRow) -> None:
    means = [(tested + reference) / 2 for tested, reference in row.pairs]
    panel.scatter(means, [tested - reference for tested, reference in row.pairs], s=16, color=_BLUE, alpha=0.75, linewidths=0)
    found, digits = row.bland_altman, 2 if row.unit else 3
    for height, name, style in (
        (found.bias.mean, "bias", "-"),
        (found.lower_limit, "-1.96 SD", "--"),
        (found.upper_limit, "+1.96 SD", "--"),
    ):
        if math.isfinite(height):
            panel.axhline(height, color=_GREY, linestyle=style, linewidth=1)
            panel.annotate(
                f"{name} {height:.{digits}f}",
                (1, height),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                fontsize=7.5,
            )
    unit = f" ({row.unit})" if row.unit else ""
    panel.set_title(f"{row.measure}, n = {row.n}", fontsize=9.5)
    panel.set_xlabel(f"mean of both sides{unit}")
    panel.set_ylabel(f"difference{unit}")
    panel.margins(y=0.2)


def reliability_figure(found: Reliability) -> bytes:
    """Return the share of right corners by confidence, and how many corners there are in each bin."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        curve, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        curve.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1)
        curve.plot([one.confidence for one in found.bins], [one.right for one in found.bins], "o-", color=_BLUE, markersize=4)
        curve.set_ylabel("share within 2 mm")
        curve.set_ylim(-0.02, 1.02)
        curve.set_title(f"n = {found.n} corners", fontsize=9.5)
        middles = [(one.low + one.high) / 2 for one in found.bins]
        counts.bar(middles, [one.n for one in found.bins], width=0.09, color=_GREY)
        counts.set_ylabel("corners")
        counts.set_xlabel("confidence of the corner")
        counts.set_xlim(0, 1)
        return _svg(figure)


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # without a date, so that the same evaluation gives the same bytes
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
