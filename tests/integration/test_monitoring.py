"""What Prometheus makes of our metrics and alerts: promtool reads them, and each alert fires on what it is for, and only then."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.analyses import Scene
from tests.support.external import require_tool
from tests.support.web_world import DELIVERED, Visitor, WebWorld, running_web

DOCKER = Path(__file__).resolve().parents[2] / "docker"
RULES = yaml.safe_load((DOCKER / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DAY = "0+{}x96"  # a counter that grows every quarter of an hour

#: For each alert what calls for it, and below a sound node: series as promtool writes them, read a day later.
FIRING = {
    "NodeDown": {'up{job="cspine-node"}': "0x96"},
    "JobDatabaseAway": {"cspine_database_up": "0x96"},
    "JobStalls": {"cspine_jobs_stalled": "1x96"},
    "DiskNearlyFull": {"cspine_store_free_bytes": "15x96", "cspine_store_minimum_free_bytes": "10x96"},
    "DiskFull": {"cspine_store_free_bytes": "9x96", "cspine_store_minimum_free_bytes": "10x96"},
    "QueueStands": {"cspine_queue_oldest_seconds": "1801x96"},
    "StudyFailed": {'cspine_studies{state="failed"}': "1x96"},
    "DeliveryGivenUp": {'cspine_deliveries{state="dead",destination="pacs"}': "1x96"},
    "DeliveryWaits": {'cspine_deliveries{state="waiting",destination="pacs"}': "1x96"},
    "ManyDeclined": {'cspine_analyses_total{end="declined"}': DAY.format(6), "cspine_studies_received_total": DAY.format(10)},
    "ManyWithheld": {
        'cspine_gate_reasons_total{verdict="withhold",code="level_missing"}': DAY.format(6),
        'cspine_analyses_total{end="measured"}': DAY.format(10),
    },
}
SOUND = {
    'up{job="cspine-node"}': "1x96",
    "cspine_database_up": "1x96",
    "cspine_jobs_stalled": "0x96",
    "cspine_store_free_bytes": "30x96",
    "cspine_store_minimum_free_bytes": "10x96",
    "cspine_queue_oldest_seconds": "60x96",
    'cspine_studies{state="failed"}': "0x96",
    'cspine_studies{state="delivered"}': "9x96",
    'cspine_deliveries{state="dead",destination="pacs"}': "0x96",
    'cspine_deliveries{state="waiting",destination="pacs"}': "0x96",
    'cspine_analyses_total{end="declined"}': DAY.format(4),
    'cspine_analyses_total{end="measured"}': DAY.format(10),
    "cspine_studies_received_total": DAY.format(10),
    'cspine_gate_reasons_total{verdict="withhold",code="level_missing"}': DAY.format(4),
}


def promtool(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [require_tool("promtool"), *arguments], input=given, capture_output=True, text=True, check=False, timeout=60
    )


def alerts_of(folder: Path, series: dict[str, str]) -> set[str]:
    """Return the alerts that fire a day after the series began."""
    silent = [{"eval_time": "1d", "alertname": rule["alert"], "exp_alerts": []} for rule in RULES]
    test = {
        "rule_files": [str(DOCKER / "alerts.yaml")],
        "evaluation_interval": "15m",
        "tests": [
            {
                "interval": "15m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": silent,
            }
        ],
    }
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(test), encoding="utf-8")
    done = promtool("test", "rules", str(path))
    assert "error" not in done.stderr.lower(), done.stderr
    return set(re.findall(r"alertname: ?(\w+)", done.stdout + done.stderr))


def test_the_rules_and_the_configuration_are_read_by_prometheus(tmp_path: Path):
    (tmp_path / "alerts.yaml").write_bytes((DOCKER / "alerts.yaml").read_bytes())
    token = tmp_path / "token"
    token.write_text("secret", encoding="utf-8")
    text = (DOCKER / "prometheus.yml").read_text(encoding="utf-8")
    assert "/run/secrets/metrics_token" in text
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/metrics_token", str(token)), encoding="utf-8")
    done = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


def test_no_alert_fires_on_a_sound_node(tmp_path: Path):
    assert alerts_of(tmp_path, SOUND) == set()


@pytest.mark.parametrize("name", [rule["alert"] for rule in RULES])
def test_each_alert_fires_on_what_it_is_for(tmp_path: Path, name: str):
    fired = alerts_of(tmp_path, {**SOUND, **FIRING[name]})
    also = {"DiskFull": {"DiskNearlyFull"}}.get(name, set())
    assert fired == {name} | also


def test_the_metrics_have_names_and_units_as_prometheus_wants_them(tmp_path: Path):
    world = WebWorld(tmp_path)
    world.measured(Scene(), DELIVERED)
    with running_web(world.config) as port:
        text = Visitor(port).get("/metrics").text
    done = promtool("check", "metrics", given=text)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
