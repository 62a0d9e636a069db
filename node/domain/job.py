"""The life of a study in the node: states, the legal ways between them, and how long to wait before another try."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import NewType

from node.domain.errors import Declined, Finding, NodeError, Reason, Severity, TransientError
from node.domain.identity import ModelIdentity, SOPInstanceUID

#: Identifies one analysis: the same content, software, weights and configuration give the same one.
AnalysisId = NewType("AnalysisId", str)


class JobState(StrEnum):
    """Where a study, and each analysis of it, stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    ANALYSED = "analysed"
    DELIVERED = "delivered"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """Where the delivery of one analysis to one destination stands."""

    QUEUED = "queued"
    SENDING = "sending"
    WAITING = "waiting"
    DELIVERED = "delivered"
    INCOMPLETE = "incomplete"
    DEAD = "dead"
    CANCELLED = "cancelled"


class AnalysisStatus(StrEnum):
    """What an analysis that came to its end says, as in ``measurements.json``; ``unchanged``: the version before still holds."""

    MEASURED = "measured"
    PARTIAL = "partial"
    DECLINED = "declined"
    UNCHANGED = "unchanged"


class ShadowEnd(StrEnum):
    """How an analysis with the second set of models ended; ``superseded``: its study, or the set, is another one now."""

    MEASURED = "measured"
    DECLINED = "declined"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class ShadowOutcome:
    """How a second analysis ended, and why, in words."""

    end: ShadowEnd
    message: str = ""


class NoticeEvent(StrEnum):
    """What other programs can be told of a study."""

    RESULT = "result"
    DECLINED = "declined"
    FAILED = "failed"
    UNDELIVERED = "undelivered"


class NoticeEnd(StrEnum):
    """How telling it ended; ``gone``: the study, or who was to be told, is no longer here."""

    TOLD = "told"
    GIVEN_UP = "given up"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is told: an identity that is the same whenever it is told again, and the destination of a delivery."""

    event_id: str
    event: NoticeEvent
    destination: str = ""

    def __str__(self) -> str:
        return f"{self.event_id} {self.event} {self.destination}"

    @classmethod
    def parse(cls, text: str) -> "Occasion":
        """Return the occasion that a text names, as :func:`str` gave it."""
        event_id, event, destination = text.split(" ")
        return cls(event_id, NoticeEvent(event), destination)


_BEFORE_AN_END = frozenset({JobState.RUNNING})
_AFTER_AN_END = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.WAITING})

#: State -> the states from which it may be entered. A repeated step enters its own state again.
JOB_PREDECESSORS: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.QUEUED: _AFTER_AN_END | {JobState.QUEUED},
        JobState.RUNNING: frozenset({JobState.QUEUED, JobState.RUNNING, JobState.WAITING}),
        JobState.WAITING: _BEFORE_AN_END | {JobState.WAITING},
        JobState.ANALYSED: _BEFORE_AN_END | {JobState.ANALYSED, JobState.DELIVERED},
        JobState.DELIVERED: frozenset({JobState.ANALYSED, JobState.DELIVERED}),
        JobState.DECLINED: _BEFORE_AN_END | {JobState.DECLINED},
        JobState.FAILED: _BEFORE_AN_END | {JobState.WAITING, JobState.FAILED},
        JobState.CANCELLED: frozenset({JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.CANCELLED}),
    }
)

_SENT_OR_WAITING = frozenset({DeliveryState.SENDING, DeliveryState.WAITING})

DELIVERY_PREDECESSORS: Mapping[DeliveryState, frozenset[DeliveryState]] = MappingProxyType(
    {
        DeliveryState.QUEUED: frozenset(
            {
                DeliveryState.QUEUED,
                DeliveryState.DEAD,
                DeliveryState.INCOMPLETE,
                DeliveryState.CANCELLED,
                DeliveryState.WAITING,
                DeliveryState.DELIVERED,
            }
        ),
        DeliveryState.SENDING: _SENT_OR_WAITING | {DeliveryState.QUEUED},
        DeliveryState.WAITING: _SENT_OR_WAITING,
        DeliveryState.DELIVERED: frozenset({DeliveryState.SENDING, DeliveryState.DELIVERED}),
        DeliveryState.INCOMPLETE: frozenset({DeliveryState.SENDING, DeliveryState.INCOMPLETE}),
        DeliveryState.DEAD: _SENT_OR_WAITING | {DeliveryState.DEAD},
        DeliveryState.CANCELLED: _SENT_OR_WAITING | {DeliveryState.QUEUED, DeliveryState.CANCELLED},
    }
)

#: States in which nothing more happens on its own.
FINAL_JOB_STATES = frozenset({JobState.DELIVERED, JobState.DECLINED, JobState.FAILED, JobState.CANCELLED})
FINAL_DELIVERY_STATES = frozenset(
    {DeliveryState.DELIVERED, DeliveryState.INCOMPLETE, DeliveryState.DEAD, DeliveryState.CANCELLED}
)


@dataclass(frozen=True, slots=True)
class AnalysisOutcome:
    """What one analysis produced.

    Parameters
    ----------
    folder
        Folder of the result objects and of ``report.json``; None if nothing was written.
    object_count
        Number of result objects to deliver.
    reasons
        Each code and severity that the result holds, at the study or at one of its measurements, once; to be counted.
    """

    status: AnalysisStatus
    findings: tuple[Finding, ...] = ()
    folder: Path | None = None
    object_count: int = 0
    models: tuple[ModelIdentity, ...] = ()
    reasons: tuple[tuple[Reason, Severity], ...] = ()


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What one association with a destination achieved: objects it stored, and why it refused the others."""

    stored: tuple[SOPInstanceUID, ...]
    refused: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a try at an analysis ended, in words that may be stored and shown."""

    state: JobState
    reason: Reason | None = None
    message: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliveryEnding:
    """How an attempt at a delivery ended; ``retry_in_s`` is set if another follows.

    ``evidence`` says for the audit trail what went where: SOP Instance UIDs, AE title, host and port.
    """

    state: DeliveryState
    stored_count: int = 0
    reason: Reason | None = None
    message: str = ""
    retry_in_s: float | None = None
    evidence: str = ""


def ending_of(error: NodeError) -> Ending:
    """Return the state that an error leads to; see the tree in :mod:`node.domain.errors`."""
    if isinstance(error, Declined):
        state = JobState.DECLINED
    elif isinstance(error, TransientError):
        state = JobState.WAITING
    else:
        state = JobState.FAILED
    return Ending(state, error.reason, error.message, error.findings)


def retry_delay_s(failures: int, first_delay_s: float, maximum_delay_s: float) -> float:
    """Return the wait after a number of failures in a row: the first delay, doubled each time, up to the maximum.

    Raises
    ------
    ValueError
        If nothing has failed yet.
    """
    if failures < 1:
        raise ValueError("there is nothing to wait for before the first failure")
    return float(min(first_delay_s * 2.0 ** min(failures - 1, 64), maximum_delay_s))
