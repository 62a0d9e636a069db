from datetime import UTC, datetime, timedelta

from node.domain.prediction import ModelIdentity
from node.domain.worklist import Durations, Tally
from node.web.metrics import Facts, metrics_text

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FACTS = Facts("1.2.3", 5e9, 2e9, 1, (ModelIdentity("cord", "1", "abc"),), ("pacs", "archive"))
TALLY = Tally(
    studies={"failed": 2},
    deliveries={("pacs", "dead"): 3, ("gone", "delivered"): 1},
    oldest_queued_at=NOW - timedelta(seconds=90),
    received=7,
    analyses={("measured", ""): 4, ("declined", "no_sagittal_t2"): 2},
    attempts={("pacs", "delivered"): 4},
    reasons={("planes_disagree", "flag"): 5},
    durations=Durations({10.0: 3, 20.0: 4}, 4, 41.5),
    feedback={"rejected": 2},
    shadows={"measured": 3},
    notices={("ris", "given up"): 2},
)


def lines(tally: Tally | None = TALLY) -> list[str]:
    return metrics_text(FACTS, tally, NOW).decode().splitlines()


def test_everything_that_is_counted_is_told():
    wanted = [
        'cspine_build_info{version="1.2.3"} 1.0',
        'cspine_model_info{name="cord",sha256="abc",version="1"} 1.0',
        "cspine_studies_received_total 7.0",
        'cspine_studies{state="failed"} 2.0',
        'cspine_studies{state="queued"} 0.0',
        "cspine_queue_oldest_seconds 90.0",
        'cspine_analyses_total{end="declined",reason="no_sagittal_t2"} 2.0',
        'cspine_gate_reasons_total{code="planes_disagree",verdict="flag"} 5.0',
        'cspine_delivery_attempts_total{destination="pacs",end="delivered"} 4.0',
        'cspine_deliveries{destination="archive",state="dead"} 0.0',
        'cspine_deliveries{destination="pacs",state="dead"} 3.0',
        'cspine_deliveries{destination="gone",state="delivered"} 1.0',
        'cspine_analysis_duration_seconds_bucket{le="10"} 3.0',
        'cspine_analysis_duration_seconds_bucket{le="+Inf"} 4.0',
        "cspine_analysis_duration_seconds_sum 41.5",
        'cspine_feedback_total{kind="rejected"} 2.0',
        'cspine_feedback_total{kind="accepted"} 0.0',
        'cspine_shadow_analyses_total{end="measured"} 3.0',
        'cspine_webhook_messages_total{end="given up",webhook="ris"} 2.0',
        "cspine_studies_receiving 1.0",
        "cspine_store_free_bytes 5e+09",
        "cspine_database_up 1.0",
    ]
    found = lines()
    assert [line for line in wanted if line not in found] == []


def test_names_follow_the_conventions():
    kinds = {line.split()[2]: line.split()[3] for line in lines() if line.startswith("# TYPE")}
    assert all(name.startswith("cspine_") for name in kinds)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())


def test_what_needs_the_database_is_missing_while_it_is_away():
    found = lines(None)
    assert "cspine_database_up 0.0" in found
    assert "cspine_store_free_bytes 5e+09" in found
    assert not [line for line in found if line.startswith("cspine_studies_received")]
