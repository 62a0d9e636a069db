"""Deletes what need not be kept, and nothing else: by age, by state and, where the disk fills up, the longest unchanged first.

A study that is being received, analysed or delivered is never touched: what may go is decided by its row in the ledger, in the
transaction that removes it, and by the mark of the receiver. Its events stay until they are too old themselves.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from node.config import RetentionConfig
from node.domain.identity import StudyInstanceUID
from node.domain.job import JobState
from node.domain.worklist import StudyAge
from node.jobs import JobClient
from node.store import Store

_log = logging.getLogger(__name__)

#: Who is named in the audit trail.
ACTOR = "retention"


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one pass removed: studies, then events and rows of finished jobs by their number."""

    studies: tuple[StudyInstanceUID, ...]
    events: int = 0
    jobs: int = 0

    def __str__(self) -> str:
        return f"{len(self.studies)} studies, {self.events} events, {self.jobs} rows of jobs removed"


class Retention:
    """Applies the retention of the configuration to a store and its job database.

    Parameters
    ----------
    clock
        Returns the present moment, aware.
    """

    def __init__(
        self, config: RetentionConfig, store: Store, jobs: JobClient, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._config = config
        self._store = store
        self._jobs = jobs
        self._clock = clock

    def sweep(self) -> Sweep:
        """Delete what is due now; nothing, if another process does it. Raise TransientError if the job database is away."""
        with self._store.removal.alone() as is_alone:
            return self._sweep() if is_alone else Sweep(())

    def _sweep(self) -> Sweep:
        self._put_back_interrupted()
        removed = [*self._remove(self.due()), *self._remove_unknown()]
        removed += self._remove_for_space()
        now = self._clock()
        audit_days = self._config.audit_days
        events = 0 if audit_days is None else self._jobs.delete_events(now - timedelta(days=audit_days))
        jobs = self._jobs.delete_finished(now - timedelta(days=self._config.job_days))
        if removed or events or jobs:
            _log.info("retention swept", extra={"studies": len(removed), "events": events, "jobs": jobs})
        return Sweep(tuple(removed), events, jobs)

    def due(self) -> tuple[StudyInstanceUID, ...]:
        """Return the studies that are due by their age and state, longest unchanged first."""
        now = self._clock()
        return tuple(one.study_instance_uid for one in self._jobs.ages() if is_due(one, self._config, now))

    def _remove(self, studies: tuple[StudyInstanceUID, ...]) -> Iterator[StudyInstanceUID]:
        return (one for one in studies if self._remove_one(one))

    def _remove_one(self, study_instance_uid: StudyInstanceUID) -> bool:
        """Remove a study; return False if it is at work: asked before its files are touched, and again in the transaction."""
        if not self._jobs.has_ended(study_instance_uid) or not self._store.removal.take_out(study_instance_uid):
            return False
        if not self._jobs.purge_ended(study_instance_uid, ACTOR):
            self._store.removal.put_back(study_instance_uid)
            return False
        self._store.removal.finish(study_instance_uid)
        _log.info("study removed", extra={"study_instance_uid": study_instance_uid})
        return True

    def _put_back_interrupted(self) -> None:
        """Put back what a process has set aside that ended inside a removal; what is still due is removed again."""
        for study_instance_uid in self._store.removal.unfinished():
            self._store.removal.put_back(study_instance_uid)

    def _remove_unknown(self) -> Iterator[StudyInstanceUID]:
        """Remove what the ledger does not know, such as our results that came back from a PACS, as declined studies."""
        days = self._config.declined_days
        if days is None:
            return
        known = {entry.study_instance_uid for entry in self._jobs.ages()}
        before = (self._clock() - timedelta(days=days)).timestamp()
        for one in self._store.study_uids():
            if one not in known and self._store.changed_at(one) < before and self._remove_one(one):
                yield one

    def _remove_for_space(self) -> Iterator[StudyInstanceUID]:
        minimum_mb = self._config.minimum_free_disk_mb
        if self._store.free_mb() >= minimum_mb:
            return
        _log.warning("free disk is below retention.minimum_free_disk_mb", extra={"free_mb": round(self._store.free_mb())})
        for entry in self._jobs.ages():
            if self._store.free_mb() >= minimum_mb:
                return
            if entry.state in _DISPENSABLE and self._remove_one(entry.study_instance_uid):
                yield entry.study_instance_uid


#: What a full disk may take before its time: the PACS has it, or nobody wanted it.
_DISPENSABLE = frozenset({JobState.DELIVERED, JobState.DECLINED, JobState.CANCELLED})


def is_due(study: StudyAge, config: RetentionConfig, now: datetime) -> bool:
    """Return whether a study has been kept as long as its state asks for."""
    days = _days(study.state, config)
    return days is not None and study.updated_at <= now - timedelta(days=days)


def _days(state: JobState, config: RetentionConfig) -> float | None:
    """Return how long a study in a state is kept; None for ever, or as long as it is at work."""
    if state is JobState.DELIVERED:
        return config.delivered_days
    if state in (JobState.DECLINED, JobState.CANCELLED):
        return config.declined_days
    # what is analysed and has ended could not be delivered everywhere, or is only here
    return config.failed_days if state in (JobState.FAILED, JobState.ANALYSED) else None
