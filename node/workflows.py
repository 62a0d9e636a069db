"""The durable workflows: a study that is ready is analysed, and its results are delivered to every destination.

An announcement is one workflow, not two (ready, then analyse): a worker looks for work once in ``jobs.polling_s``, and
each further queue would add that wait to the turn-around. What makes an analysis unique - the content of the study and
everything that decides the result - is only known to the worker; so the workflow's first step claims the analysis of
that identity in the ledger, and ends where it exists. Late instances change the identity: a new revision.

Steps run at least once. They are therefore repeatable, and the expensive one (analyse) and the visible one (send) are
steps of their own: a crash after them repeats neither. Waiting is a row in the database with a due time, never a sleep.
This is the one place where errors become states.
"""

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from dbos import DBOS, ScheduleInput, StepOptions
from pydantic import TypeAdapter

from node.config import Config, DestinationConfig, JobsConfig, RetryConfig
from node.domain.errors import NodeError, PermanentError, Reason, TransientError, disk_refused
from node.domain.identity import StudyInstanceUID
from node.domain.job import (
    AnalysisId,
    AnalysisOutcome,
    AnalysisStatus,
    DeliveryEnding,
    DeliveryOutcome,
    DeliveryState,
    Ending,
    JobState,
    NoticeEvent,
    Occasion,
    ending_of,
    retry_delay_s,
)
from node.durable import Collaborators, NoticeWorkflow, ShadowWorkflow, notices_of
from node.jobs import Claim, EngineSettings, Ledger, Task, Tries, WorkflowName, running_engine, shadow_subject
from node.log import job_context

_log = logging.getLogger(__name__)

Result = TypeVar("Result")
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class _ClaimResult:
    """The claimed analysis, None if there is nothing to do, and how it ended if the study could not even be read."""

    analysis_id: AnalysisId | None
    ending: Ending | None = None


_NOTICED_ENDS = {JobState.DECLINED: NoticeEvent.DECLINED, JobState.FAILED: NoticeEvent.FAILED}
_UNDELIVERED = frozenset({DeliveryState.DEAD, DeliveryState.INCOMPLETE})

# Results of steps lie in the database as JSON.
_CLAIM_RESULT = TypeAdapter(_ClaimResult)
_ANALYSIS_RESULT: TypeAdapter[AnalysisOutcome | Ending | None] = TypeAdapter(AnalysisOutcome | Ending | None)
_DELIVERY_ENDING: TypeAdapter[DeliveryEnding | None] = TypeAdapter(DeliveryEnding | None)


def work_until_stopped(
    config: Config, slot: int, collaborators: Collaborators, stop: threading.Event, on_ready: Callable[[], None]
) -> None:
    """Run the workflows with the given collaborators until ``stop`` is set; then finish what runs.

    Raises
    ------
    ConfigError
        ``already_running`` if another process has the slot.
    TransientError
        ``database_unavailable``.
    """
    settings = engine_settings(config, slot)
    with running_engine(settings, lambda ledger: register_workflows(collaborators, ledger, config.jobs)):
        _log.info("worker ready", extra={"worker": settings.executor_id})
        on_ready()
        stop.wait()
        _log.info("worker stopping", extra={"worker": settings.executor_id})


def engine_settings(config: Config, slot: int) -> EngineSettings:
    """Return how a worker of this machine takes part, from the configuration.

    A SQLite database belongs to one machine, so its workers need no machine name: a container may change its own.
    """
    is_local = config.database.startswith("sqlite:")
    return EngineSettings(
        database=config.database,
        machine_name="local" if is_local else config.jobs.machine_name or socket.gethostname(),
        slot=slot,
        slots=config.jobs.workers,
        lock_folder=Path(config.database.removeprefix("sqlite:")).absolute().parent if is_local else None,
        polling_s=config.jobs.polling_s,
        shutdown_grace_s=config.jobs.shutdown_grace_s,
        takeover_s=config.jobs.takeover_s,
        alarm_s=config.jobs.alarm_s,
        start_patience_s=config.jobs.start_patience_s,
    )


