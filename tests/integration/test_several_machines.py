"""Two machines on one job database write the same rows at the same moment."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisOutcome, AnalysisStatus, DeliveryEnding, DeliveryState, JobState
from node.jobs import Claim, open_jobs
from node.jobs.database import database_url, open_engine, prepare_database
from node.jobs.ledger import Ledger
from tests.support.job_node import STUDY
from tests.support.postgres import PostgresServer, running_postgres

CLAIM = Claim(STUDY, "digest", "fingerprint", "analyse:1")
TIMES = 150


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


def at_once(*actions: Callable[[], None]) -> None:
    """Do actions in threads of their own, beginning together; raise what one of them raises."""
    barrier = threading.Barrier(len(actions))
    errors: list[BaseException] = []

    def run(action: Callable[[], None]) -> None:
        barrier.wait()
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,), daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "it waits for ever"
    if errors:
        raise errors[0]


def test_a_study_that_is_announced_while_its_delivery_ends_locks_nobody_out(server: PostgresServer):
    database = server.new_database()
    url = database_url(database)
    prepare_database(url)
    ledgers = [Ledger(open_engine(url), url, lambda: datetime.now(UTC)) for _ in range(2)]
    with ledgers[0].transaction() as session:
        ledgers[0].announce(session, STUDY)
    assert ledgers[0].claim(CLAIM, 1)
    ledgers[0].begin_analysis(CLAIM.analysis_id, "analyse:1")
    ledgers[0].record_analysis(
        CLAIM.analysis_id, AnalysisOutcome(AnalysisStatus.MEASURED, folder=Path("x"), object_count=1), ["pacs"]
    )

    def deliver() -> None:
        for attempt in range(1, TIMES):
            ledgers[0].begin_delivery(CLAIM.analysis_id, "pacs", attempt)
            ledgers[0].end_delivery(CLAIM.analysis_id, "pacs", DeliveryEnding(DeliveryState.WAITING, retry_in_s=1.0))

    def claim() -> None:
        for arrival in range(1, 2 * TIMES):
            ledgers[1].claim(Claim(STUDY, "digest", "fingerprint", f"analyse:{arrival}"), arrival)

    at_once(deliver, claim)
    for ledger in ledgers:
        ledger.close()
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row == (0,)


def test_machines_that_start_together_on_a_new_database_prepare_it_once(server: PostgresServer):
    url = database_url(server.new_database())
    at_once(*(lambda: prepare_database(url) for _ in range(6)))


def test_receivers_that_announce_a_new_study_at_the_same_moment_are_both_heard(server: PostgresServer):
    database = server.new_database()
    receivers = [open_jobs(database) for _ in range(4)]
    studies = [StudyInstanceUID(f"1.2.3.{number}") for number in range(25)]

    def announce(receiver: int) -> Callable[[], None]:
        return lambda: [receivers[receiver].study_ready(study) for study in studies] and None

    at_once(*(announce(receiver) for receiver in range(4)))
    entries = receivers[0].studies()
    assert {entry.study_instance_uid: entry.state for entry in entries} == dict.fromkeys(studies, JobState.QUEUED)
    events = [event for study in studies for event in receivers[0].study(study).events]
    assert len(events) == 4 * len(studies)
    for receiver in receivers:
        receiver.close()
