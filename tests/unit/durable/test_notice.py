import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from node.config import ReportingConfig, RetryConfig, WebhookConfig
from node.domain.errors import Finding, NodeError, Reason, Severity, TransientError
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisOutcome, AnalysisStatus, NoticeEvent, Occasion
from node.durable import NoticeWorkflow, notices_of
from node.jobs import Claim, Ledger, Task
from node.jobs.counting import count_all
from node.jobs.database import database_url, open_engine, prepare_database
from node.reporting import Software, build_report
from node.webhooks import WebhookSender
from tests.support.analyses import synthetic_analysis

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STUDY = StudyInstanceUID("1.2.3")
RETRY = RetryConfig(first_delay_s=2, maximum_delay_s=100, maximum_attempts=3)
HOOK = WebhookConfig(name="ris", url="https://ris.example/", retry=RETRY)
OCCASION = Occasion("e1", NoticeEvent.RESULT)


@pytest.fixture
def ledger(tmp_path: Path):
    url = database_url(f"sqlite:{tmp_path}/jobs.db")
    prepare_database(url)
    ledger = Ledger(open_engine(url), url, lambda: NOW)
    yield ledger
    ledger.close()


Result = TypeVar("Result")


class Telling:
    """An engine that repeats nothing and an address that takes a message at the given attempt."""

    def __init__(self, ledger: Ledger, taken_at: int = 1) -> None:
        self.posted: list[tuple[str, str]] = []
        self.queued: list[tuple[Task, float]] = []
        self._taken_at = taken_at
        self.webhooks = (HOOK,)
        self.compose = WebhookSender(self.webhooks, "https://node.example").compose
        self.workflow = NoticeWorkflow(self, ledger, self)

    def step(self, _name: str, action: Callable[[], Result]) -> Result:
        return action()

    def enqueue(self, task: Task, delay_s: float) -> None:
        self.queued.append((task, delay_s))

    def guarded(self, action: Callable[[], Result]) -> Result | NodeError:
        try:
            return action()
        except NodeError as error:
            return error

    def post(self, _webhook: WebhookConfig, event_id: str, body: str, _now_s: float) -> None:
        self.posted.append((event_id, body))
        if len(self.posted) < self._taken_at:
            raise TransientError(Reason.PEER_REJECTED, "webhook ris answered 503")

    def run_all(self, analysis_id: AnalysisId, occasion: Occasion = OCCASION, webhook: str = "ris") -> list[str]:
        """Run the first attempt and each that it queues."""
        ends = [self.workflow.run(analysis_id, webhook, occasion, "", 1)]
        while len(self.queued) >= len(ends):
            _, name, text, body, attempt = self.queued[len(ends) - 1][0].arguments
            ends.append(self.workflow.run(analysis_id, str(name), Occasion.parse(str(text)), str(body), int(attempt)))
        return ends


def analysed(ledger: Ledger, folder: Path | None = None) -> AnalysisId:
    """Return an analysis with a result that flags something."""
    claim = Claim(STUDY, "digest", "software", "analyse:1.2.3:1:1")
    with ledger.transaction() as session:
        ledger.announce(session, STUDY)
    assert ledger.claim(claim, 1)
    ledger.begin_analysis(claim.analysis_id, claim.workflow_id)
    finding = Finding(Reason.PLANES_DISAGREE, Severity.FLAG, "words of Jane Doe")
    ledger.record_analysis(claim.analysis_id, AnalysisOutcome(AnalysisStatus.PARTIAL, (finding,), folder, 2), ["pacs"])
    return claim.analysis_id


def test_a_message_says_what_became_of_the_study_without_values_words_or_patient(ledger: Ledger, tmp_path: Path):
    analysis = synthetic_analysis(tmp_path / "study")
    build_report(analysis, ReportingConfig(), Software("cspine-node", "1"), tmp_path / "report")
    analysis_id, telling = analysed(ledger, tmp_path / "report"), Telling(ledger)
    assert telling.run_all(analysis_id) == ["told"]
    ((event_id, body),) = telling.posted
    message = json.loads(body)
    assert (message["type"], message["id"], event_id) == ("study.result", "e1", "e1")
    assert message["timestamp"] == NOW.isoformat()
    study = message["data"]
    assert study["page"] == f"https://node.example/studies/{STUDY}"
    assert (study["state"], study["status"], study["revision"], study["destination"]) == ("analysed", "partial", 1, None)
    assert {"code": "planes_disagree", "severity": "flag"} in study["reasons"]
    measured = {one["name"]: one["verdict"] for one in study["measurements"]}
    assert set(measured) == {"mscc", "mcc", "ta", "cr"}
    written = json.loads((tmp_path / "report" / "measurements.json").read_text(encoding="utf-8"))
    assert measured["mscc"] == written["sagittal"]["mscc"]["verdict"]
    assert set(study["measurements"][0]) == {"name", "level", "verdict"}, "no value"
    assert "Jane" not in body
    assert "Phantom" not in body


def test_a_message_that_is_not_taken_is_told_again_with_the_same_body_and_growing_waits(ledger: Ledger):
    analysis_id, telling = analysed(ledger), Telling(ledger, taken_at=3)
    assert telling.run_all(analysis_id) == ["waiting", "waiting", "told"]
    assert [delay for _, delay in telling.queued] == [2, 4]
    assert len({task.workflow_id for task, _ in telling.queued}) == 2
    assert telling.posted[0] == telling.posted[1] == telling.posted[2]


def test_an_address_that_takes_nothing_is_given_up_and_counted(ledger: Ledger):
    analysis_id, telling = analysed(ledger), Telling(ledger, taken_at=9)
    assert telling.run_all(analysis_id) == ["waiting", "waiting", "given up"]
    with ledger.reading() as session:
        assert count_all(session).notices == {("ris", "given up"): 1}


def test_a_purged_study_or_a_webhook_that_is_no_longer_configured_is_told_nothing(ledger: Ledger):
    analysis_id, telling = analysed(ledger), Telling(ledger)
    assert telling.run_all(analysis_id, webhook="other") == ["gone"]
    assert telling.run_all(AnalysisId("unknown")) == ["gone"]
    assert telling.posted == []


def test_a_destination_that_took_nothing_is_named(ledger: Ledger):
    analysis_id, telling = analysed(ledger), Telling(ledger)
    telling.run_all(analysis_id, Occasion("e2", NoticeEvent.UNDELIVERED, "pacs"))
    study = json.loads(telling.posted[0][1])["data"]
    assert (study["destination"], study["state"], study["measurements"]) == ("pacs", "queued", [])


def test_only_who_wants_an_event_is_told_and_a_repeated_job_is_known_as_one():
    hooks = (HOOK, HOOK.model_copy(update={"name": "alarm", "events": ("failed",)}))
    tell = lambda event, source: [*notices_of(hooks, AnalysisId("a"), event, source)]  # noqa: E731
    assert [task.lane for task in tell(NoticeEvent.RESULT, "analyse:1:1:1")] == ["ris"]
    failed = tell(NoticeEvent.FAILED, "analyse:1:1:1")
    assert [task.lane for task in failed] == ["ris", "alarm"]
    assert failed == tell(NoticeEvent.FAILED, "analyse:1:1:1")
    assert not {task.workflow_id for task in failed} & {task.workflow_id for task in tell(NoticeEvent.FAILED, "analyse:1:2:1")}
