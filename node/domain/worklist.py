"""What became of the studies, as people read it in commands and on pages; holds no patient data."""

from dataclasses import dataclass
from datetime import datetime

from node.domain.identity import StudyInstanceUID
from node.domain.job import JobState


@dataclass(frozen=True, slots=True)
class DeliveryEntry:
    """A delivery of one analysis to one destination."""

    destination: str
    state: str
    attempt: int
    stored_count: int
    reason: str | None
    message: str
    next_attempt_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AnalysisEntry:
    """One analysis of a study; ``findings`` and ``models`` as in ``measurements.json``."""

    analysis_id: str
    revision: int
    state: str
    status: str | None
    reason: str | None
    message: str
    findings: tuple[dict[str, str], ...]
    models: tuple[dict[str, str], ...]
    folder: str | None
    object_count: int
    interruptions: int
    started_at: datetime | None
    finished_at: datetime | None
    deliveries: tuple[DeliveryEntry, ...]


@dataclass(frozen=True, slots=True)
class EventEntry:
    """One line of the audit trail."""

    at: datetime
    kind: str
    subject: str
    reason: str | None
    message: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit trail with the study that it is of."""

    study_instance_uid: StudyInstanceUID
    event: EventEntry


@dataclass(frozen=True, slots=True)
class StudyEntry:
    """A study as one line: its state and its current analysis, None before the first began."""

    study_instance_uid: StudyInstanceUID
    state: JobState
    first_ready_at: datetime
    updated_at: datetime
    current: AnalysisEntry | None


@dataclass(frozen=True, slots=True)
class StudyHistory:
    """A study with all its analyses, first revision first, and its events, oldest first."""

    study: StudyEntry
    analyses: tuple[AnalysisEntry, ...]
    events: tuple[EventEntry, ...]
