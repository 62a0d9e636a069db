"""The dashboard and the alert rules that come with the node name metrics, labels and values that the node has."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from node.domain.errors import Severity
from node.domain.job import AnalysisStatus, DeliveryState, JobState
from node.domain.prediction import ModelIdentity
from node.domain.worklist import Durations, Tally
from node.web.metrics import Facts, metrics_text

DOCKER = Path(__file__).resolve().parents[3] / "docker"
TALLY = Tally(
    {}, {("a", "dead"): 1}, None, 0, {("measured", ""): 1}, {("a", "dead"): 1}, {("c", "flag"): 1}, Durations({1.0: 1}, 1, 1)
)
VALUES = {
    "state": {*JobState, *DeliveryState},
    "end": {*JobState, *AnalysisStatus},
    "verdict": set(Severity),
}


def known() -> dict[str, set[str]]:
    """Return the labels of each series that the node tells, by its name."""
    facts = Facts("1", 1, 1, 0, (ModelIdentity("m", "1", "x"),), ("a",))
    text = metrics_text(facts, TALLY, datetime(2026, 1, 1, tzinfo=UTC)).decode()
    found = re.findall(r"^(cspine_\w+)(?:\{(.*?)\})? ", text, re.MULTILINE)
    return {name: set(re.findall(r'(\w+)="', labels)) for name, labels in found}


def dashboard() -> list[str]:
    board = json.loads((DOCKER / "grafana-dashboard.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def rules() -> list[dict]:
    groups = yaml.safe_load((DOCKER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("expression", [*dashboard(), *(rule["expr"] for rule in rules())])
def test_every_metric_label_and_value_exists(expression):
    series = known()
    named = re.findall(r"\b(cspine_\w+)(?:\{(.*?)\})?", expression)
    assert named or expression == 'up{job="cspine-node"} == 0'
    for name, labels in named:
        assert name in series
        for label, operator, value in re.findall(r'(\w+)(=~|=)"(.*?)"', labels):
            assert label in series[name]
            wanted = set(value.split("|")) if operator == "=~" else {value}
            assert wanted <= {str(one) for one in VALUES[label]}
    for group in re.findall(r"by \((.*?)\)", expression):
        assert set(group.split(", ")) <= set().union(*(series[name] for name, _ in named))


def test_every_alert_says_what_is_wrong_and_what_to_do():
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert len(rule["annotations"]["description"]) > 20


def test_every_metric_is_on_the_dashboard():
    text = " ".join(dashboard())
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in known()}
    assert {name for name in families if name not in text} <= {"cspine_store_minimum_free_bytes"}
