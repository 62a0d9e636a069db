import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from node.domain.identity import StudyInstanceUID
from node.jobs import WorkflowName, open_jobs
from node.jobs.database import database_url, prepare_database
from node.jobs.lookout import Bell, look_out

_SOON_S, _LONG_S = 10.0, 30.0


@contextmanager
def looking_out(database: str, bells: dict[str, Bell]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=look_out, args=(database_url(database), 0.02, bells, stop))
    thread.start()
    yield
    stop.set()
    thread.join(_SOON_S)
    assert not thread.is_alive()


def seconds_until(bell: Bell) -> float:
    begin_s = time.monotonic()
    assert not bell.wait(_LONG_S)
    return time.monotonic() - begin_s


def test_bell_ends_a_wait_and_only_the_end_ends_the_loop():
    bell = Bell()
    assert not bell.wait(0.001)
    bell.ring()
    assert seconds_until(bell) < _SOON_S
    bell.set()
    assert bell.wait(_LONG_S)


def test_only_the_queue_with_work_is_woken(tmp_path: Path):
    database = f"sqlite:{tmp_path}/jobs.db"
    prepare_database(database_url(database))
    bells = {WorkflowName.ANALYSE: Bell(), WorkflowName.DELIVER: Bell()}
    with looking_out(database, bells), closing(open_jobs(database)) as jobs:
        jobs.study_ready(StudyInstanceUID("1.2.3"))
        assert seconds_until(bells[WorkflowName.ANALYSE]) < _SOON_S
        assert not bells[WorkflowName.DELIVER]._rung.is_set()


def test_database_that_comes_later_is_looked_at(tmp_path: Path):
    database = f"sqlite:{tmp_path}/jobs.db"
    bells = {WorkflowName.ANALYSE: Bell()}
    with looking_out(database, bells):
        prepare_database(database_url(database))
        with closing(open_jobs(database)) as jobs:
            jobs.study_ready(StudyInstanceUID("1.2.3"))
            assert seconds_until(bells[WorkflowName.ANALYSE]) < _SOON_S
