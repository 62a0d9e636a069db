"""Deliveries that are queued again: what did not arrive, or on request everything, also where it was delivered."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from node.domain.errors import PermanentError, Reason
from node.domain.identity import StudyInstanceUID
from node.domain.job import DELIVERY_PREDECESSORS, AnalysisId, DeliveryState, JobState
from node.jobs.ledger import Ledger, by
from node.jobs.locks import locked
from node.jobs.schema import AnalysisRow, DeliveryRow, EventRow, StudyRow

#: Identity of an analysis, a destination, and the number of the next attempt.
Redelivery = tuple[AnalysisId, str, int]

_REOPENED = DELIVERY_PREDECESSORS[DeliveryState.QUEUED] - {DeliveryState.QUEUED}
_WITH_RESULT = (JobState.ANALYSED, JobState.DELIVERED)
_PURGED = "study purged"


def retry_deliveries(
    ledger: Ledger, session: Session, study_instance_uid: StudyInstanceUID, actor: str = ""
) -> tuple[Redelivery, ...]:
    """Queue again what ended without arriving, or waits, of the current analysis."""
    study = locked(session, StudyRow, study_instance_uid)
    found = select(DeliveryRow).where(
        DeliveryRow.analysis_id == (study.current_analysis if study else None),
        DeliveryRow.state.in_(_REOPENED - {DeliveryState.DELIVERED}),
    )
    rows = list(session.scalars(found))
    for row in rows:
        _reopen(ledger, row)
        ledger.note(session, study_instance_uid, "delivery retried", row.destination, message=by(actor))
    return tuple(_redeliveries(rows))


def resend_results(
    ledger: Ledger, session: Session, study_instance_uid: StudyInstanceUID, destinations: Sequence[str], actor: str = ""
) -> tuple[Redelivery, ...]:
    """Queue the current results again to destinations, whether they have them, lack them or never got any.

    Raises
    ------
    PermanentError
        ``nothing_to_retry`` if there are no results, or they are on their way everywhere; ``report_unreadable`` if the results
        are gone from the disk.
    """
    analysis = _current_result(session, study_instance_uid)
    rows = list(_rows(ledger, session, analysis, destinations))
    if not rows:
        text = f"the results of study {study_instance_uid} are on their way to {', '.join(destinations) or 'no destination'}"
        raise PermanentError(Reason.NOTHING_TO_RETRY, f"{text}: nothing to send again")
    analysis.state = JobState.ANALYSED  # counts as delivered only when what is sent again has arrived
    for row in rows:
        ledger.note(session, study_instance_uid, "delivery resent", row.destination, message=by(actor))
    ledger.touch(session, study_instance_uid)
    return tuple(_redeliveries(rows))


def _current_result(session: Session, study_instance_uid: StudyInstanceUID) -> AnalysisRow:
    study = locked(session, StudyRow, study_instance_uid)
    analysis = locked(session, AnalysisRow, (study.current_analysis if study else None) or "")
    if analysis is None or analysis.folder is None or not analysis.object_count or analysis.state not in _WITH_RESULT:
        state = "queued" if analysis is None else analysis.state
        message = f"study {study_instance_uid} is {state} and has no results: nothing to send again"
        raise PermanentError(Reason.NOTHING_TO_RETRY, message)
    if not Path(analysis.folder).is_dir():
        message = f"the results of study {study_instance_uid} are no longer on the disk; send its images again"
        raise PermanentError(Reason.REPORT_UNREADABLE, message)
    return analysis


def _rows(ledger: Ledger, session: Session, analysis: AnalysisRow, destinations: Iterable[str]) -> Iterator[DeliveryRow]:
    """Yield what is to be sent: reopened where it has ended or waits, new where the destination was not there before."""
    for destination in destinations:
        row = session.get(DeliveryRow, (analysis.analysis_id, destination))
        if row is None:
            row = ledger.new_delivery(analysis.analysis_id, destination)
            row.attempt = 1
            session.add(row)
            yield row
        elif row.state in _REOPENED:
            _reopen(ledger, row)
            yield row


def _reopen(ledger: Ledger, row: DeliveryRow) -> None:
    # A waiting delivery has its next attempt queued already: that one finds itself overtaken and ends.
    row.attempt += 2 if row.state == DeliveryState.WAITING else 1
    row.state, row.reason, row.message = DeliveryState.QUEUED, None, ""
    row.next_attempt_at = None
    row.updated_at = ledger.now()


def _redeliveries(rows: Iterable[DeliveryRow]) -> Iterator[Redelivery]:
    return ((AnalysisId(row.analysis_id), row.destination, row.attempt) for row in rows)


def unknown_study(session: Session, study_instance_uid: StudyInstanceUID) -> PermanentError:
    """Return the error for a study that is not here, with when and by whom it was purged if it was."""
    purged = select(EventRow).where(EventRow.study_instance_uid == study_instance_uid, EventRow.kind == _PURGED)
    event = session.scalar(purged.order_by(EventRow.event_id.desc()).limit(1))
    if event is None:
        message = f"no study {study_instance_uid} here; `studies list` shows the known ones"
    else:
        message = f"no study {study_instance_uid} here: purged {event.message} on {event.at:%Y-%m-%d}; send its images again"
    return PermanentError(Reason.STUDY_UNKNOWN, message)
