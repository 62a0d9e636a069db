"""The worklist and the queue as a page shows them: pure functions of what the ledger holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from node.domain.job import FINAL_DELIVERY_STATES, FINAL_JOB_STATES, AnalysisStatus, DeliveryState, JobState
from node.domain.worklist import AnalysisEntry, DeliveryEntry, StudyEntry, StudyList, StudyQuery, Tally

_RETRIED_STUDIES = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.WAITING})
_RETRIED_DELIVERIES = frozenset({DeliveryState.DEAD, DeliveryState.INCOMPLETE, DeliveryState.CANCELLED, DeliveryState.WAITING})
#: Studies on one page of the list.
PAGE_LENGTH = 50


@dataclass(frozen=True, slots=True)
class DeliveryMark:
    """A delivery as the worklist shows it."""

    destination: str
    state: str


@dataclass(frozen=True, slots=True)
class StudyLine:
    """One line of the worklist."""

    study_instance_uid: str
    accession_number: str
    state: str
    status: str | None
    revision: int | None
    reasons: tuple[str, ...]
    deliveries: tuple[DeliveryMark, ...]
    first_ready_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list was asked for, as it stands in the address."""

    state: str = ""
    status: str = ""
    delivery: str = ""
    reason: str = ""
    text: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class WorklistView:
    """The worklist: one part of the studies, last changed first, and how many studies are in each state."""

    filters: Filters
    studies: tuple[StudyLine, ...]
    total: int
    pages: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Actions:
    """What may be done about a study now."""

    can_retry: bool
    can_cancel: bool
    can_resend: bool


@dataclass(frozen=True, slots=True)
class QueueView:
    """What waits, what runs, and what nobody will try again."""

    receiving: int
    oldest_queued_at: datetime | None
    waiting: tuple[StudyLine, ...]
    waiting_total: int
    dead: tuple[StudyLine, ...]
    dead_total: int


def parse_filters(parameters: Mapping[str, str]) -> Filters:
    """Return the filters of an address; a value that is none of ours is left out."""
    page = parameters.get("page", "1")
    return Filters(
        state=_known(parameters.get("state", ""), JobState),
        status=_known(parameters.get("status", ""), AnalysisStatus),
        delivery=_known(parameters.get("delivery", ""), DeliveryState),
        reason=parameters.get("reason", "").strip()[:64],
        text=parameters.get("text", "").strip()[:64],
        page=max(1, min(int(page), 100_000)) if page.isdecimal() and len(page) < 7 else 1,
    )


def _known(text: str, words: type[JobState] | type[DeliveryState] | type[AnalysisStatus]) -> str:
    return text if text in [word.value for word in words] else ""


def query_of(filters: Filters) -> StudyQuery:
    """Return what the ledger is asked for."""
    return StudyQuery(
        states=frozenset({JobState(filters.state)} if filters.state else ()),
        status=filters.status or None,
        deliveries=frozenset({DeliveryState(filters.delivery)} if filters.delivery else ()),
        reason=filters.reason or None,
        text=filters.text,
        limit=PAGE_LENGTH,
        offset=(filters.page - 1) * PAGE_LENGTH,
    )


def worklist_view(
    found: StudyList, filters: Filters, states: Mapping[str, int], accession_numbers: Mapping[str, str]
) -> WorklistView:
    """Return the worklist."""
    return WorklistView(
        filters=filters,
        studies=study_lines(found.entries, accession_numbers),
        total=found.total,
        pages=max(1, -(-found.total // PAGE_LENGTH)),
        counts={state.value: states.get(state, 0) for state in JobState},
    )


def study_lines(entries: Iterable[StudyEntry], accession_numbers: Mapping[str, str]) -> tuple[StudyLine, ...]:
    """Return one line for each study."""
    return tuple(_line(entry, accession_numbers.get(entry.study_instance_uid, "")) for entry in entries)


def _line(entry: StudyEntry, accession_number: str) -> StudyLine:
    current = entry.current
    return StudyLine(
        study_instance_uid=entry.study_instance_uid,
        accession_number=accession_number,
        state=entry.state,
        status=current.status if current else None,
        revision=current.revision if current else None,
        reasons=() if current is None else _reasons(current),
        deliveries=() if current is None else tuple(DeliveryMark(one.destination, one.state) for one in current.deliveries),
        first_ready_at=entry.first_ready_at,
        updated_at=entry.updated_at,
    )


def _reasons(analysis: AnalysisEntry) -> tuple[str, ...]:
    """Return each code once: of the ending first, then of the findings, then of deliveries that did not arrive."""
    codes = [analysis.reason, *(finding["code"] for finding in analysis.findings)]
    codes += [one.reason for one in analysis.deliveries]
    return tuple(dict.fromkeys(code for code in codes if code))


def queue_view(
    waiting: StudyList, dead: StudyList, tally: Tally, receiving: int, accession_numbers: Mapping[str, str]
) -> QueueView:
    """Return what waits and what has been given up."""
    return QueueView(
        receiving=receiving,
        oldest_queued_at=tally.oldest_queued_at,
        waiting=study_lines(waiting.entries, accession_numbers),
        waiting_total=waiting.total,
        dead=study_lines(dead.entries, accession_numbers),
        dead_total=dead.total,
    )


def actions_of(entry: StudyEntry) -> Actions:
    """Return what may be done about a study: the same rules as the job client's."""
    deliveries: tuple[DeliveryEntry, ...] = entry.current.deliveries if entry.current else ()
    states = {DeliveryState(one.state) for one in deliveries}
    ended = entry.state in FINAL_JOB_STATES or (entry.state == JobState.ANALYSED and states <= FINAL_DELIVERY_STATES)
    return Actions(
        can_retry=entry.state in _RETRIED_STUDIES or bool(states & _RETRIED_DELIVERIES),
        can_cancel=not ended,
        can_resend=DeliveryState.DELIVERED in states,
    )