def register_workflows(collaborators: Collaborators, ledger: Ledger, jobs: JobsConfig) -> list[ScheduleInput]:
    """Declare the workflows to the engine, under the names that the job database knows; return those that run by the clock."""
    analyses = AnalysisWorkflow(collaborators, ledger, jobs)
    deliveries = DeliveryWorkflow(collaborators, ledger, jobs.maximum_recovery_attempts)

    @DBOS.workflow(name=WorkflowName.ANALYSE)
    def analyse(study_instance_uid: str, arrival: int, attempt: int, manifest: str = "") -> str:
        with job_context(study_instance_uid=study_instance_uid, job=f"analyse:{arrival}:{attempt}"):
            return analyses.run(StudyInstanceUID(study_instance_uid), arrival, attempt, manifest)

    @DBOS.workflow(name=WorkflowName.DELIVER)
    def deliver(analysis_id: str, destination: str, attempt: int, first_attempt: int) -> str:
        with job_context(analysis=analysis_id, destination=destination, attempt=str(attempt)):
            return deliveries.run(AnalysisId(analysis_id), destination, attempt, first_attempt)

    shadows = ShadowWorkflow(collaborators.shadow, ledger, _EngineSteps())

    @DBOS.workflow(name=WorkflowName.SHADOW)
    def shadow(analysis_id: str, set_id: str, attempt: int) -> str:
        with job_context(analysis=analysis_id, attempt=str(attempt)):
            return shadows.run(AnalysisId(analysis_id), set_id, attempt)

    notices = NoticeWorkflow(collaborators.sender, ledger, _EngineSteps())

    @DBOS.workflow(name=WorkflowName.NOTICE)
    def notice(analysis_id: str, webhook: str, occasion: str, body: str, attempt: int) -> str:
        with job_context(analysis=analysis_id, attempt=str(attempt)):
            return notices.run(AnalysisId(analysis_id), webhook, Occasion.parse(occasion), body, attempt)

    @DBOS.workflow(name="retention")
    def retention(_scheduled_at: datetime, _context: object) -> None:
        _step("sweep", collaborators.sweep)

    @DBOS.workflow(name="feedback")
    def feedback(_scheduled_at: datetime, _context: object) -> None:
        _step("collect", lambda: str(_guarded(collaborators.collect_feedback)))

    # with a field for seconds; the whole of a shared job database fires once
    cron = f"0 */{collaborators.sweep_interval_minutes} * * * *"
    return [
        ScheduleInput(schedule_name="retention", workflow_fn=retention, schedule=cron),
        ScheduleInput(schedule_name="feedback", workflow_fn=feedback, schedule="30 * * * * *"),
    ]


class AnalysisWorkflow:
    """Claim, analyse, record; then queue a delivery to each destination, or another try."""

    def __init__(self, collaborators: Collaborators, ledger: Ledger, jobs: JobsConfig) -> None:
        self._collaborators = collaborators
        self._ledger = ledger
        self._tries = Tries(ledger)
        self._jobs = jobs

    def run(self, study_instance_uid: StudyInstanceUID, arrival: int, attempt: int, manifest: str = "") -> str:
        """Return the state in which the analysis is left, or ``unchanged``."""
        workflow_id = DBOS.workflow_id or ""
        claim = _CLAIM_RESULT.validate_python(
            _step("claim", lambda: self._claim(study_instance_uid, arrival, workflow_id, manifest))
        )
        analysis_id = claim.analysis_id
        if analysis_id is None:
            return AnalysisStatus.UNCHANGED
        analysed = _step("analyse", lambda: self._analyse(study_instance_uid, analysis_id, workflow_id, claim.ending))
        result = _ANALYSIS_RESULT.validate_python(analysed)
        if result is None:
            return JobState.CANCELLED
        if isinstance(result, Ending):
            return self._end(result, analysis_id, Task.analysis(study_instance_uid, arrival, attempt + 1, manifest), attempt)
        if result.status == AnalysisStatus.UNCHANGED:
            _step("record", lambda: self._ledger.withdraw_analysis(analysis_id))
            return AnalysisStatus.UNCHANGED
        return self._finish(result, analysis_id)

    def _claim(self, study_instance_uid: StudyInstanceUID, arrival: int, workflow_id: str, manifest: str) -> Json:
        if self._tries.begin(workflow_id) >= self._jobs.maximum_recovery_attempts:
            message = f"the worker ended {self._jobs.maximum_recovery_attempts} times while it read this study; see its log"
            identity: tuple[str, str] | NodeError = PermanentError(Reason.PROCESS_ENDED, message)
        else:
            identity = _guarded(lambda: self._identity(study_instance_uid, manifest))
        digest, fingerprint = ("", "") if isinstance(identity, NodeError) else identity
        claim = Claim(study_instance_uid, digest, fingerprint, workflow_id)
        ending = ending_of(identity) if isinstance(identity, NodeError) else None
        is_ours = self._ledger.claim(claim, arrival)
        self._tries.end([workflow_id])
        return _json(_CLAIM_RESULT, _ClaimResult(claim.analysis_id, ending) if is_ours else _ClaimResult(None))

    def _identity(self, study_instance_uid: StudyInstanceUID, manifest: str) -> tuple[str, str]:
        """Return the digest of what is stored of a study now, and what else decides the result."""
        if manifest:
            self._collaborators.require_manifest(study_instance_uid, manifest)
        return self._collaborators.study_digest(study_instance_uid), self._collaborators.analyser.fingerprint()

    def _analyse(
        self, study_instance_uid: StudyInstanceUID, analysis_id: AnalysisId, workflow_id: str, ending: Ending | None
    ) -> Json | None:
        interruptions = self._ledger.begin_analysis(analysis_id, workflow_id)
        if interruptions is None:
            return None
        if interruptions >= self._jobs.maximum_recovery_attempts:
            message = f"the worker ended {interruptions} times during this analysis; see its log, then `studies retry`"
            ending = Ending(JobState.FAILED, Reason.PROCESS_ENDED, message)
        if ending is not None:
            return _json(_ANALYSIS_RESULT, ending)
        _log.info("analysis begun", extra={"analysis": analysis_id})
        predecessor = self._ledger.predecessor_folder(analysis_id)
        result = _guarded(lambda: self._collaborators.analyser.analyse(study_instance_uid, analysis_id, predecessor))
        if isinstance(result, NodeError):
            return _json(_ANALYSIS_RESULT, ending_of(result))
        if result.status == AnalysisStatus.DECLINED:
            return _json(_ANALYSIS_RESULT, _declined(result))
        return _json(_ANALYSIS_RESULT, result)

    def _end(self, ending: Ending, analysis_id: AnalysisId, next_try: Task, attempt: int) -> str:
        retry = self._jobs.retry
        if ending.state == JobState.WAITING and attempt >= retry.maximum_attempts:
            ending = replace(ending, state=JobState.FAILED)
        _step("record", lambda: self._ledger.end_analysis(analysis_id, ending))
        _log.info("analysis ended", extra={"state": ending.state, "reason": ending.reason, "explanation": ending.message})
        if ending.state == JobState.WAITING:
            _enqueue(next_try, _delay_s(attempt, retry))
        elif ending.state in _NOTICED_ENDS:
            _enqueue_notices(self._collaborators, analysis_id, _NOTICED_ENDS[ending.state])
        return ending.state

    def _finish(self, outcome: AnalysisOutcome, analysis_id: AnalysisId) -> str:
        names = [destination.name for destination in self._collaborators.destinations] if outcome.object_count else []
        is_wanted = _step("record", lambda: self._ledger.record_analysis(analysis_id, outcome, names))
        _log.info("analysis ended", extra={"state": JobState.ANALYSED, "status": outcome.status, "analysis": analysis_id})
        if not is_wanted:
            return JobState.CANCELLED
        for name in names:
            _enqueue(Task.delivery(analysis_id, name, attempt=1))
        if not names:
            _enqueue_shadow(self._collaborators, self._ledger, analysis_id)
        _enqueue_notices(self._collaborators, analysis_id, NoticeEvent.RESULT)
        return JobState.ANALYSED


