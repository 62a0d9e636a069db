"""An evaluation as ``metrics.json`` and as one ``report.html`` that needs no other file."""

import base64
import dataclasses
import json
import math
from pathlib import Path

import jinja2

from tools.evaluate.agreement import Mean
from tools.evaluate.evaluation import Evaluation
from tools.evaluate.plots import bland_altman_figure, reliability_figure
from tools.evaluate.readings import HEADLINES

TEMPLATE = Path(__file__).with_name("report.html.jinja")
_NOTHING = "–"


def write_report(evaluation: Evaluation, out_dir: Path) -> None:
    """Write ``metrics.json`` and ``report.html`` into a folder, which is made if it is missing."""
    out_dir.mkdir(parents=True, exist_ok=True)
    text = json.dumps(metrics_of(evaluation), indent=1, ensure_ascii=False, allow_nan=False)
    (out_dir / "metrics.json").write_text(text + "\n", encoding="utf-8")
    (out_dir / "report.html").write_text(render(evaluation), encoding="utf-8")


def metrics_of(evaluation: Evaluation) -> object:
    """Return an evaluation as JSON values; what is not defined is null, pictures are left out."""
    return _plain(dataclasses.asdict(evaluation))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if not isinstance(one, bytes)}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def render(evaluation: Evaluation) -> str:
    """Return an evaluation as HTML; everything in it is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "mean_sd": mean_sd, "interval": interval, "p": p_value, "data_uri": data_uri}
    headlines = [one for one in evaluation.numbers if one.measure in HEADLINES and one.n]
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        evaluation=evaluation,
        heading=evaluation.heading,
        bland_altman=bland_altman_figure(headlines) if headlines else None,
        reliability=reliability_figure(evaluation.confidence) if evaluation.confidence is not None else None,
    )


def number(value: float, digits: int = 2, factor: float = 1) -> str:
    """Return a number with a fixed count of digits, a dash where it is not defined."""
    return f"{value * factor:.{digits}f}" if math.isfinite(value) else _NOTHING


def mean_sd(mean: Mean, digits: int = 2, factor: float = 1) -> str:
    """Return ``mean ± SD``; the mean alone where one value has no deviation."""
    if not math.isfinite(mean.sd):
        return number(mean.mean, digits, factor)
    return f"{number(mean.mean, digits, factor)} ± {number(mean.sd, digits, factor)}"


def interval(low: float, high: float, digits: int = 2, factor: float = 1) -> str:
    """Return ``low to high``, a dash where it is not defined."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return _NOTHING
    return f"{number(low, digits, factor)} to {number(high, digits, factor)}"


def p_value(value: float) -> str:
    """Return a P value as journals print it."""
    if not math.isfinite(value):
        return _NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def data_uri(content: bytes, media_type: str) -> str:
    """Return a picture as the address of itself."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
