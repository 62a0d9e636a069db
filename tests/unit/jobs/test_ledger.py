from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from node.domain.errors import Reason
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisOutcome, AnalysisStatus, DeliveryEnding, DeliveryState, Ending, JobState
from node.domain.worklist import StudyEntry
from node.jobs.database import database_url, open_engine
from node.jobs.ledger import Claim, Ledger
from node.jobs.redelivery import retry_deliveries
from node.jobs.schema import Row
from node.jobs.worklist import list_studies, read_history

STUDY = StudyInstanceUID("1.2.3")
OUTCOME = AnalysisOutcome(AnalysisStatus.MEASURED, folder=Path("/results/a"), object_count=2)
START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    url = database_url(f"sqlite:{tmp_path}/jobs.db")
    engine = open_engine(url)
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    with engine.begin() as connection:
        Row.metadata.create_all(connection)
    ledger = Ledger(engine, url, FakeClock())
    yield ledger
    ledger.close()


def claim(workflow_id: str = "w1", digest: str = "d1") -> Claim:
    return Claim(STUDY, digest, "f1", workflow_id)


def announced(ledger: Ledger) -> int:
    with ledger.transaction() as session:
        return ledger.announce(session, STUDY)


def entry(ledger: Ledger) -> StudyEntry:
    with ledger.transaction() as session:
        (only,) = list_studies(session).entries
    return only


def kinds(ledger: Ledger) -> list[str]:
    with ledger.transaction() as session:
        history = read_history(session, STUDY)
    assert history is not None
    return [event.kind for event in history.events]


def running(ledger: Ledger, workflow_id: str = "w1") -> Claim:
    ours = claim(workflow_id)
    assert ledger.claim(ours, announced(ledger))
    assert ledger.begin_analysis(ours.analysis_id, workflow_id) == 0
    return ours


def test_identity_depends_on_study_content_and_fingerprint():
    identities = {
        Claim(StudyInstanceUID(study), digest, fingerprint, "w").analysis_id
        for study in ("1.2", "1.3")
        for digest in ("d1", "d2")
        for fingerprint in ("f1", "f2")
    }
    assert len(identities) == 8
    assert claim("w1").analysis_id == claim("w2").analysis_id


def test_study_is_queued_until_claimed_and_then_as_its_analysis(ledger: Ledger):
    arrival = announced(ledger)
    assert entry(ledger).state == JobState.QUEUED
    assert entry(ledger).current is None
    assert ledger.claim(claim(), arrival)
    assert ledger.begin_analysis(claim().analysis_id, "w1") == 0
    assert entry(ledger).state == JobState.RUNNING
    announced(ledger)
    assert entry(ledger).state == JobState.QUEUED


def test_repeated_claim_is_still_ours_and_that_of_another_is_not(ledger: Ledger):
    arrival = announced(ledger)
    assert ledger.claim(claim("w1"), arrival)
    assert ledger.claim(claim("w1"), arrival)
    assert not ledger.claim(claim("w2"), arrival + 1)
    assert "study unchanged" in kinds(ledger)


def test_claim_of_an_unknown_study_is_refused(ledger: Ledger):
    assert not ledger.claim(claim(), 1)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.WAITING])
def test_failed_or_waiting_analysis_is_taken_over(ledger: Ledger, state: JobState):
    ours = running(ledger)
    ledger.end_analysis(ours.analysis_id, Ending(state, Reason.DISK_FULL, "full"))
    assert entry(ledger).state == state
    assert ledger.claim(claim("w2"), announced(ledger))
    assert ledger.begin_analysis(ours.analysis_id, "w1") is None
    assert ledger.begin_analysis(ours.analysis_id, "w2") == 0


def test_other_content_is_another_revision(ledger: Ledger):
    ours = running(ledger)
    assert ledger.record_analysis(ours.analysis_id, OUTCOME, [])
    assert ledger.claim(claim("w2", "d2"), announced(ledger))
    current = entry(ledger).current
    assert current is not None
    assert current.revision == 2


def test_interrupted_analysis_is_counted(ledger: Ledger):
    ours = running(ledger)
    assert [ledger.begin_analysis(ours.analysis_id, "w1") for _ in range(2)] == [1, 2]
    assert kinds(ledger).count("analysis interrupted") == 2


