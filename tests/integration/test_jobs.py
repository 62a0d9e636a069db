"""The durable engine on real databases: real worker processes with fake stages are killed at the worst moments."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbos import DBOSClient, DBOSPortableJSONSerializer

from node.domain.errors import PermanentError, Reason, TransientError
from node.domain.identity import StudyInstanceUID
from node.domain.job import JobState
from node.jobs import open_jobs
from node.jobs.database import database_url
from tests.support.external import free_port, wait_until
from tests.support.hearing import hearing
from tests.support.job_node import OTHER_STUDY, STUDY, Node, make_node
from tests.support.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    is_local = request.param == "sqlite"
    database = f"sqlite:{tmp_path}/jobs.db" if is_local else request.getfixturevalue("server").new_database()
    yield from make_node(tmp_path, database)


@pytest.fixture
def local_node(tmp_path: Path) -> Iterator[Node]:
    yield from make_node(tmp_path, f"sqlite:{tmp_path}/jobs.db")


@pytest.fixture(scope="module")
def kept_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("kept")
    for node in make_node(folder, f"sqlite:{folder}/jobs.db"):
        node.working(attempts=100)
        yield node


@pytest.fixture
def busy_node(kept_node: Node) -> Iterator[Node]:
    """A node whose worker stays for several tests, which leave nothing running; each finds it without studies."""
    yield kept_node
    for entry in kept_node.jobs.studies():
        kept_node.jobs.purge(entry.study_instance_uid)
    kept_node.world.reset()


def test_retention_and_feedback_run_by_the_clock_and_leave_the_worker_at_its_work(node: Node):
    node.working()
    url = database_url(node.database).render_as_string(hide_password=False)
    client = DBOSClient(system_database_url=url, serializer=DBOSPortableJSONSerializer(), application_name="cspine-node")
    schedules = {one["schedule_name"]: one["schedule"] for one in client.list_schedules()}
    assert schedules == {"retention": "0 */15 * * * *", "feedback": "30 * * * * *"}
    for name in schedules:
        client.trigger_schedule(name)
    client.destroy()
    node.world.wait_for("swept")
    wait_until(lambda: node.world.get("feedback collected") is not None, "feedback to be collected", 30)
    node.jobs.study_ready(STUDY)
    node.wait_for(JobState.DELIVERED)


def test_study_is_analysed_and_delivered_to_every_destination(node: Node):
    node.jobs.study_ready(STUDY)
    assert node.state() == JobState.QUEUED
    node.working()
    node.wait_for(JobState.DELIVERED)
    history = node.jobs.study(STUDY)
    (analysis,) = history.analyses
    assert (analysis.revision, analysis.status, analysis.object_count) == (1, "partial", 2)
    assert analysis.findings == ({"code": "planes_disagree", "severity": "flag", "message": "planes disagree"},)
    assert analysis.models == ({"name": "toy", "version": "1", "sha256": "abc"},)
    assert [(one.destination, one.state, one.attempt, one.stored_count) for one in analysis.deliveries] == [
        ("archive", "delivered", 1, 1),
        ("pacs", "delivered", 1, 1),
    ]
    assert [event.kind for event in history.events][:2] == ["study ready", "analysis partial"]
    assert sorted(node.world.happened()) == [
        f"analyse {STUDY}",
        f"analysed {STUDY}",
        "send archive",
        "send pacs",
        f"sent archive {analysis.analysis_id}",
        f"sent pacs {analysis.analysis_id}",
    ]


def test_kill_during_analysis_and_during_delivery_loses_and_repeats_nothing_visible(node: Node):
    node.world.set("hold analysis")
    node.world.set("hold pacs")
    node.jobs.study_ready(STUDY)
    worker = node.working()
    node.world.wait_for(f"analyse {STUDY}")
    assert node.state() == JobState.RUNNING
    worker.kill()
    node.world.clear("hold analysis")

    worker = node.working()
    node.world.wait_for("send pacs")
    node.wait_for_delivery("archive", "delivered")
    worker.kill()
    assert node.delivery("pacs") == "sending"
    node.world.clear("hold pacs")

    node.working()
    node.wait_for(JobState.DELIVERED)
    happened = [line.split()[0] + " " + line.split()[1] for line in node.world.happened()]
    assert happened.count(f"analysed {STUDY}") == 1
    assert happened.count("sent pacs") == 1
    assert happened.count("sent archive") == 1
    assert happened.count("send pacs") == 2
    (analysis,) = node.jobs.study(STUDY).analyses
    assert analysis.interruptions == 1


def test_the_second_set_of_models_runs_once_after_every_delivery_and_changes_nothing(node: Node):
    node.world.set("has shadow")
    node.world.set("hold pacs")
    node.working()
    node.jobs.study_ready(STUDY)
    node.wait_for_delivery("archive", "delivered")
    assert not any(line.startswith("shadow") for line in node.world.happened())
    node.world.clear("hold pacs")
    wait_until(lambda: "shadow measured" in [one.kind for one in node.jobs.study(STUDY).events], "the shadow to end", 30)
    before = node.jobs.study(STUDY)
    assert before.study.state == JobState.DELIVERED
    assert before.study.current is not None
    ran = f"shadow {STUDY} digest 1 {before.study.current.analysis_id}"
    assert [line for line in node.world.happened() if line.startswith("shadow")] == [ran]

    node.jobs.resend(STUDY, ["pacs"], "me")
    node.wait_for(JobState.DELIVERED)
    node.world.set("shadow fails")
    node.jobs.study_ready(OTHER_STUDY)
    wait_until(lambda: "shadow failed" in [one.kind for one in node.jobs.study(OTHER_STUDY).events], "the shadow to fail", 30)
    assert node.state(OTHER_STUDY) == JobState.DELIVERED
    assert node.world.happened().count(ran) == 1
    assert node.jobs.tally().shadows == {"measured": 1, "failed": 1}
    assert "JANE" not in str(node.jobs.study(OTHER_STUDY))


def test_webhooks_are_told_of_result_failure_and_dead_letter_and_hold_up_no_delivery(node: Node):
    with hearing() as heard:
        heard.status = 503
        node.webhooks = f"[{{name: ris, url: '{heard.url}', retry: {{first_delay_s: 0.1, maximum_attempts: 50}}}}]"
        node.world.set("pacs refuses")
        node.working()
        node.jobs.study_ready(STUDY)
        node.wait_for_delivery("archive", "delivered")
        node.wait_for_delivery("pacs", "dead")
        wait_until(lambda: len(heard.messages) >= 2, "a message that is not taken", 30)
        node.world.set("analysis fails", "permanent")
        node.jobs.study_ready(OTHER_STUDY)
        node.wait_for(JobState.FAILED, OTHER_STUDY)
        heard.status = 204
        wait_until(lambda: node.jobs.tally().notices == {("ris", "told"): 3}, "every message to be taken", 30)
    told = {one["id"]: (one["type"], one["data"]["study_instance_uid"]) for one in (json.loads(m[2]) for m in heard.messages)}
    expected = [("study.failed", OTHER_STUDY), ("study.result", STUDY), ("study.undelivered", STUDY)]
    assert sorted(told.values()) == expected
    assert {headers["webhook-id"] for _, headers, _ in heard.messages} == set(told)


def test_dead_destination_ends_as_dead_letter_delays_no_other_and_is_retried(node: Node):
    node.world.set("pacs is down")
    node.working()
    node.jobs.study_ready(STUDY)
    node.jobs.study_ready(OTHER_STUDY)
    node.wait_for_delivery("archive", "delivered", STUDY)
    node.wait_for_delivery("archive", "delivered", OTHER_STUDY)
    assert node.delivery("pacs") != "dead"
    node.wait_for_delivery("pacs", "dead")
    current = node.jobs.study(STUDY).study.current
    assert current is not None
    dead = next(one for one in current.deliveries if one.destination == "pacs")
    assert (dead.attempt, dead.reason) == (3, "peer_unreachable")
    assert "3 attempts" in dead.message
    assert node.state() == JobState.ANALYSED

    node.world.clear("pacs is down")
    assert node.jobs.retry(STUDY) == "delivery queued to pacs"
    node.wait_for(JobState.DELIVERED)
    assert node.world.happened().count(f"analysed {STUDY}") == 1


def test_hanging_destination_does_not_delay_another(busy_node: Node):
    node = busy_node
    node.world.set("hold pacs")
    for number in range(6):
        node.jobs.study_ready(StudyInstanceUID(f"1.2.3.{number}"))
    for number in range(6):
        node.wait_for_delivery("archive", "delivered", StudyInstanceUID(f"1.2.3.{number}"))
    assert node.world.happened().count("send pacs") == 1
    node.world.clear("hold pacs")
    for number in range(6):
        node.wait_for(JobState.DELIVERED, StudyInstanceUID(f"1.2.3.{number}"))


def test_delivery_waits_for_a_destination_that_comes_back(busy_node: Node):
    node = busy_node
    node.world.set("pacs is down")
    node.jobs.study_ready(STUDY)
    node.world.wait_for("send pacs", times=2)
    node.world.clear("pacs is down")
    node.wait_for(JobState.DELIVERED)


def test_delivery_that_waits_is_sent_at_once_on_retry_and_only_once(busy_node: Node):
    node = busy_node
    node.world.set("pacs is down")
    node.jobs.study_ready(STUDY)
    node.wait_for_delivery("pacs", "waiting")
    node.world.clear("pacs is down")
    node.jobs.retry(STUDY)
    node.wait_for(JobState.DELIVERED)
    assert sum(line.startswith("sent pacs") for line in node.world.happened()) == 1


def test_permanent_refusal_is_a_dead_letter_at_once(busy_node: Node):
    busy_node.world.set("pacs refuses")
    busy_node.jobs.study_ready(STUDY)
    busy_node.wait_for_delivery("pacs", "dead")
    busy_node.wait_for_delivery("archive", "delivered")
    assert busy_node.world.happened().count("send pacs") == 1


def test_destination_that_refuses_some_objects_is_incomplete(busy_node: Node):
    busy_node.world.set("pacs picks")
    busy_node.jobs.study_ready(STUDY)
    busy_node.wait_for_delivery("pacs", "incomplete")
    busy_node.wait_for_delivery("archive", "delivered")
    assert busy_node.state() == JobState.ANALYSED


def test_same_content_is_analysed_once_and_late_instances_make_a_revision(node: Node):
    node.working()
    node.jobs.study_ready(STUDY)
    node.jobs.study_ready(STUDY)
    node.wait_for(JobState.DELIVERED)
    node.jobs.study_ready(STUDY)
    wait_until(lambda: [event.kind for event in node.jobs.study(STUDY).events].count("study unchanged") == 2, "two repeats")
    assert node.world.happened().count(f"analyse {STUDY}") == 1
    assert node.state() == JobState.DELIVERED

    node.world.set(f"digest {STUDY}", "digest 2")
    node.jobs.study_ready(STUDY)
    wait_until(lambda: len(node.jobs.study(STUDY).analyses) == 2, "revision 2")
    node.wait_for(JobState.DELIVERED)
    first, second = sorted(node.jobs.study(STUDY).analyses, key=lambda one: one.revision)
    assert [first.revision, second.revision] == [1, 2]
    assert [line for line in node.world.happened() if line.startswith("replaces")] == [f"replaces {first.analysis_id}"]
    assert node.world.happened().count(f"analyse {STUDY}") == 2


def test_late_instances_that_change_no_result_leave_the_version_that_was_delivered(busy_node: Node):
    node = busy_node
    node.jobs.study_ready(STUDY)
    node.wait_for(JobState.DELIVERED)
    before = node.jobs.study(STUDY)
    node.world.set(f"digest {STUDY}", "digest 2")
    node.world.set("analysis fails", "unchanged")
    for times in (1, 2):
        node.jobs.study_ready(STUDY)
        wait_until(lambda times=times: _kinds(node).count("study unchanged") == times, f"unchanged x {times}", 30)
        after = node.jobs.study(STUDY)
        assert after.analyses == before.analyses
        assert (after.study.state, after.study.current) == (JobState.DELIVERED, before.study.current)
    assert node.world.happened().count("send pacs") == 1


def _kinds(node: Node) -> list[str]:
    return [event.kind for event in node.jobs.study(STUDY).events]


def test_second_worker_in_a_slot_is_refused(local_node: Node):
    node = local_node
    node.working()
    second = node.work()
    message = second.line()
    assert message.startswith("already_running: worker ")
    assert "--slot" in message
    assert second.wait() == 1


def test_two_workers_analyse_every_study_once(node: Node):
    node.working(0, workers=2)
    node.working(1, workers=2)
    studies = [StudyInstanceUID(f"1.2.3.{number}") for number in range(12)]
    for study in studies:
        node.jobs.study_ready(study)
    for study in studies:
        node.wait_for(JobState.DELIVERED, study)
    assert sorted(line for line in node.world.happened() if line.startswith("analysed")) == sorted(
        f"analysed {s}" for s in studies
    )


def test_work_of_a_slot_that_is_no_longer_used_is_taken_over(local_node: Node):
    node = local_node
    node.world.set("hold analysis")
    node.jobs.study_ready(STUDY)
    worker = node.working(slot=1, workers=2)
    node.world.wait_for(f"analyse {STUDY}")
    worker.kill()
    node.world.clear("hold analysis")
    node.working(slot=0, workers=1)
    node.wait_for(JobState.DELIVERED)


def test_analysis_that_kills_its_worker_is_parked_as_failed(local_node: Node):
    node = local_node
    node.world.set("analysis fails", "process")
    node.jobs.study_ready(STUDY)
    for _ in range(2):
        assert node.working().wait() == -signal.SIGKILL
    node.working()
    node.wait_for(JobState.FAILED)
    (analysis,) = node.jobs.study(STUDY).analyses
    assert (analysis.reason, analysis.interruptions) == ("process_ended", 2)
    node.world.clear("analysis fails")
    node.jobs.retry(STUDY)
    node.wait_for(JobState.DELIVERED)


@pytest.mark.parametrize(
    ("failure", "state", "reason", "tries"),
    [
        ("declined", JobState.DECLINED, "no_axial_t2", 1),
        ("permanent", JobState.FAILED, "model_missing", 1),
        ("bug", JobState.FAILED, "internal_error", 1),
        ("transient", JobState.FAILED, "disk_full", 3),
        ("disk", JobState.FAILED, "disk_full", 3),
    ],
)
def test_errors_of_the_analysis_become_states(busy_node: Node, failure: str, state: JobState, reason: str, tries: int):
    node = busy_node
    node.world.set("analysis fails", failure)
    (worker,) = node.processes
    log_before = len(worker.log)
    node.jobs.study_ready(STUDY)
    node.wait_for(state)
    (analysis,) = node.jobs.study(STUDY).analyses
    assert (analysis.reason, analysis.deliveries) == (reason, ())
    assert node.world.happened().count(f"analyse {STUDY}") == tries
    assert "DOE^JANE" not in worker.log[log_before:]
    assert ("fake_world.py" in worker.log[log_before:]) == (failure in ("bug", "disk"))
    if state == JobState.DECLINED:
        assert analysis.findings[0]["code"] == "no_axial_t2"
        with pytest.raises(PermanentError) as caught:
            node.jobs.retry(STUDY)
        assert caught.value.reason == Reason.NOTHING_TO_RETRY
    else:
        node.world.clear("analysis fails")
        assert node.jobs.retry(STUDY) == "analysis queued"
        node.wait_for(JobState.DELIVERED)


def test_cancelled_study_is_not_delivered(node: Node):
    node.world.set("hold analysis")
    node.working()
    node.jobs.study_ready(STUDY)
    node.jobs.study_ready(OTHER_STUDY)
    node.world.wait_for(f"analyse {STUDY}")
    assert node.jobs.cancel(STUDY) == 1
    assert node.jobs.cancel(OTHER_STUDY) == 1
    assert node.jobs.cancel(OTHER_STUDY) == 0
    node.world.clear("hold analysis")
    node.world.wait_for(f"analysed {STUDY}")
    third = StudyInstanceUID("1.2.3")
    node.jobs.study_ready(third)
    node.wait_for(JobState.DELIVERED, third)
    assert node.state(STUDY) == node.state(OTHER_STUDY) == JobState.CANCELLED
    assert node.delivery("pacs", STUDY) is None
    assert f"analyse {OTHER_STUDY}" not in node.world.happened()


def test_purged_study_leaves_only_its_events(node: Node):
    node.working()
    node.jobs.study_ready(STUDY)
    node.jobs.study_ready(OTHER_STUDY)
    node.wait_for(JobState.DELIVERED)
    node.wait_for(JobState.DELIVERED, OTHER_STUDY)
    node.jobs.purge(STUDY)
    with pytest.raises(PermanentError) as caught:
        node.jobs.study(STUDY)
    assert caught.value.reason == Reason.STUDY_UNKNOWN
    assert [entry.study_instance_uid for entry in node.jobs.studies()] == [OTHER_STUDY]
    node.jobs.study_ready(STUDY)
    node.wait_for(JobState.DELIVERED)
    kinds = [event.kind for event in node.jobs.study(STUDY).events]
    assert kinds.index("study purged") < kinds.index("study ready", 1)


def test_graceful_stop_finishes_what_runs(local_node: Node):
    node = local_node
    node.world.set("hold analysis")
    worker = node.working()
    node.jobs.study_ready(STUDY)
    node.world.wait_for(f"analyse {STUDY}")
    worker.send(signal.SIGTERM)
    wait_until(lambda: "worker stopping" in worker.log, "the worker to stop")
    node.world.clear("hold analysis")
    assert worker.wait() == 0
    node.working()
    node.wait_for(JobState.DELIVERED)
    assert node.world.happened().count(f"analyse {STUDY}") == 1


def test_job_list_shows_states(local_node: Node):
    assert local_node.jobs.studies() == ()
    local_node.jobs.study_ready(STUDY)
    local_node.jobs.study_ready(OTHER_STUDY)
    assert [entry.study_instance_uid for entry in local_node.jobs.studies()] == [OTHER_STUDY, STUDY]
    assert local_node.jobs.studies(JobState.FAILED) == ()
    assert len(local_node.jobs.studies(JobState.QUEUED)) == 2


def test_server_that_crashes_during_an_analysis_is_waited_for(server: PostgresServer, tmp_path: Path):
    for node in make_node(tmp_path, server.new_database()):
        node.world.set("hold analysis")
        node.working()
        node.jobs.study_ready(STUDY)
        node.world.wait_for(f"analyse {STUDY}")
        server.stop()
        try:
            with pytest.raises(TransientError):
                node.jobs.study_ready(OTHER_STUDY)
            node.world.clear("hold analysis")
            node.world.wait_for(f"analysed {STUDY}")
        finally:
            server.start()
        node.wait_for(JobState.DELIVERED)
        node.jobs.study_ready(OTHER_STUDY)
        node.wait_for(JobState.DELIVERED, OTHER_STUDY)
        assert node.world.happened().count(f"analyse {STUDY}") == 1


def test_server_that_is_away_is_a_transient_error_without_the_password():
    jobs = open_jobs(f"postgresql://node:secret@127.0.0.1:{free_port()}/jobs")
    with pytest.raises(TransientError) as caught:
        jobs.study_ready(STUDY)
    jobs.close()
    assert caught.value.reason == Reason.DATABASE_UNAVAILABLE
    assert "secret" not in str(caught.value)
