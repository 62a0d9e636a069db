"""What retention deletes and what it leaves: real files, SQLite and Postgres."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.config import RetentionConfig
from node.domain.errors import Reason
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisOutcome, AnalysisStatus, DeliveryEnding, DeliveryState, Ending, JobState
from node.domain.prediction import ModelIdentity
from node.jobs import Claim, JobClient, Ledger, open_jobs
from node.jobs.database import database_url, open_engine
from node.retention import Retention, Sweep
from node.store import PatientStudy, Store, open_store, read_head
from tests.support.dicom_peers import Uids, mr_instance, write_instance
from tests.support.postgres import PostgresServer, running_postgres

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@dataclass
class Place:
    """A store, its job database, and a clock that a test moves."""

    store: Store
    jobs: JobClient
    ledger: Ledger
    database: str
    now: datetime = START

    def received(self, *, analysed: bool = True) -> StudyInstanceUID:
        """Put a study with results into the store."""
        uids = Uids.new()
        arrived = write_instance(self.store.incoming / "arrived.dcm", mr_instance(uids))
        self.store.receive(arrived, read_head(arrived))
        study = StudyInstanceUID(uids.study)
        if analysed:
            folder = self.store.results_folder(study, "a1")
            (folder / "sr.dcm").write_bytes(b"SR")
            self.store.note_analysis(PatientStudy("0" * 64, "20260101000000"), study, "a1")
        return study

    def begun(self, study: StudyInstanceUID) -> Claim:
        self.jobs.study_ready(study, ("MRI1 at 10.0.0.5",))
        claim = Claim(study, "digest", "fingerprint", f"w{study}")
        assert self.ledger.claim(claim, 1)
        assert self.ledger.begin_analysis(claim.analysis_id, claim.workflow_id) == 0
        return claim

    def ended(self, state: JobState) -> StudyInstanceUID:
        study = self.received(analysed=False)
        self.ledger.end_analysis(self.begun(study).analysis_id, Ending(state, Reason.NO_SAGITTAL_T2, "none"))
        return study

    def sent(self, *states: DeliveryState) -> StudyInstanceUID:
        """Put a study there that was measured, with a delivery to one destination in each of the states."""
        study = self.received()
        claim = self.begun(study)
        model = ModelIdentity("keypoints", "0.3.0", "ab" * 32)
        outcome = AnalysisOutcome(AnalysisStatus.MEASURED, folder=Path("/r"), object_count=1, models=(model,))
        names = [f"pacs{number}" for number in range(len(states))]
        assert self.ledger.record_analysis(claim.analysis_id, outcome, names)
        for name, state in zip(names, states, strict=True):
            if state is DeliveryState.QUEUED:
                continue
            assert self.ledger.begin_delivery(claim.analysis_id, name, 1)
            ending = DeliveryEnding(state, 1, evidence="2.25.7 to PACS at 10.0.0.2:104")
            self.ledger.end_delivery(claim.analysis_id, name, ending)
        return study

    def sweep(self, *, days: float = 0.0, **fields: object) -> Sweep:
        """Let days pass, and sweep."""
        self.now += timedelta(days=days)
        config = RetentionConfig.model_validate({"minimum_free_disk_mb": 0} | fields)
        return Retention(config, self.store, self.jobs, lambda: self.now).sweep()

    def files(self) -> list[Path]:
        return sorted(path for path in self.store.root.rglob("*") if path.is_file() and path.name != "removal.lock")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    database = f"sqlite:{tmp_path}/jobs.db"
    if request.param == "postgres":
        database = request.getfixturevalue("server").new_database()
    url = database_url(database)
    clock = lambda: made.now  # noqa: E731 - the place that is made in the next lines
    jobs, ledger = open_jobs(database, clock), Ledger(open_engine(url), url, clock)
    made = Place(open_store(f"file:{tmp_path}/store"), jobs, ledger, database)
    jobs.studies()
    yield made
    jobs.close()
    ledger.close()


def test_each_state_has_its_own_age(place: Place):
    delivered, declined = place.sent(DeliveryState.DELIVERED), place.ended(JobState.DECLINED)
    failed, dead = place.ended(JobState.FAILED), place.sent(DeliveryState.DELIVERED, DeliveryState.DEAD)
    only_here = place.sent()
    ages = {"delivered_days": 30, "declined_days": 7, "failed_days": 90}
    assert place.sweep(days=6.9, **ages).studies == ()
    assert place.sweep(days=0.2, **ages).studies == (declined,)
    assert place.sweep(days=22.8, **ages).studies == ()
    assert place.sweep(days=0.2, **ages).studies == (delivered,)
    assert set(place.store.study_uids()) == {failed, dead, only_here}
    assert set(place.sweep(days=60, **ages).studies) == {failed, dead, only_here}
    assert place.files() == []


def test_what_failed_or_is_only_here_stays_by_default(place: Place):
    kept = {place.ended(JobState.FAILED), place.sent(DeliveryState.DEAD), place.sent(DeliveryState.INCOMPLETE), place.sent()}
    assert place.sweep(days=10_000).studies == ()
    assert set(place.store.study_uids()) == kept


EVERYTHING = {"delivered_days": 0, "declined_days": 0, "failed_days": 0, "minimum_free_disk_mb": 10**9}


def test_a_study_at_work_is_never_deleted(place: Place):
    announced = place.received()
    place.jobs.study_ready(announced)
    running = place.received()
    place.begun(running)
    waiting = place.ended(JobState.WAITING)
    owed = place.sent(DeliveryState.DELIVERED, DeliveryState.QUEUED)
    retried = place.sent(DeliveryState.DELIVERED, DeliveryState.WAITING)
    again = place.sent(DeliveryState.DELIVERED)
    place.jobs.study_ready(again)
    open_again = place.sent(DeliveryState.DELIVERED)
    place.store.mark_open(open_again)
    before = place.files()
    assert place.sweep(days=10_000, **EVERYTHING).studies == ()
    assert set(place.store.study_uids()) == {announced, running, waiting, owed, retried, again, open_again}
    assert place.files() == before


def test_the_files_of_a_study_whose_results_are_still_owed_are_not_even_moved(place: Place):
    study = place.sent(DeliveryState.WAITING)
    before = (place.store.root / "studies" / study).stat()
    assert place.sweep(days=10_000, **EVERYTHING).studies == ()
    assert (place.store.root / "studies" / study).stat().st_ctime_ns == before.st_ctime_ns


def test_a_study_that_is_announced_while_it_is_being_removed_stays(place: Place):
    study = place.sent(DeliveryState.DELIVERED)
    before = place.files()
    with place.store.removal.alone():
        assert place.store.removal.take_out(study)
        place.jobs.study_ready(study)  # of an image that came before
        assert not place.jobs.purge_ended(study, "retention")
        place.store.removal.put_back(study)
    assert place.files() == before
    assert place.jobs.study(study).study.state is JobState.QUEUED


def test_an_older_revision_that_is_still_owed_keeps_its_study(place: Place):
    study = place.sent(DeliveryState.WAITING)
    place.jobs.study_ready(study)
    second = Claim(study, "digest 2", "fingerprint", "w2")
    assert place.ledger.claim(second, 2)
    place.ledger.begin_analysis(second.analysis_id, "w2")
    place.ledger.end_analysis(second.analysis_id, Ending(JobState.DECLINED))
    assert place.sweep(days=10_000, **EVERYTHING).studies == ()
    assert place.store.study_uids() == (study,)


def test_a_full_disk_takes_the_longest_unchanged_that_nobody_needs(place: Place):
    first = place.sent(DeliveryState.DELIVERED)
    place.now += timedelta(hours=1)
    second = place.ended(JobState.DECLINED)
    place.now += timedelta(hours=1)
    third = place.sent(DeliveryState.DELIVERED)
    kept = place.ended(JobState.FAILED)

    class Filling(Store):
        """A disk that has room again when two studies are gone."""

        def free_mb(self) -> float:
            return 5000 - 1000 * len(self.study_uids())

    place.store = Filling(place.store.root)
    assert place.sweep(minimum_free_disk_mb=3000).studies == (first, second)
    assert set(place.store.study_uids()) == {third, kept}


def test_what_no_job_knows_goes_as_declined_studies_do(place: Place):
    study = place.received(analysed=False)
    old = (place.now - timedelta(days=8)).timestamp()
    folder = place.store.root / "studies" / study
    assert place.sweep().studies == ()
    for path in (*folder.iterdir(), folder):
        os.utime(path, (old, old))
    assert place.sweep().studies == (study,)
    assert place.files() == []


def test_the_trail_outlives_the_study_and_ends_at_its_own_age(place: Place):
    study = place.sent(DeliveryState.DELIVERED)
    place.sweep(days=31)
    trail = [(entry.event.kind, entry.event.subject, entry.event.message) for entry in place.jobs.audit(study)]
    assert trail[0] == ("study received", "from MRI1 at 10.0.0.5", "")
    (weights,) = [message for kind, _, message in trail if kind == "analysis measured"]
    assert weights == f"keypoints 0.3.0 sha256 {'ab' * 32}"
    assert ("delivery delivered", "pacs0", "2.25.7 to PACS at 10.0.0.2:104") in trail
    assert trail[-1] == ("study purged", "", "by retention")
    assert place.jobs.audit(study, since=place.now + timedelta(days=1)) == ()
    assert place.sweep(days=3700).events == len(trail)
    assert place.jobs.audit() == ()


def test_jobs_lie_in_the_database_as_json_so_that_a_row_is_never_code(place: Place):
    study = place.received()
    place.jobs.study_ready(study)
    engine = open_engine(database_url(place.database))
    schema = "dbos." if place.database.startswith("postgres") else ""
    with engine.connect() as connection:
        inputs = connection.exec_driver_sql(f"SELECT inputs FROM {schema}workflow_input").scalars().all()  # noqa: S608 - one of two
        kinds = connection.exec_driver_sql(f"SELECT serialization FROM {schema}workflow_status").scalars().all()  # noqa: S608
    engine.dispose()
    assert [json.loads(one)["positionalArgs"][0] for one in inputs] == [study]
    assert kinds == ["portable_json"]


def test_who_retried_and_cancelled_is_in_the_trail(place: Place):
    study = place.ended(JobState.FAILED)
    place.jobs.retry(study, "alice on ws1")
    place.jobs.cancel(study, "bob on ws2")
    messages = {entry.event.kind: entry.event.message for entry in place.jobs.audit(study)}
    assert messages["analysis retried"] == "by alice on ws1"
    assert messages["study cancelled"] == "by bob on ws2"


def test_rows_of_finished_jobs_go_and_those_of_waiting_ones_stay(place: Place):
    for _ in range(3):
        place.jobs.cancel(_announced(place))
    waiting = _announced(place)
    place.now = datetime.now(UTC)  # the rows of the engine carry its own time
    assert place.sweep(days=-1, job_days=0, declined_days=None).jobs == 0
    assert place.sweep(days=2, job_days=0, declined_days=None).jobs == 3
    assert place.jobs.study(waiting).study.state is JobState.QUEUED
    assert place.sweep(job_days=0, declined_days=None).jobs == 0


def _announced(place: Place) -> StudyInstanceUID:
    study = place.received(analysed=False)
    place.jobs.study_ready(study)
    return study


def test_only_one_process_sweeps_and_what_one_left_is_put_back(place: Place):
    study, kept = place.sent(DeliveryState.DELIVERED), place.sent(DeliveryState.QUEUED)
    before = place.files()
    with place.store.removal.alone() as is_alone:
        assert is_alone
        assert place.store.removal.take_out(kept)
        assert place.sweep(days=100).studies == ()
    assert place.files() != before
    assert place.sweep().studies == (study,)
    assert place.store.study_uids() == (kept,)
    assert place.files() == [path for path in before if study not in str(path)]
