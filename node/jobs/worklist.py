"""The ledger as people read it: studies with their state, and the history of one."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Select, case, func, or_, select
from sqlalchemy.orm import Session

from node.domain.feedback import Feedback, FeedbackKind
from node.domain.identity import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.job import AnalysisId, DeliveryState, JobState
from node.domain.worklist import (
    AnalysisEntry,
    AuditEntry,
    DeliveryEntry,
    EventEntry,
    StudyAge,
    StudyEntry,
    StudyHistory,
    StudyList,
    StudyQuery,
)
from node.jobs.schema import AnalysisRow, DeliveryRow, EventRow, FeedbackRow, ReasonRow, StudyRow

_ALL = StudyQuery()


def list_studies(session: Session, query: StudyQuery = _ALL) -> StudyList:
    """Return the studies that are looked for, last changed first."""
    found = _found(query)
    total = session.scalar(select(func.count()).select_from(found.with_only_columns(StudyRow.study_instance_uid).subquery())) or 0
    ordered = found.order_by(StudyRow.updated_at.desc(), StudyRow.study_instance_uid).offset(query.offset).limit(query.limit)
    studies = session.scalars(ordered).all()
    current = {study.current_analysis for study in studies if study.current_analysis is not None}
    rows = session.scalars(select(AnalysisRow).where(AnalysisRow.analysis_id.in_(current)))
    analyses = {entry.analysis_id: entry for entry in _analysis_entries(session, rows)}
    return StudyList(tuple(_study_entry(study, analyses.get(study.current_analysis or "")) for study in studies), total)


#: The state of a study, as :func:`_study_entry` finds it.
STUDY_STATE = case(
    (StudyRow.claimed < StudyRow.arrivals, JobState.QUEUED.value),
    (AnalysisRow.state.is_(None), JobState.CANCELLED.value),
    else_=AnalysisRow.state,
)
CURRENT = StudyRow.current_analysis == AnalysisRow.analysis_id


def list_ages(session: Session) -> tuple[StudyAge, ...]:
    """Return state and last change of every study, longest unchanged first."""
    query = select(StudyRow.study_instance_uid, STUDY_STATE, StudyRow.updated_at).outerjoin(AnalysisRow, CURRENT)
    rows = session.execute(query.order_by(StudyRow.updated_at, StudyRow.study_instance_uid))
    return tuple(StudyAge(StudyInstanceUID(uid), JobState(state), updated_at) for uid, state, updated_at in rows)


def _found(query: StudyQuery) -> Select[StudyRow]:
    found = select(StudyRow)
    if query.states or query.status or query.is_dead or query.reason:  # a join of all studies that are kept has its price
        found = found.outerjoin(AnalysisRow, CURRENT)
    if query.states:
        found = found.where(STUDY_STATE.in_(sorted(query.states)))
    if query.status:
        found = found.where(AnalysisRow.status == query.status)
    if query.text:
        found = found.where(StudyRow.study_instance_uid.contains(query.text, autoescape=True))
    delivery = select(DeliveryRow).where(DeliveryRow.analysis_id == StudyRow.current_analysis)
    if query.deliveries:
        found = found.where(delivery.where(DeliveryRow.state.in_(sorted(query.deliveries))).exists())
    if query.is_dead:
        dead = delivery.where(DeliveryRow.state.in_([DeliveryState.DEAD, DeliveryState.INCOMPLETE]))
        found = found.where(or_(STUDY_STATE.in_([JobState.FAILED]), dead.exists()))
    if query.reason:
        reasons = select(ReasonRow).where(ReasonRow.analysis_id == StudyRow.current_analysis, ReasonRow.code == query.reason)
        refused = delivery.where(DeliveryRow.reason == query.reason)
        found = found.where(or_(AnalysisRow.reason == query.reason, reasons.exists(), refused.exists()))
    return found


def read_history(session: Session, study_instance_uid: StudyInstanceUID) -> StudyHistory | None:
    """Return everything that is known of a study, None if it is unknown."""
    study = session.get(StudyRow, study_instance_uid)
    if study is None:
        return None
    of_study = AnalysisRow.study_instance_uid == study_instance_uid
    analyses = _analysis_entries(session, session.scalars(select(AnalysisRow).where(of_study).order_by(AnalysisRow.revision)))
    current = next((entry for entry in analyses if entry.analysis_id == study.current_analysis), None)
    events = select(EventRow).where(EventRow.study_instance_uid == study_instance_uid).order_by(EventRow.event_id)
    return StudyHistory(
        _study_entry(study, current),
        analyses,
        tuple(_event_entry(event) for event in session.scalars(events)),
        list_feedback(session, study_instance_uid),
    )


def read_audit(session: Session, study_instance_uid: StudyInstanceUID | None, since: datetime | None) -> tuple[AuditEntry, ...]:
    """Return the events of one study or of all, from a moment on, oldest first."""
    query = select(EventRow).order_by(EventRow.event_id)
    if study_instance_uid is not None:
        query = query.where(EventRow.study_instance_uid == study_instance_uid)
    if since is not None:
        query = query.where(EventRow.at >= since)
    return tuple(AuditEntry(StudyInstanceUID(one.study_instance_uid), _event_entry(one)) for one in session.scalars(query))


def _event_entry(event: EventRow) -> EventEntry:
    return EventEntry(event.at, event.kind, event.subject, event.reason, event.message)


def _study_entry(study: StudyRow, current: AnalysisEntry | None) -> StudyEntry:
    if study.claimed < study.arrivals:
        state = JobState.QUEUED
    else:
        state = JobState.CANCELLED if current is None else JobState(current.state)
    return StudyEntry(StudyInstanceUID(study.study_instance_uid), state, study.first_ready_at, study.updated_at, current)


def _analysis_entries(session: Session, rows: Iterable[AnalysisRow]) -> tuple[AnalysisEntry, ...]:
    analyses = tuple(rows)
    identities = [analysis.analysis_id for analysis in analyses]
    deliveries: dict[str, list[DeliveryEntry]] = {identity: [] for identity in identities}
    query = select(DeliveryRow).where(DeliveryRow.analysis_id.in_(identities)).order_by(DeliveryRow.destination)
    for delivery in session.scalars(query):
        deliveries[delivery.analysis_id].append(_delivery_entry(delivery))
    return tuple(_analysis_entry(analysis, tuple(deliveries[analysis.analysis_id])) for analysis in analyses)


def _analysis_entry(analysis: AnalysisRow, deliveries: tuple[DeliveryEntry, ...]) -> AnalysisEntry:
    return AnalysisEntry(
        analysis_id=analysis.analysis_id,
        revision=analysis.revision,
        state=analysis.state,
        status=analysis.status,
        reason=analysis.reason,
        message=analysis.message,
        findings=tuple(analysis.findings),
        models=tuple(analysis.models),
        folder=analysis.folder,
        object_count=analysis.object_count,
        interruptions=analysis.interruptions,
        started_at=analysis.started_at,
        finished_at=analysis.finished_at,
        deliveries=deliveries,
    )


def _delivery_entry(delivery: DeliveryRow) -> DeliveryEntry:
    return DeliveryEntry(
        destination=delivery.destination,
        state=delivery.state,
        attempt=delivery.attempt,
        stored_count=delivery.stored_count,
        reason=delivery.reason,
        message=delivery.message,
        next_attempt_at=delivery.next_attempt_at,
        updated_at=delivery.updated_at,
    )


def list_feedback(session: Session, study_instance_uid: StudyInstanceUID | None = None) -> tuple[Feedback, ...]:
    """Return the feedback to one study or to all that are here, oldest first."""
    found = select(FeedbackRow).order_by(FeedbackRow.at, FeedbackRow.sop_instance_uid)
    if study_instance_uid is not None:
        found = found.where(FeedbackRow.study_instance_uid == study_instance_uid)
    return tuple(_feedback(row) for row in session.scalars(found))


def _feedback(row: FeedbackRow) -> Feedback:
    return Feedback(
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
        sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
        analysis_id=AnalysisId(row.analysis_id),
        modality=row.modality,
        kind=FeedbackKind(row.kind),
        message=row.message,
        at=row.at,
    )
