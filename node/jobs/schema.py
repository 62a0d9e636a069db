"""The tables of the ledger; they hold UIDs, states and reasons, and no patient data."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

#: Schema of the tables on Postgres; SQLite has none.
SCHEMA = "cspine"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment that is stored in UTC and comes back aware, also from SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware moment in UTC for storage."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored moment as aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Row(DeclarativeBase):
    """What every table has in common."""

    metadata = MetaData(schema=SCHEMA)
    type_annotation_map = {datetime: UtcDateTime, list[dict[str, Any]]: JSON}  # noqa: RUF012 - declared by SQLAlchemy


class StudyRow(Row):
    """A study; ``arrivals`` counts how often it was announced, ``claimed`` the last announcement that was taken up."""

    __tablename__ = "studies"

    study_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    arrivals: Mapped[int]
    claimed: Mapped[int]
    current_analysis: Mapped[str | None]
    first_ready_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)


class AnalysisRow(Row):
    """One analysis of one content of a study; ``workflow_id`` names its owner, ``interruptions`` counts killed tries."""

    __tablename__ = "analyses"
    __table_args__ = (UniqueConstraint("study_instance_uid", "revision"),)

    analysis_id: Mapped[str] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey(StudyRow.study_instance_uid, ondelete="CASCADE"))
    revision: Mapped[int]
    digest: Mapped[str]
    fingerprint: Mapped[str]
    workflow_id: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    status: Mapped[str | None]
    reason: Mapped[str | None]
    message: Mapped[str]
    findings: Mapped[list[dict[str, Any]]]
    models: Mapped[list[dict[str, Any]]]
    folder: Mapped[str | None]
    object_count: Mapped[int]
    interruptions: Mapped[int]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class DeliveryRow(Row):
    """The delivery of one analysis to one destination; ``attempt`` is the last one that began."""

    __tablename__ = "deliveries"

    analysis_id: Mapped[str] = mapped_column(ForeignKey(AnalysisRow.analysis_id, ondelete="CASCADE"), primary_key=True)
    destination: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(index=True)
    attempt: Mapped[int]
    reason: Mapped[str | None]
    message: Mapped[str]
    stored_count: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class FeedbackRow(Row):
    """An object that came back and speaks of the results of an analysis; goes with its study."""

    __tablename__ = "feedback"

    sop_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    series_instance_uid: Mapped[str]
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey(StudyRow.study_instance_uid, ondelete="CASCADE"), index=True)
    analysis_id: Mapped[str]
    modality: Mapped[str]
    kind: Mapped[str]
    message: Mapped[str]
    at: Mapped[datetime]


class TryRow(Row):
    """A job whose claim or delivery has begun and not ended; ``interruptions`` counts the processes that ended during it."""

    __tablename__ = "tries"

    workflow_id: Mapped[str] = mapped_column(primary_key=True)
    interruptions: Mapped[int]


class EventRow(Row):
    """One line of the audit trail; it outlives the rows that it speaks of."""

    __tablename__ = "events"

    event_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    study_instance_uid: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    subject: Mapped[str]
    reason: Mapped[str | None]
    message: Mapped[str]


class DurationRow(Row):
    """How long an analysis took that has a result; outlives the analysis."""

    __tablename__ = "durations"

    analysis_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    seconds: Mapped[float]


class ReasonRow(Row):
    """A reason that an analysis holds, at the study or at one of its measurements; outlives the analysis."""

    __tablename__ = "reasons"

    analysis_id: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    verdict: Mapped[str] = mapped_column(primary_key=True)
