"""The durable engine of one worker process: started, fed from the job database, stopped without losing work."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, ScheduleInput
from sqlalchemy.engine import URL

from node.jobs.database import database_url, open_engine, prepare_database, translated_errors
from node.jobs.full_disk import wait_for_room
from node.jobs.ledger import Clock, Ledger
from node.jobs.lookout import SELDOM_S, taking_work
from node.jobs.place import Place
from node.jobs.slot import hold_slot, is_slot_free
from node.jobs.tasks import APPLICATION_NAME, APPLICATION_VERSION, WorkflowName
from node.jobs.upkeep import Upkeep, UpkeepSettings, pending_workflows, take_over

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How one worker process takes part in the work.

    Parameters
    ----------
    machine_name
        Stays the same when the machine restarts, differs between machines of one job database.
    slot, slots
        Number of this worker on its machine, and how many the machine is meant to have.
    lock_folder
        Where the lock files of the slots lie, on the machine's own disk; None with a server, whose locks serve all machines.
    takeover_s, alarm_s
        How long a worker must be gone to lose its work to others, and how long work may run without an alarm.
    start_patience_s
        How long to wait for the place, with a server.
    """

    database: str
    machine_name: str
    slot: int
    slots: int
    lock_folder: Path | None
    polling_s: float
    shutdown_grace_s: float
    takeover_s: float
    alarm_s: float
    start_patience_s: float

    @property
    def executor_id(self) -> str:
        """Name under which the engine keeps the work that this process has begun."""
        return f"{self.machine_name}-{self.slot}"


@contextmanager
def running_engine(
    settings: EngineSettings, register: Callable[[Ledger], list[ScheduleInput]], clock: Clock = lambda: datetime.now(UTC)
) -> Iterator[None]:
    """Take work from the job database for the time of the block; work that was interrupted is taken up first.

    With a server, the work of a worker that is gone for ``takeover_s`` is taken over by the others.

    At the end no more work is begun, and what runs has ``shutdown_grace_s`` to finish; what does not is done again
    at the next start.

    Parameters
    ----------
    register
        Declares the workflows to the engine, given the ledger, and returns those that run by the clock.

    Raises
    ------
    ConfigError
        ``already_running`` if another process holds the slot.
    TransientError
        ``database_unavailable``.
    """
    url = database_url(settings.database)
    with _held_place(settings, url) as place:
        prepare_database(url)
        ledger = Ledger(open_engine(url), url, clock)
        _quieten_engine_log()
        wait_for_room()
        engine = DBOS(config=_engine_config(url, settings))
        DBOS.listen_queues([])  # but its own: ours are looked at by taking_work
        limits = UpkeepSettings(settings.executor_id, settings.takeover_s, settings.alarm_s)
        upkeep = Upkeep(limits, place, is_watchdog=settings.slot == 0)
        try:
            schedules = register(ledger)
            with translated_errors(url):
                DBOS.launch()
                _register_queues(settings.polling_s)
                DBOS.apply_schedules(schedules)
                _adopt_orphans(settings)
            with taking_work(engine, url, settings.polling_s):
                upkeep.start()
                yield
        finally:
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=max(1, round(settings.shutdown_grace_s)))
            upkeep.stop()
            ledger.close()


@contextmanager
def _held_place(settings: EngineSettings, url: URL) -> Iterator[Place | None]:
    """Hold the place of the worker for the time of the block: a lock file on one machine, a lock of the server for several."""
    if settings.lock_folder is not None:
        with hold_slot(settings.lock_folder, settings.executor_id):
            yield None
        return
    place = Place(url, settings.executor_id)
    try:
        place.take(settings.start_patience_s)
        yield place
    finally:
        place.leave()


def _engine_config(url: URL, settings: EngineSettings) -> DBOSConfig:
    return DBOSConfig(
        name=APPLICATION_NAME,
        system_database_url=url.render_as_string(hide_password=False),
        application_version=APPLICATION_VERSION,
        executor_id=settings.executor_id,
        log_level="WARNING",
        run_migrations=False,
        serializer=DBOSPortableJSONSerializer(),
    )


def _quieten_engine_log() -> None:
    """Let the engine speak through our log: it adds a handler of its own only where there is none."""
    log = logging.getLogger("dbos")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    log.propagate = True


def _register_queues(look_s: float) -> None:
    """Declare the queues: one analysis at a time in a process, one at a time to each destination and webhook."""
    seldom_s = max(look_s, SELDOM_S)
    unhurried_s = 5 * seldom_s  # nobody waits for the second set of models, nor for a message
    DBOS.register_queue(WorkflowName.ANALYSE, polling_interval_sec=seldom_s, worker_concurrency=1)
    DBOS.register_queue(WorkflowName.DELIVER, polling_interval_sec=seldom_s, partition_worker_concurrency=1)
    DBOS.register_queue(WorkflowName.SHADOW, polling_interval_sec=unhurried_s, worker_concurrency=1)
    DBOS.register_queue(WorkflowName.NOTICE, polling_interval_sec=unhurried_s, partition_worker_concurrency=1)


def _adopt_orphans(settings: EngineSettings) -> None:
    """Put back into its queue what a worker of this machine began whose slot is no longer used.

    The engine gives interrupted work only to the executor that began it; with fewer slots than before, or after a
    worker with a high slot was started by hand, that one may never come back. With a server, the reaper does this.
    """
    if settings.lock_folder is None:
        return
    for workflow in pending_workflows():
        machine_name, _, slot = (workflow.executor_id or "").rpartition("-")
        is_spare = machine_name == settings.machine_name and slot.isdecimal() and int(slot) >= settings.slots
        if is_spare and int(slot) != settings.slot and is_slot_free(settings.lock_folder, f"{machine_name}-{slot}"):
            take_over(workflow)
