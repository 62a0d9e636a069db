"""The ledger as people read it: studies with their state, and the history of one."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from node.domain.identity import StudyInstanceUID
from node.domain.job import JobState
from node.domain.worklist import AnalysisEntry, AuditEntry, DeliveryEntry, EventEntry, StudyEntry, StudyHistory
from node.jobs.schema import AnalysisRow, DeliveryRow, EventRow, StudyRow


def list_studies(session: Session, state: JobState | None = None) -> tuple[StudyEntry, ...]:
    """Return the studies, last changed first."""
    studies = session.scalars(select(StudyRow).order_by(StudyRow.updated_at.desc(), StudyRow.study_instance_uid)).all()
    current = {study.current_analysis for study in studies if study.current_analysis is not None}
    rows = session.scalars(select(AnalysisRow).where(AnalysisRow.analysis_id.in_(current)))
    analyses = {entry.analysis_id: entry for entry in _analysis_entries(session, rows)}
    entries = (_study_entry(study, analyses.get(study.current_analysis or "")) for study in studies)
    return tuple(entry for entry in entries if state is None or entry.state == state)


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