class DeliveryWorkflow:
    """One attempt to deliver an analysis to a destination, recorded; the next attempt is a job of its own."""

    def __init__(self, collaborators: Collaborators, ledger: Ledger, maximum_recovery_attempts: int) -> None:
        self._collaborators = collaborators
        self._destinations = {destination.name: destination for destination in collaborators.destinations}
        self._ledger = ledger
        self._tries = Tries(ledger)
        self._maximum_recovery_attempts = maximum_recovery_attempts

    def run(self, analysis_id: AnalysisId, destination: str, attempt: int, first_attempt: int) -> str:
        """Return the state in which the delivery is left."""
        sent = _step("send", lambda: self._send(analysis_id, destination, attempt, first_attempt))
        ending = _DELIVERY_ENDING.validate_python(sent)
        if ending is None:
            return DeliveryState.CANCELLED
        _step("record", lambda: self._record(analysis_id, destination, attempt, ending))
        _log.info("delivery ended", extra={"state": ending.state, "reason": ending.reason, "explanation": ending.message})
        if ending.retry_in_s is not None:
            _enqueue(Task.delivery(analysis_id, destination, attempt + 1, first_attempt=first_attempt), ending.retry_in_s)
        _enqueue_shadow(self._collaborators, self._ledger, analysis_id)
        if ending.state in _UNDELIVERED:
            _enqueue_notices(self._collaborators, analysis_id, NoticeEvent.UNDELIVERED, destination)
        return ending.state

    def _send(self, analysis_id: AnalysisId, name: str, attempt: int, first_attempt: int) -> Json | None:
        folder = self._ledger.begin_delivery(analysis_id, name, attempt)
        if folder is None:
            return None
        if self._tries.begin(Task.delivery(analysis_id, name, attempt).workflow_id) >= self._maximum_recovery_attempts:
            message = f"the worker ended {self._maximum_recovery_attempts} times during it; see its log, then `studies retry`"
            return _json(_DELIVERY_ENDING, DeliveryEnding(DeliveryState.DEAD, 0, Reason.PROCESS_ENDED, message))
        destination = self._destinations.get(name)
        if destination is None:
            message = f"{name} is no longer among the destinations of the configuration"
            return _json(_DELIVERY_ENDING, DeliveryEnding(DeliveryState.DEAD, 0, Reason.DESTINATION_UNKNOWN, message))
        result = _guarded(lambda: self._collaborators.deliverer.deliver(destination, folder))
        ending = delivery_ending(result, attempt - first_attempt + 1, destination.retry)
        return _json(_DELIVERY_ENDING, replace(ending, evidence=_evidence(result, destination)))

    def _record(self, analysis_id: AnalysisId, name: str, attempt: int, ending: DeliveryEnding) -> None:
        self._ledger.end_delivery(analysis_id, name, ending)
        self._tries.end([Task.delivery(analysis_id, name, attempt).workflow_id])


