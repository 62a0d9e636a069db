"""What is counted and looked for in the job database, on SQLite and on Postgres."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.domain.errors import Finding, PermanentError, Reason, Severity
from node.domain.feedback import Feedback, FeedbackKind
from node.domain.identity import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisOutcome, AnalysisStatus, DeliveryEnding, DeliveryState, Ending, JobState
from node.domain.worklist import StudyQuery
from node.jobs import Claim, JobClient, Ledger, open_jobs
from node.jobs.database import database_url, open_engine
from tests.support.postgres import PostgresServer, running_postgres

ONE, TWO, THREE = (StudyInstanceUID(f"2.25.{number}") for number in (1, 2, 3))
START = datetime(2026, 1, 2, tzinfo=UTC)


class Books:
    """A job database in which the test plays the worker; each look at the clock takes a second."""

    def __init__(self, database: str, results: Path) -> None:
        self._at = START
        self.results = results
        url = database_url(database)
        self.ledger = Ledger(open_engine(url), url, self._now)
        self.jobs: JobClient = open_jobs(database, self._now)

    def _now(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at

    def begun(self, uid: StudyInstanceUID) -> AnalysisId:
        self.jobs.study_ready(uid)
        claim = Claim(uid, "digest", "fingerprint", f"workflow {uid}")
        self.ledger.claim(claim, 1)
        self.ledger.begin_analysis(claim.analysis_id, claim.workflow_id)
        return claim.analysis_id

    def measured(self, uid: StudyInstanceUID, end: DeliveryEnding) -> None:
        analysis, folder = self.begun(uid), self.results
        reasons = ((Reason.PLANES_DISAGREE, Severity.FLAG), (Reason.LEVEL_MISSING, Severity.WITHHOLD))
        outcome = AnalysisOutcome(AnalysisStatus.PARTIAL, (), folder, 3, (), reasons)
        self.ledger.record_analysis(analysis, outcome, ["pacs"])
        self.ledger.begin_delivery(analysis, "pacs", 1)
        self.ledger.end_delivery(analysis, "pacs", end)

    def declined(self, uid: StudyInstanceUID) -> None:
        finding = Finding(Reason.NO_SAGITTAL_T2, Severity.DECLINE, "none")
        self.ledger.end_analysis(self.begun(uid), Ending(JobState.DECLINED, Reason.NO_SAGITTAL_T2, "none", (finding,)))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    is_local = request.param == "sqlite"
    results = tmp_path / "results"
    results.mkdir()
    books = Books(f"sqlite:{tmp_path}/jobs.db" if is_local else request.getfixturevalue("server").new_database(), results)
    yield books
    books.jobs.close()
    books.ledger.close()


def test_everything_is_counted_and_outlives_what_is_purged(books: Books):
    books.measured(ONE, DeliveryEnding(DeliveryState.DELIVERED, 3))
    books.measured(TWO, DeliveryEnding(DeliveryState.DEAD, 0, Reason.PEER_UNREACHABLE, "away"))
    books.declined(THREE)
    tally = books.jobs.tally()
    assert tally.studies == {"delivered": 1, "analysed": 1, "declined": 1}
    assert tally.deliveries == {("pacs", "delivered"): 1, ("pacs", "dead"): 1}
    assert tally.oldest_queued_at is None
    counted = (tally.received, tally.analyses, tally.attempts, tally.reasons, tally.durations)
    assert counted[:4] == (
        3,
        {("partial", ""): 2, ("declined", "no_sagittal_t2"): 1},
        {("pacs", "delivered"): 1, ("pacs", "dead"): 1},
        {("planes_disagree", "flag"): 2, ("level_missing", "withhold"): 2, ("no_sagittal_t2", "decline"): 1},
    )
    assert tally.durations.count == 2
    assert tally.durations.sum_s > 0
    for uid in (ONE, TWO, THREE):
        books.jobs.purge(uid)
    tally = books.jobs.tally()
    assert (tally.studies, tally.deliveries) == ({}, {})
    assert (tally.received, tally.analyses, tally.attempts, tally.reasons, tally.durations) == counted


def test_the_longest_waiting_study_is_known(books: Books):
    books.jobs.study_ready(ONE)
    books.jobs.study_ready(TWO)
    first = books.jobs.study(ONE).study.updated_at
    assert books.jobs.tally().oldest_queued_at == first


def test_studies_are_found(books: Books):
    books.measured(ONE, DeliveryEnding(DeliveryState.DELIVERED, 3))
    books.measured(TWO, DeliveryEnding(DeliveryState.DEAD, 0, Reason.PEER_UNREACHABLE, "away"))
    books.declined(THREE)

    def found(query: StudyQuery) -> list[str]:
        return [entry.study_instance_uid for entry in books.jobs.find(query).entries]

    assert found(StudyQuery()) == [THREE, TWO, ONE]
    assert found(StudyQuery(states=frozenset({JobState.DELIVERED, JobState.DECLINED}))) == [THREE, ONE]
    assert found(StudyQuery(status="partial")) == [TWO, ONE]
    assert found(StudyQuery(deliveries=frozenset({DeliveryState.DEAD}))) == [TWO]
    assert found(StudyQuery(is_dead=True)) == [TWO]
    assert found(StudyQuery(reason="level_missing")) == [TWO, ONE]
    assert found(StudyQuery(reason="peer_unreachable")) == [TWO]
    assert found(StudyQuery(reason="no_sagittal_t2")) == [THREE]
    assert found(StudyQuery(text="25.3")) == [THREE]
    assert found(StudyQuery(text="_")) == []
    part = books.jobs.find(StudyQuery(limit=1, offset=1))
    assert ([entry.study_instance_uid for entry in part.entries], part.total) == ([TWO], 3)


def test_what_was_delivered_is_sent_again_only_when_asked_for(books: Books):
    books.measured(ONE, DeliveryEnding(DeliveryState.DELIVERED, 3))
    with pytest.raises(PermanentError, match="nothing to retry"):
        books.jobs.retry(ONE)
    assert books.jobs.resend(ONE, ["pacs"], "me") == "delivery queued to pacs"
    entry = books.jobs.study(ONE).study
    assert entry.state == JobState.ANALYSED
    assert entry.current is not None
    assert [(one.state, one.attempt) for one in entry.current.deliveries] == [("queued", 2)]
    with pytest.raises(PermanentError, match="nothing to send again"):
        books.jobs.resend(ONE, ["pacs"])
    folder = books.ledger.begin_delivery(AnalysisId(entry.current.analysis_id), "pacs", 2)
    assert folder == books.results
    ending = DeliveryEnding(DeliveryState.DELIVERED, 3)
    books.ledger.end_delivery(AnalysisId(entry.current.analysis_id), "pacs", ending)
    assert books.jobs.study(ONE).study.state == JobState.DELIVERED


def test_results_are_sent_again_to_one_destination_also_to_a_new_one(books: Books):
    books.measured(ONE, DeliveryEnding(DeliveryState.DELIVERED, 3))
    assert books.jobs.resend(ONE, ["pacs", "archive"], "me", to="archive") == "delivery queued to archive"
    entry = books.jobs.study(ONE).study
    assert entry.current is not None
    assert [(one.destination, one.state) for one in entry.current.deliveries] == [("archive", "queued"), ("pacs", "delivered")]
    assert [(one.event.kind, one.event.subject, one.event.message) for one in books.jobs.audit(ONE)][-1] == (
        "delivery resent",
        "archive",
        "by me",
    )
    assert not books.jobs.has_ended(ONE)


def test_what_cannot_be_sent_again_says_why(books: Books):
    def refused(uid: StudyInstanceUID, to: str = "") -> tuple[Reason, str]:
        with pytest.raises(PermanentError) as error:
            books.jobs.resend(uid, ["pacs"], "me", to)
        return error.value.reason, error.value.message

    books.measured(ONE, DeliveryEnding(DeliveryState.DELIVERED, 3))
    books.declined(TWO)
    assert refused(ONE, "nowhere") == (
        Reason.DESTINATION_UNKNOWN,
        "no destination 'nowhere' in the configuration; there are: pacs",
    )
    assert refused(TWO) == (Reason.NOTHING_TO_RETRY, "study 2.25.2 is declined and has no results: nothing to send again")
    assert refused(THREE)[0] is Reason.STUDY_UNKNOWN
    books.results.rmdir()
    assert refused(ONE)[0] is Reason.REPORT_UNREADABLE
    books.jobs.purge_ended(ONE, "retention")
    reason, message = refused(ONE)
    assert reason is Reason.STUDY_UNKNOWN
    assert "purged by retention on 2026-01-02; send its images again" in message


def test_feedback_is_kept_once_and_counted_for_ever(books: Books):
    books.measured(ONE, DeliveryEnding(DeliveryState.DELIVERED, 3))
    current = books.jobs.study(ONE).study.current
    assert current is not None
    uids = ONE, SeriesInstanceUID("2.25.7"), SOPInstanceUID("2.25.8")
    said = Feedback(*uids, AnalysisId(current.analysis_id), "SEG", FeedbackKind.CORRECTED, "masks", START)
    assert books.jobs.note_feedback(said)
    assert not books.jobs.note_feedback(said)
    assert books.jobs.note_feedback(replace(said, kind=FeedbackKind.REJECTED))
    assert [one.kind for one in books.jobs.study(ONE).feedback] == [FeedbackKind.REJECTED]
    assert books.jobs.purge_ended(ONE, "retention")
    assert not books.jobs.note_feedback(said)
    assert books.jobs.feedback() == ()
    assert books.jobs.tally().feedback == {"corrected": 1, "rejected": 1}


def test_a_delivery_that_is_queued_again_no_longer_tells_why_it_failed(books: Books):
    books.measured(ONE, DeliveryEnding(DeliveryState.DEAD, 0, Reason.PEER_UNREACHABLE, "away"))
    books.jobs.retry(ONE)
    current = books.jobs.study(ONE).study.current
    assert current is not None
    assert [(one.state, one.reason, one.message) for one in current.deliveries] == [("queued", None, "")]


def test_a_reader_neither_waits_for_a_writer_nor_holds_one_up(books: Books):
    books.jobs.study_ready(ONE)
    with books.ledger.transaction() as session:
        books.ledger.announce(session, TWO)
        assert [entry.study_instance_uid for entry in books.jobs.studies()] == [ONE]
    with books.ledger.reading():
        books.jobs.study_ready(THREE)
    assert len(books.jobs.studies()) == 3
