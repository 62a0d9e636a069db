"""What each worker does beside its work: keep its place, take over from dead workers, raise an alarm on work that stalls."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dbos import DBOS, WorkflowStatus

from node.domain.errors import TransientError
from node.domain.worklist import StalledJob
from node.jobs.place import Place

_log = logging.getLogger(__name__)

_WATCHDOG = "watchdog"


@dataclass(frozen=True, slots=True)
class UpkeepSettings:
    """How long a worker must be gone to lose its work, and how long work may run without an alarm, in seconds."""

    executor_id: str
    takeover_s: float
    alarm_s: float


class Upkeep:
    """A thread that looks after the cluster; with no place (SQLite, one machine) it only watches.

    Parameters
    ----------
    is_watchdog
        Whether this worker raises the alarms where there is no cluster to choose one.
    """

    def __init__(self, settings: UpkeepSettings, place: Place | None, is_watchdog: bool) -> None:
        self._period_s = min(settings.takeover_s / 3, 10.0)
        self._place = place
        self._reaper = None if place is None else Reaper(place, settings.executor_id, settings.takeover_s)
        self._watchdog = Watchdog(settings.alarm_s, lambda: datetime.now(UTC))
        self._is_watchdog = is_watchdog
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a pass that waits for the database is left behind."""
        self._stop.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._stop.wait(self._period_s):
            try:
                self._pass()
            except TransientError as error:
                _log.warning("upkeep waits: %s", error.message)

    def _pass(self) -> None:
        if self._place is None or self._reaper is None:
            if self._is_watchdog:
                self._watchdog.look(pending_workflows())
            return
        if not self._place.keep():
            _log.error("another process holds our place; it has taken over what we began")
            return
        pending = pending_workflows()
        self._reaper.look(pending)
        with self._place.deciding_over(_WATCHDOG) as is_ours:
            if is_ours:
                self._watchdog.look(pending)


class Reaper:
    """Puts back into their queues the jobs of workers whose place has been free for a time, in each of several looks."""

    def __init__(
        self, place: Place, executor_id: str, takeover_s: float, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._place = place
        self._executor_id = executor_id
        self._takeover_s = takeover_s
        self._monotonic_s = monotonic_s
        self._free_since_s: dict[str, float] = {}

    def look(self, pending: Iterable[WorkflowStatus]) -> None:
        """Look at the places of all workers that have begun something."""
        workers = {workflow.executor_id or "" for workflow in pending} - {self._executor_id}
        self._free_since_s = {worker: since_s for worker, since_s in self._free_since_s.items() if worker in workers}
        for worker in sorted(workers):
            self._look_at(worker)

    def _look_at(self, worker: str) -> None:
        """Take over from a worker, holding its place: neither it nor another one of us decides meanwhile."""
        with self._place.deciding_over(worker) as is_free:
            if not is_free:
                self._free_since_s.pop(worker, None)
                return
            now_s = self._monotonic_s()
            if now_s - self._free_since_s.setdefault(worker, now_s) < self._takeover_s:
                return
            for workflow in pending_workflows(worker):
                take_over(workflow)


class Watchdog:
    """Logs once of each job that has been running for too long."""

    def __init__(self, alarm_s: float, now: Callable[[], datetime]) -> None:
        self._alarm_s = alarm_s
        self._now = now
        self._known: set[str] = set()

    def look(self, pending: Iterable[WorkflowStatus]) -> None:
        """Raise an alarm on each job that stalls, the first time that it is seen."""
        stalled = stalled_jobs(pending, self._now(), self._alarm_s)
        for job in stalled:
            if job.job not in self._known:
                fields = {"job": job.job, "worker": job.worker, "since": job.since.isoformat(timespec="seconds")}
                _log.error("job runs for too long: look at its worker; end it there and the job is done again", extra=fields)
        self._known = {job.job for job in stalled}


def stalled_jobs(pending: Iterable[WorkflowStatus], now: datetime, alarm_s: float) -> tuple[StalledJob, ...]:
    """Return the jobs that began longer ago than an alarm waits, the oldest first."""
    begun = (StalledJob(workflow.workflow_id, workflow.executor_id or "", _began_at(workflow)) for workflow in pending)
    return tuple(sorted((job for job in begun if now - job.since > timedelta(seconds=alarm_s)), key=lambda job: job.since))


def _began_at(workflow: WorkflowStatus) -> datetime:
    return datetime.fromtimestamp((workflow.dequeued_at or workflow.created_at or 0) / 1000, UTC)


def pending_workflows(executor_id: str | None = None) -> list[WorkflowStatus]:
    """Return the jobs that were begun and have not ended, of one worker or of all."""
    return DBOS.list_workflows(status="PENDING", executor_id=executor_id, load_input=False, load_output=False)


def take_over(workflow: WorkflowStatus) -> None:
    """Put a job that was begun back into its own queue; the engine alone would use one without our limits."""
    _log.warning("job taken over", extra={"job": workflow.workflow_id, "from_worker": workflow.executor_id})
    DBOS.resume_workflow(workflow.workflow_id, queue_name=workflow.queue_name)
