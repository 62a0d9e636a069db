"""Workers of several machines on one Postgres: what a dead one began is taken over, once, within limits, and by none twice."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from node.config import Config, JobsConfig
from node.doctor.check import CheckResult
from node.doctor.work import work_checks
from node.domain.identity import StudyInstanceUID
from node.domain.job import JobState
from tests.support.external import wait_until
from tests.support.job_node import OTHER_STUDY, STUDY, Node, make_node
from tests.support.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def node(server: PostgresServer, tmp_path: Path) -> Iterator[Node]:
    yield from make_node(tmp_path, server.new_database())


@pytest.fixture
def local_node(tmp_path: Path) -> Iterator[Node]:
    yield from make_node(tmp_path, f"sqlite:{tmp_path}/jobs.db")


def end_place(node: Node, worker: str) -> int:
    """End the session that holds the place of a worker, as a broken network does; return how many there were."""
    with psycopg.connect(node.database, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s",
            [f"cspine-node place {worker}"],
        ).fetchone()
    return ended[0] if ended else 0


def test_what_a_worker_that_never_comes_back_began_is_done_by_another_machine(node: Node):
    node.world.set("hold analysis")
    node.jobs.study_ready(STUDY)
    dead = node.working(machine="a")
    node.world.wait_for(f"analyse {STUDY}")
    node.working(machine="b")
    dead.kill()
    node.world.clear("hold analysis")
    node.wait_for(JobState.DELIVERED)
    assert node.world.happened().count(f"analysed {STUDY}") == 1
    assert node.jobs.study(STUDY).analyses[0].interruptions == 1


def test_a_delivery_of_a_dead_worker_is_made_by_another_machine(node: Node):
    node.world.set("hold pacs")
    node.jobs.study_ready(STUDY)
    dead = node.working(machine="a")
    node.world.wait_for("send pacs")
    node.wait_for_delivery("archive", "delivered")
    node.working(machine="b")
    dead.kill()
    node.world.clear("hold pacs")
    node.wait_for(JobState.DELIVERED)
    assert sum(line.startswith("sent pacs") for line in node.world.happened()) == 1


def test_a_live_worker_keeps_its_work_however_long_it_takes(node: Node):
    node.world.set("hold analysis")
    node.jobs.study_ready(STUDY)
    node.working(machine="a")
    node.world.wait_for(f"analyse {STUDY}")
    other = node.working(machine="b", alarm_s=1)
    wait_until(lambda: "job runs for too long" in other.log, "the alarm, several looks later", 20)
    assert "job taken over" not in other.log
    assert [(job.job, job.worker) for job in node.jobs.stalled(0.5)] == [(f"analyse:{STUDY}:1:1", "a-0")]
    assert node.jobs.stalled(60) == ()
    (check,) = work_checks(Config(database=node.database, jobs=JobsConfig(alarm_s=1)))
    assert check.result is CheckResult.FAILED
    assert f"first analyse:{STUDY}:1:1 on a-0 since" in check.message
    node.world.clear("hold analysis")
    node.wait_for(JobState.DELIVERED)
    wait_until(lambda: node.jobs.stalled(0) == (), "nothing runs")


def test_a_worker_whose_connection_was_cut_takes_its_place_again(node: Node):
    node.world.set("hold analysis")
    node.jobs.study_ready(STUDY)
    worker = node.working(machine="a")
    node.world.wait_for(f"analyse {STUDY}")
    node.working(machine="b")
    assert end_place(node, "a-0") == 1
    wait_until(lambda: "the place in the cluster was lost" in worker.log, "the worker to notice")
    wait_until(lambda: is_held(node, "a-0"), "the place is held again")
    node.world.clear("hold analysis")
    node.wait_for(JobState.DELIVERED)
    assert node.world.happened().count(f"analyse {STUDY}") == 1


def is_held(node: Node, worker: str) -> bool:
    with psycopg.connect(node.database, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"
            " AND application_name = %s",
            [f"cspine-node place {worker}"],
        ).fetchone()
    return bool(row and row[0])


def test_a_worker_that_was_declared_dead_and_lives_is_fenced(node: Node):
    node.world.set("hold analysis")
    node.jobs.study_ready(STUDY)
    sleeper = node.working(machine="a")
    node.world.wait_for(f"analyse {STUDY}")
    sleeper.send(signal.SIGSTOP)
    other = node.working(machine="b")
    assert end_place(node, "a-0") == 1
    wait_until(lambda: "job taken over" in other.log, "the work to be taken over")
    node.world.wait_for(f"analyse {STUDY}", times=2)
    sleeper.send(signal.SIGCONT)
    node.world.clear("hold analysis")
    node.wait_for(JobState.DELIVERED)
    node.jobs.study_ready(OTHER_STUDY)
    node.wait_for(JobState.DELIVERED, OTHER_STUDY)
    (analysis,) = node.jobs.study(STUDY).analyses
    sent = [line for line in node.world.happened() if line.startswith("sent")]
    assert sum(analysis.analysis_id in line for line in sent) == 2, "once to each destination"
    assert [(one.destination, one.state) for one in analysis.deliveries] == [("archive", "delivered"), ("pacs", "delivered")]


@pytest.mark.parametrize("victim", ["analysis fails", "delivery fails"])
def test_a_job_that_kills_its_workers_is_parked_and_goes_round_no_more(node: Node, victim: str):
    node.world.set(victim, "process")
    node.jobs.study_ready(STUDY)
    for machine in "ab":
        assert node.working(machine=machine).wait() == -signal.SIGKILL
    node.working(machine="c")
    if victim == "analysis fails":
        node.wait_for(JobState.FAILED)
        assert node.jobs.study(STUDY).analyses[0].reason == "process_ended"
    else:
        node.wait_for_delivery("pacs", "dead")
        (dead,) = (one for one in node.jobs.study(STUDY).analyses[0].deliveries if one.destination == "pacs")
        assert (dead.reason, dead.attempt) == ("process_ended", 1)
        node.wait_for_delivery("archive", "delivered")
    node.world.clear(victim)
    node.jobs.retry(STUDY)
    node.wait_for(JobState.DELIVERED)


def test_a_study_whose_files_kill_the_worker_that_reads_them_is_parked(node: Node):
    node.world.set(f"digest {STUDY}", "kill")
    node.jobs.study_ready(STUDY)
    for machine in "ab":
        assert node.working(machine=machine).wait() == -signal.SIGKILL
    node.working(machine="c")
    node.wait_for(JobState.FAILED)
    assert node.jobs.study(STUDY).analyses[0].reason == "process_ended"


def test_a_second_worker_of_one_name_is_refused(node: Node):
    node.start_patience_s = 2
    node.working(machine="a")
    second = node.work(machine="a")
    message = second.line(90)
    assert message.startswith("already_running: worker a-0 already runs")
    assert second.wait() == 1


def test_work_that_is_taken_over_keeps_to_one_analysis_at_a_time(local_node: Node):
    node = local_node
    node.world.set("hold analysis")
    studies = [StudyInstanceUID(f"1.2.3.{number}") for number in range(2)]
    for slot, study in enumerate(studies, start=1):
        worker = node.working(slot=slot, workers=3)
        node.jobs.study_ready(study)
        node.world.wait_for(f"analyse {study}")
        worker.kill()
    node.working(slot=0, workers=1)
    node.world.wait_for(f"analyse {studies[0]}", times=2)
    assert [job.job for job in node.jobs.stalled(0)] == [f"analyse:{studies[0]}:1:1"]
    node.world.clear("hold analysis")
    for study in studies:
        node.wait_for(JobState.DELIVERED, study)