def _enqueue_shadow(collaborators: Collaborators, ledger: Ledger, analysis_id: AnalysisId) -> None:
    """Let the second set of models look at a study whose results were delivered as far as they will be."""
    runner = collaborators.shadow
    if runner is not None and _step("may shadow", lambda: shadow_subject(ledger, analysis_id) is not None):
        _enqueue(Task.shadow(analysis_id, runner.set_id))


def _enqueue_notices(collaborators: Collaborators, analysis_id: AnalysisId, event: NoticeEvent, destination: str = "") -> None:
    """Let the webhooks know, in a queue of their own: whoever is told late or never, no delivery waits."""
    webhooks = () if collaborators.sender is None else collaborators.sender.webhooks
    for task in notices_of(webhooks, analysis_id, event, DBOS.workflow_id or "", destination):
        _enqueue(task)


def _evidence(result: DeliveryOutcome | NodeError, destination: DestinationConfig) -> str:
    """Return what went where, for the audit trail; empty if nothing did."""
    if isinstance(result, NodeError) or not result.stored:
        return ""
    return f"{', '.join(result.stored)} to {destination.address}"


def delivery_ending(result: DeliveryOutcome | NodeError, failures: int, retry: RetryConfig) -> DeliveryEnding:
    """Return what follows from an attempt, the ``failures``-th that could fail since the delivery was queued."""
    if isinstance(result, DeliveryOutcome):
        if not result.refused:
            return DeliveryEnding(DeliveryState.DELIVERED, len(result.stored))
        first = result.refused[0]
        return DeliveryEnding(DeliveryState.INCOMPLETE, len(result.stored), first.code, first.message)
    if not isinstance(result, TransientError):
        return DeliveryEnding(DeliveryState.DEAD, 0, result.reason, result.message)
    if failures >= retry.maximum_attempts:
        return DeliveryEnding(DeliveryState.DEAD, 0, result.reason, f"given up after {failures} attempts: {result.message}")
    return DeliveryEnding(DeliveryState.WAITING, 0, result.reason, result.message, _delay_s(failures, retry))


def _declined(outcome: AnalysisOutcome) -> Ending:
    first = next(iter(outcome.findings), None)
    reason, message = (first.code, first.message) if first else (Reason.NO_USABLE_SERIES, "the study is not for this node")
    return Ending(JobState.DECLINED, reason, message, outcome.findings)


def _guarded(action: Callable[[], Result]) -> Result | NodeError:
    """Return the result of an action, or why there is none: the border where errors become states."""
    try:
        return action()
    except NodeError as error:
        return error
    except OSError as error:
        _log.exception("the disk refused")
        return disk_refused("go on with this", error)
    except Exception as error:  # noqa: BLE001 - one bad study must not stop the worker; the traceback goes to the log
        _log.exception("internal error")
        return PermanentError(Reason.INTERNAL_ERROR, f"{type(error).__name__}; the log of the worker has the traceback")


def _step(name: str, action: Callable[[], Result]) -> Result:
    """Run a step that is not repeated once its result is recorded; wait for a database that is away."""
    options = StepOptions(
        name=name, retries_allowed=True, max_attempts=200, interval_seconds=1.0, backoff_rate=1.1, should_retry=_is_transient
    )
    return DBOS.run_step(options, action)


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, TransientError)


def _enqueue(task: Task, delay_s: float = 0.0) -> None:
    DBOS.enqueue_workflow_with_options(task.options(delay_s), *task.arguments)


class _EngineSteps:
    """The engine, for workflows that do not know it."""

    step = staticmethod(_step)
    enqueue = staticmethod(_enqueue)
    guarded = staticmethod(_guarded)


def _delay_s(failures: int, retry: RetryConfig) -> float:
    return retry_delay_s(failures, retry.first_delay_s, retry.maximum_delay_s)


def _json(adapter: TypeAdapter[Result], value: Result) -> Json:
    dumped: Json = adapter.dump_python(value, mode="json")
    return dumped