def test_result_of_a_cancelled_analysis_is_dropped(ledger: Ledger):
    ours = running(ledger)
    with ledger.transaction() as session:
        assert ledger.cancel(session, STUDY) == 1
    assert not ledger.record_analysis(ours.analysis_id, OUTCOME, ["pacs"])
    ledger.end_analysis(ours.analysis_id, Ending(JobState.FAILED))
    assert entry(ledger).state == JobState.CANCELLED


def test_study_is_delivered_when_every_destination_has_everything(ledger: Ledger):
    ours = running(ledger)
    assert ledger.record_analysis(ours.analysis_id, OUTCOME, ["pacs", "archive"])
    for name, state in (("pacs", JobState.ANALYSED), ("archive", JobState.DELIVERED)):
        assert ledger.begin_delivery(ours.analysis_id, name, 1) == OUTCOME.folder
        ledger.end_delivery(ours.analysis_id, name, DeliveryEnding(DeliveryState.DELIVERED, 2))
        assert entry(ledger).state == state


def test_recording_again_after_a_crash_changes_nothing(ledger: Ledger):
    ours = running(ledger)
    assert ledger.record_analysis(ours.analysis_id, OUTCOME, ["pacs"])
    ledger.begin_delivery(ours.analysis_id, "pacs", 1)
    assert ledger.record_analysis(ours.analysis_id, OUTCOME, ["pacs"])
    current = entry(ledger).current
    assert current is not None
    assert [(one.destination, one.state) for one in current.deliveries] == [("pacs", "sending")]


def test_waiting_delivery_says_when_it_is_tried_again(ledger: Ledger):
    ours = running(ledger)
    ledger.record_analysis(ours.analysis_id, OUTCOME, ["pacs"])
    ledger.begin_delivery(ours.analysis_id, "pacs", 1)
    ledger.end_delivery(
        ours.analysis_id, "pacs", DeliveryEnding(DeliveryState.WAITING, 0, Reason.PEER_UNREACHABLE, "down", 3600.0)
    )
    current = entry(ledger).current
    assert current is not None
    (delivery,) = current.deliveries
    assert delivery.next_attempt_at == delivery.updated_at + timedelta(hours=1)
    assert delivery.reason == "peer_unreachable"


def test_overtaken_attempt_finds_nothing_to_do(ledger: Ledger):
    ours = running(ledger)
    ledger.record_analysis(ours.analysis_id, OUTCOME, ["pacs"])
    ledger.begin_delivery(ours.analysis_id, "pacs", 1)
    ledger.end_delivery(ours.analysis_id, "pacs", DeliveryEnding(DeliveryState.WAITING, retry_in_s=1.0))
    with ledger.transaction() as session:
        assert retry_deliveries(ledger, session, STUDY) == ((ours.analysis_id, "pacs", 3),)
    assert ledger.begin_delivery(ours.analysis_id, "pacs", 2) is None
    assert ledger.begin_delivery(ours.analysis_id, "pacs", 3) == OUTCOME.folder


def test_what_is_delivered_is_not_sent_again(ledger: Ledger):
    ours = running(ledger)
    ledger.record_analysis(ours.analysis_id, OUTCOME, ["pacs"])
    ledger.begin_delivery(ours.analysis_id, "pacs", 1)
    ledger.end_delivery(ours.analysis_id, "pacs", DeliveryEnding(DeliveryState.DELIVERED, 2))
    assert ledger.begin_delivery(ours.analysis_id, "pacs", 2) is None
    with ledger.transaction() as session:
        assert retry_deliveries(ledger, session, STUDY) == ()


def test_removed_study_leaves_its_events(ledger: Ledger):
    ours = running(ledger)
    ledger.record_analysis(ours.analysis_id, OUTCOME, ["pacs"])
    with ledger.transaction() as session:
        ledger.remove(session, STUDY)
        assert list_studies(session).entries == ()
        assert read_history(session, STUDY) is None
    announced(ledger)
    assert kinds(ledger) == ["study ready", "analysis measured", "study purged", "study ready"]


def test_moments_come_back_aware_and_in_utc(ledger: Ledger):
    announced(ledger)
    assert entry(ledger).first_ready_at == START + timedelta(seconds=1)
    assert entry(ledger).first_ready_at.utcoffset() == timedelta(0)
