"""What the ledger counts, for monitoring: what is kept for it, and one query for each kind of number."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from node.domain.errors import Reason, Severity
from node.domain.job import AnalysisId, AnalysisStatus, DeliveryState, JobState
from node.domain.worklist import Durations, Tally
from node.jobs.schema import AnalysisRow, DeliveryRow, DurationRow, EventRow, ReasonRow, StudyRow
from node.jobs.worklist import CURRENT, STUDY_STATE

_BOUNDS_S = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
_ANALYSIS, _DELIVERY = "analysis ", "delivery "
#: What the kind of an event begins with that tells of feedback to a result.
FEEDBACK = "feedback "
#: What the kind of an event begins with that tells of an analysis with the second set of models.
SHADOW = "shadow "
#: What the kind of an event begins with that tells how telling a webhook ended; its subject is the webhook.
NOTICE = "notice "
_FIRST = "announcement 1"
# Who retried what stands among the events too.
_ANALYSIS_ENDS = {f"{_ANALYSIS}{end}" for end in (*AnalysisStatus, *JobState)}
_DELIVERY_ENDS = {f"{_DELIVERY}{end}" for end in DeliveryState}


def note_reasons(session: Session, analysis_id: AnalysisId, reasons: Iterable[tuple[Reason, Severity]]) -> None:
    """Keep the reasons of an analysis for counting; safe to repeat."""
    for code, severity in sorted(set(reasons)):
        session.merge(ReasonRow(analysis_id=analysis_id, code=code, verdict=severity))


def note_duration(session: Session, analysis: AnalysisRow) -> None:
    """Keep how long an analysis took; safe to repeat."""
    if analysis.started_at is not None and analysis.finished_at is not None:
        seconds = (analysis.finished_at - analysis.started_at).total_seconds()
        session.merge(DurationRow(analysis_id=analysis.analysis_id, at=analysis.finished_at, seconds=seconds))


def count_all(session: Session) -> Tally:
    """Return everything that is counted."""
    destinations = select(DeliveryRow.destination, DeliveryRow.state, func.count())
    destinations = destinations.group_by(DeliveryRow.destination, DeliveryRow.state)
    reasons = select(ReasonRow.code, ReasonRow.verdict, func.count()).group_by(ReasonRow.code, ReasonRow.verdict)
    events = _events(session)
    return Tally(
        studies=count_states(session),
        deliveries={(destination, state): count for destination, state, count in session.execute(destinations)},
        oldest_queued_at=_oldest_queued(session),
        received=session.scalar(select(func.count()).where(EventRow.kind == "study ready", EventRow.subject == _FIRST)) or 0,
        analyses={(kind.removeprefix(_ANALYSIS), rest): n for (kind, rest), n in events.items() if kind in _ANALYSIS_ENDS},
        attempts={(rest, kind.removeprefix(_DELIVERY)): n for (kind, rest), n in events.items() if kind in _DELIVERY_ENDS},
        reasons={(code, verdict): count for code, verdict, count in session.execute(reasons)},
        durations=_durations(session),
        feedback={kind.removeprefix(FEEDBACK): n for (kind, _), n in events.items() if kind.startswith(FEEDBACK)},
        notices={(rest, kind.removeprefix(NOTICE)): n for (kind, rest), n in events.items() if kind.startswith(NOTICE)},
        shadows={kind.removeprefix(SHADOW): n for (kind, _), n in events.items() if kind.startswith(SHADOW)},
    )


def count_states(session: Session) -> dict[str, int]:
    """Return how many studies are in each state."""
    # What is grouped by holds parameters, which Postgres takes for different ones in SELECT and GROUP BY: hence the subquery.
    stands = select(STUDY_STATE.label("state")).select_from(StudyRow).outerjoin(AnalysisRow, CURRENT).subquery()
    states = select(stands.c.state, func.count()).group_by(stands.c.state)
    return {state: count for state, count in session.execute(states)}


def _events(session: Session) -> dict[tuple[str, str], int]:
    """Return how often what happened: of deliveries by destination, of messages by webhook, of the others by reason."""
    is_to_somebody = or_(EventRow.kind.startswith(_DELIVERY), EventRow.kind.startswith(NOTICE))
    rest = case((is_to_somebody, EventRow.subject), else_=func.coalesce(EventRow.reason, ""))
    happened = select(EventRow.kind, rest.label("rest")).subquery()
    rows = session.execute(select(happened.c.kind, happened.c.rest, func.count()).group_by(happened.c.kind, happened.c.rest))
    return {(kind, of): count for kind, of, count in rows}


def _oldest_queued(session: Session) -> datetime | None:
    waiting = select(StudyRow.updated_at).outerjoin(AnalysisRow, CURRENT).where(STUDY_STATE.in_([JobState.QUEUED]))
    return session.scalar(waiting.order_by(StudyRow.updated_at).limit(1))


def _durations(session: Session) -> Durations:
    within = (func.sum(case((DurationRow.seconds <= bound, 1), else_=0)) for bound in _BOUNDS_S)
    row = session.execute(select(func.count(), func.sum(DurationRow.seconds), *within).select_from(DurationRow)).one()
    count, total, *found = row
    return Durations({bound: int(one or 0) for bound, one in zip(_BOUNDS_S, found, strict=True)}, int(count), float(total or 0.0))
