"""What became of every study, analysis and delivery: written by the workflows, read by people.

Every write may be repeated: a step that was interrupted runs again.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from node.domain.errors import Reason
from node.domain.identity import StudyInstanceUID
from node.domain.job import (
    DELIVERY_PREDECESSORS,
    FINAL_DELIVERY_STATES,
    FINAL_JOB_STATES,
    JOB_PREDECESSORS,
    AnalysisId,
    AnalysisOutcome,
    DeliveryEnding,
    DeliveryState,
    Ending,
    JobState,
)
from node.jobs.counting import note_duration, note_reasons
from node.jobs.database import READING, translated_errors
from node.jobs.locks import locked, locked_analysis
from node.jobs.schema import AnalysisRow, DeliveryRow, EventRow, FeedbackRow, StudyRow

Clock = Callable[[], datetime]

#: An analysis in one of these states is taken over by the next workflow that finds the same content.
_OPEN_TO_ANOTHER_TRY = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.WAITING})


@dataclass(frozen=True, slots=True)
class Claim:
    """Which analysis a workflow is to do: identity of the study's content and of what decides the result."""

    study_instance_uid: StudyInstanceUID
    digest: str
    fingerprint: str
    workflow_id: str

    @property
    def analysis_id(self) -> AnalysisId:
        """Identity of the analysis: the same content, software, weights and configuration give the same one."""
        content = "\n".join((self.study_instance_uid, self.digest, self.fingerprint))
        return AnalysisId(hashlib.sha256(content.encode()).hexdigest()[:24])


def by(actor: str) -> str:
    """Return who did something, as the audit trail says it."""
    return f"by {actor}" if actor else ""


