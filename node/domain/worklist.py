"""What became of the studies, as people read it in commands and on pages; holds no patient data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from node.domain.feedback import Feedback
from node.domain.identity import StudyInstanceUID
from node.domain.job import DeliveryState, JobState


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
class StudyAge:
    """What decides how long a study is kept."""

    study_instance_uid: StudyInstanceUID
    state: JobState
    updated_at: datetime


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
    """A study with all its analyses, first revision first, and its events and the feedback to it, oldest first."""

    study: StudyEntry
    analyses: tuple[AnalysisEntry, ...]
    events: tuple[EventEntry, ...]
    feedback: tuple[Feedback, ...] = ()


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """Which studies are looked for; what is None or empty admits all.

    Parameters
    ----------
    states
        The study is in one of these states.
    deliveries
        A delivery of its current analysis is in one of these states.
    reason
        Code that its current analysis, a measurement of it or a delivery of it carries.
    text
        Part of the Study Instance UID.
    is_dead
        Only studies that failed, or of which a delivery was given up or refused in part: nothing more happens on its own.
    limit, offset
        Which part of the list; no limit gives all.
    """

    states: frozenset[JobState] = frozenset()
    status: str | None = None
    deliveries: frozenset[DeliveryState] = frozenset()
    reason: str | None = None
    text: str = ""
    is_dead: bool = False
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class StudyList:
    """A part of the studies that were looked for, last changed first, and how many there are in all."""

    entries: tuple[StudyEntry, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Durations:
    """How long analyses took: for each bound in seconds, how many took no longer; the number and the sum of all."""

    at_most: Mapping[float, int] = field(default_factory=dict)
    count: int = 0
    sum_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """Everything that is counted; what happened outlives the studies that are purged, so that it never decreases.

    Parameters
    ----------
    studies
        Studies that are there now, by state.
    deliveries
        Deliveries that are there now, by destination and state.
    oldest_queued_at
        When the study that has waited longest for a worker was announced or changed.
    received
        How many studies were announced for the first time.
    analyses, attempts
        How many analyses ended, by kind of end and reason (empty without one); attempts at a delivery, by destination and end.
    reasons
        How many analyses had a reason, by code and verdict.
    feedback
        How many objects came back that speak of a result, by what they say.
    shadows
        How many analyses with the second set of models ended, by kind of end.
    notices
        How many messages to webhooks ended, by webhook and kind of end.
    """

    studies: Mapping[str, int]
    deliveries: Mapping[tuple[str, str], int]
    oldest_queued_at: datetime | None
    received: int
    analyses: Mapping[tuple[str, str], int]
    attempts: Mapping[tuple[str, str], int]
    reasons: Mapping[tuple[str, str], int]
    durations: Durations
    feedback: Mapping[str, int] = field(default_factory=dict)
    shadows: Mapping[str, int] = field(default_factory=dict)
    notices: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StalledJob:
    """A job that has been running for suspiciously long: its identity, the worker that began it, and when."""

    job: str
    worker: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Noticed:
    """What became of an analysis or, where one is named, of its delivery to a destination."""

    study_instance_uid: str
    analysis_id: str
    revision: int
    state: str
    status: str | None
    reason: str | None
    findings: tuple[Mapping[str, str], ...]
    folder: Path | None
    at: datetime