class Ledger:
    """The record of studies, analyses, deliveries and events in the job database.

    Parameters
    ----------
    clock
        Returns the present moment, aware, in UTC.
    """

    def __init__(self, engine: Engine, url: URL, clock: Clock) -> None:
        self._engine = engine
        self._url = url
        self._clock = clock

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Run the block in a transaction that only reads, and so holds up no writer; errors as of :meth:`transaction`."""
        with translated_errors(self._url), Session(self._engine.execution_options(**READING)) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Run the block in one transaction; raise TransientError ``database_unavailable`` if the database is away."""
        with translated_errors(self._url), Session(self._engine) as session, session.begin():
            yield session

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def announce(self, session: Session, study_instance_uid: StudyInstanceUID, senders: Iterable[str] = ()) -> int:
        """Note that a study is ready and who sent it, and return how often it was ready by now."""
        now = self._clock()
        study = locked(session, StudyRow, study_instance_uid)
        if study is None:
            study = StudyRow(study_instance_uid=study_instance_uid, arrivals=0, claimed=0, first_ready_at=now, updated_at=now)
            session.add(study)
            session.flush()  # here, not inside the engine, it is seen that another receiver announced it at this moment
        study.arrivals += 1
        study.updated_at = now
        for sender in senders:
            self.note(session, study_instance_uid, "study received", f"from {sender}")
        self.note(session, study_instance_uid, "study ready", f"announcement {study.arrivals}")
        return study.arrivals

    def claim(self, claim: Claim, arrival: int) -> bool:
        """Take up an analysis; return False if the same content was analysed or is in another workflow's hands."""
        with self.transaction() as session:
            study = locked(session, StudyRow, claim.study_instance_uid)
            if study is None:
                return False
            analysis = locked(session, AnalysisRow, claim.analysis_id)
            is_ours = analysis is None or analysis.workflow_id == claim.workflow_id or analysis.state in _OPEN_TO_ANOTHER_TRY
            study.claimed = max(study.claimed, arrival)
            study.current_analysis = claim.analysis_id
            study.updated_at = self._clock()
            if analysis is None:
                session.add(self._new_analysis(session, claim))
            elif not is_ours:
                self.note(session, claim.study_instance_uid, "study unchanged", claim.analysis_id)
            elif analysis.workflow_id != claim.workflow_id:
                analysis.workflow_id = claim.workflow_id
                analysis.state = JobState.QUEUED
                analysis.interruptions = 0
            return is_ours

    def _new_analysis(self, session: Session, claim: Claim) -> AnalysisRow:
        revisions = select(func.max(AnalysisRow.revision)).where(AnalysisRow.study_instance_uid == claim.study_instance_uid)
        revision = (session.scalar(revisions) or 0) + 1
        return AnalysisRow(
            analysis_id=claim.analysis_id,
            study_instance_uid=claim.study_instance_uid,
            revision=revision,
            digest=claim.digest,
            fingerprint=claim.fingerprint,
            workflow_id=claim.workflow_id,
            state=JobState.QUEUED,
            message="",
            findings=[],
            models=[],
            object_count=0,
            interruptions=0,
        )

    def begin_analysis(self, analysis_id: AnalysisId, workflow_id: str) -> int | None:
        """Note that an analysis begins; return how often it was interrupted before, None if it is no longer wanted."""
        with self.transaction() as session:
            analysis = locked_analysis(session, analysis_id)
            if analysis is None or analysis.workflow_id != workflow_id:
                return None
            if analysis.state not in JOB_PREDECESSORS[JobState.RUNNING]:
                return None
            if analysis.state == JobState.RUNNING:
                analysis.interruptions += 1
                self.note(session, analysis.study_instance_uid, "analysis interrupted", analysis_id)
            analysis.state = JobState.RUNNING
            analysis.started_at = self._clock()
            self.touch(session, analysis.study_instance_uid)
            return analysis.interruptions

    def predecessor_folder(self, analysis_id: AnalysisId) -> Path | None:
        """Return the results folder of the latest version before an analysis that has results; None if it is the first."""
        with self.transaction() as session:
            analysis = session.get(AnalysisRow, analysis_id)
            predecessor = None if analysis is None else self._predecessor(session, analysis)
            return None if predecessor is None or predecessor.folder is None else Path(predecessor.folder)

    @staticmethod
    def _predecessor(session: Session, analysis: AnalysisRow) -> AnalysisRow | None:
        earlier = (
            select(AnalysisRow)
            .where(
                AnalysisRow.study_instance_uid == analysis.study_instance_uid,
                AnalysisRow.revision < analysis.revision,
                AnalysisRow.object_count > 0,
            )
            .order_by(AnalysisRow.revision.desc())
            .limit(1)
        )
        return session.scalar(earlier)

    def withdraw_analysis(self, analysis_id: AnalysisId) -> None:
        """Forget an analysis that would say what the version before says; that one is the current one again."""
        with self.transaction() as session:
            analysis = locked_analysis(session, analysis_id)
            if analysis is None:
                return
            study = locked(session, StudyRow, analysis.study_instance_uid)
            predecessor = self._predecessor(session, analysis)
            if study is not None and predecessor is not None:
                study.current_analysis = predecessor.analysis_id
                study.updated_at = self._clock()
            self.note(session, analysis.study_instance_uid, "study unchanged", analysis_id)
            session.delete(analysis)

    def end_analysis(self, analysis_id: AnalysisId, ending: Ending) -> None:
        """Note how a try at an analysis ended without a result; a cancelled analysis stays cancelled."""
        with self.transaction() as session:
            analysis = locked_analysis(session, analysis_id)
            if analysis is None or analysis.state not in JOB_PREDECESSORS[ending.state]:
                return
            analysis.state = ending.state
            analysis.reason, analysis.message = ending.reason, ending.message
            analysis.findings = [asdict(finding) for finding in ending.findings]
            analysis.finished_at = self._clock()
            if ending.state == JobState.DECLINED:
                note_reasons(session, analysis_id, ((one.code, one.severity) for one in ending.findings))
            self._note_ending(session, analysis.study_instance_uid, f"analysis {ending.state}", analysis_id, ending)
            self.touch(session, analysis.study_instance_uid)

    def record_analysis(self, analysis_id: AnalysisId, outcome: AnalysisOutcome, destinations: Iterable[str]) -> bool:
        """Note the result of an analysis and what is owed to each destination; return False if it was cancelled."""
        with self.transaction() as session:
            analysis = locked_analysis(session, analysis_id)
            if analysis is None or analysis.state not in JOB_PREDECESSORS[JobState.ANALYSED]:
                return False
            analysis.state = JobState.ANALYSED
            analysis.status = outcome.status
            analysis.reason, analysis.message = None, ""
            analysis.findings = [asdict(finding) for finding in outcome.findings]
            analysis.models = [asdict(model) for model in outcome.models]
            analysis.folder = None if outcome.folder is None else str(outcome.folder)
            analysis.object_count = outcome.object_count
            analysis.finished_at = self._clock()
            for destination in destinations:
                if session.get(DeliveryRow, (analysis_id, destination)) is None:
                    session.add(self.new_delivery(analysis_id, destination))
            note_reasons(session, analysis_id, outcome.reasons)
            note_duration(session, analysis)
            weights = ", ".join(f"{one.name} {one.version} sha256 {one.sha256}" for one in outcome.models)
            self.note(session, analysis.study_instance_uid, f"analysis {outcome.status}", analysis_id, message=weights)
            self.touch(session, analysis.study_instance_uid)
            return True

    def new_delivery(self, analysis_id: str, destination: str) -> DeliveryRow:
        """Return the row of a delivery that is queued for the first time."""
        return DeliveryRow(
            analysis_id=analysis_id,
            destination=destination,
            state=DeliveryState.QUEUED,
            attempt=0,
            message="",
            stored_count=0,
            updated_at=self._clock(),
        )

    def begin_delivery(self, analysis_id: AnalysisId, destination: str, attempt: int) -> Path | None:
        """Note that an attempt begins; return the folder of the result objects, None if they are no longer wanted."""
        with self.transaction() as session:
            analysis = locked_analysis(session, analysis_id)
            delivery = session.get(DeliveryRow, (analysis_id, destination))
            if delivery is None or analysis is None or analysis.folder is None or delivery.attempt > attempt:
                return None
            if delivery.state not in DELIVERY_PREDECESSORS[DeliveryState.SENDING]:
                return None
            delivery.state = DeliveryState.SENDING
            delivery.attempt = attempt
            delivery.next_attempt_at = None
            delivery.updated_at = self._clock()
            return Path(analysis.folder)

    def end_delivery(self, analysis_id: AnalysisId, destination: str, ending: DeliveryEnding) -> None:
        """Note how an attempt ended; the study counts as delivered when every destination has everything."""
        with self.transaction() as session:
            analysis = locked_analysis(session, analysis_id)
            delivery = session.get(DeliveryRow, (analysis_id, destination))
            if delivery is None or analysis is None or delivery.state not in DELIVERY_PREDECESSORS[ending.state]:
                return
            now = self._clock()
            delivery.state = ending.state
            delivery.reason, delivery.message = ending.reason, ending.message
            delivery.stored_count = ending.stored_count
            delivery.next_attempt_at = None if ending.retry_in_s is None else now + timedelta(seconds=ending.retry_in_s)
            delivery.updated_at = now
            session.flush()
            states = set(session.scalars(select(DeliveryRow.state).where(DeliveryRow.analysis_id == analysis_id)))
            if states == {DeliveryState.DELIVERED} and analysis.state == JobState.ANALYSED:
                analysis.state = JobState.DELIVERED
            self._note_ending(session, analysis.study_instance_uid, f"delivery {ending.state}", destination, ending)
            self.touch(session, analysis.study_instance_uid)

    def note_retry(self, session: Session, study_instance_uid: StudyInstanceUID, actor: str = "") -> None:
        """Note who had a study analysed again."""
        self.note(session, study_instance_uid, "analysis retried", "", message=by(actor))

    def cancel(self, session: Session, study_instance_uid: StudyInstanceUID, actor: str = "") -> int:
        """Cancel what has not ended of a study; return how many analyses and deliveries that were."""
        cancelled = 0
        study = locked(session, StudyRow, study_instance_uid)
        if study is not None and study.claimed < study.arrivals:
            study.claimed = study.arrivals
            cancelled += 1
        for analysis in session.scalars(select(AnalysisRow).where(AnalysisRow.study_instance_uid == study_instance_uid)):
            if analysis.state in JOB_PREDECESSORS[JobState.CANCELLED] - {JobState.CANCELLED}:
                analysis.state, analysis.reason = JobState.CANCELLED, Reason.CANCELLED
                cancelled += 1
            deliveries = select(DeliveryRow).where(
                DeliveryRow.analysis_id == analysis.analysis_id, DeliveryRow.state.not_in(FINAL_DELIVERY_STATES)
            )
            for delivery in session.scalars(deliveries):
                delivery.state, delivery.reason = DeliveryState.CANCELLED, Reason.CANCELLED
                delivery.next_attempt_at = None
                cancelled += 1
        if cancelled:
            self.note(session, study_instance_uid, "study cancelled", "", message=by(actor))
            self.touch(session, study_instance_uid)
        return cancelled

    def has_ended(self, session: Session, study_instance_uid: StudyInstanceUID) -> bool:
        """Return whether nothing more happens to a study on its own; one that is unknown has ended."""
        study = locked(session, StudyRow, study_instance_uid)
        if study is None:
            return True
        of_study = AnalysisRow.study_instance_uid == study_instance_uid
        ended = FINAL_JOB_STATES | {JobState.ANALYSED}
        at_work = select(func.count()).where(of_study, AnalysisRow.state.not_in(ended))
        owed = (
            select(func.count())
            .select_from(DeliveryRow)
            .join(AnalysisRow, AnalysisRow.analysis_id == DeliveryRow.analysis_id)
            .where(of_study, DeliveryRow.state.not_in(FINAL_DELIVERY_STATES))
        )
        is_unclaimed = study.claimed < study.arrivals
        return not (is_unclaimed or session.scalar(at_work) or session.scalar(owed))

    def delete_events(self, before: datetime) -> int:
        """Delete the events before a moment, and return how many."""
        with self.transaction() as session:
            old = session.scalars(select(EventRow.event_id).where(EventRow.at < before)).all()
            session.execute(delete(EventRow).where(EventRow.at < before))
            return len(old)

    def remove(self, session: Session, study_instance_uid: StudyInstanceUID, actor: str = "") -> None:
        """Remove the rows of a study; its events stay, and one more says that it was purged."""
        analyses = select(AnalysisRow.analysis_id).where(AnalysisRow.study_instance_uid == study_instance_uid)
        session.execute(delete(DeliveryRow).where(DeliveryRow.analysis_id.in_(analyses)))
        session.execute(delete(FeedbackRow).where(FeedbackRow.study_instance_uid == study_instance_uid))
        session.execute(delete(AnalysisRow).where(AnalysisRow.study_instance_uid == study_instance_uid))
        session.execute(delete(StudyRow).where(StudyRow.study_instance_uid == study_instance_uid))
        self.note(session, study_instance_uid, "study purged", "", message=by(actor))

    def now(self) -> datetime:
        """Return the present moment."""
        return self._clock()

    def touch(self, session: Session, study_instance_uid: str) -> None:
        """Note that a study has changed."""
        study = locked(session, StudyRow, study_instance_uid)
        if study is not None:
            study.updated_at = self._clock()

    def _note_ending(
        self, session: Session, study_instance_uid: str, kind: str, subject: str, ending: Ending | DeliveryEnding
    ) -> None:
        message = (ending.evidence if isinstance(ending, DeliveryEnding) else "") or ending.message
        self.note(session, study_instance_uid, kind, subject, message=message, reason=ending.reason)

    def note(
        self, session: Session, study_instance_uid: str, kind: str, subject: str, *, message: str = "", reason: str | None = None
    ) -> None:
        """Add a line to the audit trail."""
        at = self._clock()
        row = EventRow(at=at, study_instance_uid=study_instance_uid, kind=kind, subject=subject, reason=reason, message=message)
        session.add(row)
