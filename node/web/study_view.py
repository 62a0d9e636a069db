"""One study as its page shows it: a pure function of its history, its report and the configuration."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from node.domain.job import FINAL_DELIVERY_STATES
from node.domain.report import ReportObject
from node.domain.worklist import AnalysisEntry, DeliveryEntry, EventEntry, StudyHistory
from node.reporting import MeasurementsDocument
from node.shadow import ShadowReport
from node.web.measured_view import (
    SEVERITIES,
    ChangeView,
    LevelView,
    ReasonView,
    SkippedView,
    SliceValues,
    ValueView,
    alternatives,
    changes,
    headlines,
    levels,
    reason_views,
    skipped,
    slices,
)
from node.web.profile import ProfileView, profile_view
from node.web.shadow_view import ShadowView, shadow_view
from node.web.views import Actions, actions_of


@dataclass(frozen=True, slots=True)
class BrowsedView:
    """A series whose slices can be seen: how many, and which one was measured (from 1)."""

    role: str
    slices: int
    measured: int


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """The delivery of the current results to one destination."""

    destination: str
    state: str
    objects: tuple[str, ...]
    stored_count: int
    attempt: int
    commitment: str
    commitment_asked_at: datetime | None
    committed_at: datetime | None
    reason: str | None
    message: str
    next_attempt_at: datetime | None
    updated_at: datetime
    can_resend: bool


@dataclass(frozen=True, slots=True)
class ObjectView:
    """One result object."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    committed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One analysis of the study."""

    revision: int
    state: str
    status: str | None
    reason: str | None
    message: str
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class FeedbackView:
    """What somebody made of the results of a version; ``revision`` is None if that version is not here."""

    at: datetime
    kind: str
    modality: str
    revision: int | None
    message: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class StudyView:
    """Everything that the page of a study shows."""

    study_instance_uid: str
    accession_number: str
    state: str
    status: str | None
    actions: Actions
    viewer_url: str
    problem: str
    first_ready_at: datetime
    updated_at: datetime
    reasons: tuple[ReasonView, ...] = ()
    values: tuple[ValueView, ...] = ()
    more_values: tuple[ValueView, ...] = ()
    levels: tuple[LevelView, ...] = ()
    profile: ProfileView | None = None
    slices: tuple[SliceValues, ...] = ()
    series: tuple[BrowsedView, ...] = ()
    changes: tuple[ChangeView, ...] = ()
    skipped: tuple[SkippedView, ...] = ()
    pictures: tuple[str, ...] = ()
    objects: tuple[ObjectView, ...] = ()
    deliveries: tuple[DeliveryView, ...] = ()
    feedback: tuple[FeedbackView, ...] = ()
    shadow: ShadowView | None = None
    revisions: tuple[RevisionView, ...] = ()
    models: tuple[Mapping[str, str], ...] = ()
    events: tuple[EventEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Commitment:
    """What is known of a storage commitment: ``off``, ``asked``, ``answered``, ``committed`` or ``open`` (not asked yet)."""

    word: str
    asked_at: datetime | None = None
    committed_at: datetime | None = None
    objects: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StudyRows:
    """What was read of a study.

    Parameters
    ----------
    problem
        Why there is no document, in words; empty if there is one or none is expected.
    wanted
        Kinds of object by destination of the configuration.
    """

    history: StudyHistory
    accession_number: str = ""
    viewer_url: str = ""
    document: MeasurementsDocument | None = None
    problem: str = ""
    objects: tuple[ReportObject, ...] = ()
    shadow: ShadowReport | None = None
    series: tuple[BrowsedView, ...] = ()
    wanted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    commitments: Mapping[str, Commitment] = field(default_factory=dict)


def study_view(rows: StudyRows) -> StudyView:
    """Return the page of a study."""
    study, document = rows.history.study, rows.document
    current = study.current
    return StudyView(
        study_instance_uid=study.study_instance_uid,
        accession_number=rows.accession_number,
        state=study.state,
        status=current.status if current else None,
        actions=actions_of(study),
        viewer_url=rows.viewer_url,
        problem=rows.problem,
        first_ready_at=study.first_ready_at,
        updated_at=study.updated_at,
        reasons=_study_reasons(current, document),
        values=() if document is None else headlines(document),
        more_values=() if document is None else alternatives(document),
        levels=() if document is None or document.sagittal is None else levels(document),
        profile=None if document is None or document.sagittal is None else profile_view(levels(document)),
        slices=() if document is None or document.axial is None else slices(document),
        series=rows.series,
        changes=() if document is None else changes(document),
        skipped=() if document is None else skipped(document),
        pictures=() if document is None else document.pictures,
        objects=tuple(_object(one, rows) for one in rows.objects),
        deliveries=() if current is None else tuple(_delivery(one, rows) for one in current.deliveries),
        feedback=tuple(_feedback(rows.history)),
        shadow=None if document is None or rows.shadow is None else shadow_view(document, rows.shadow),
        revisions=tuple(_revision(one) for one in reversed(rows.history.analyses)),
        models=() if current is None else current.models,
        events=tuple(reversed(rows.history.events)),
    )


def _study_reasons(current: AnalysisEntry | None, document: MeasurementsDocument | None) -> tuple[ReasonView, ...]:
    """Return every reason of the study, at whatever value it stands; those of series that were skipped stand with them."""
    used = None if document is None else document.model_copy(update={"skipped": ()})
    found = [] if used is None else list(reason_views(used.every_reason))
    for finding in current.findings if current else ():
        found.append(ReasonView(finding["code"], finding["severity"], finding["message"]))
    if current is not None and current.reason and current.reason not in {one.code for one in found}:
        found.insert(0, ReasonView(current.reason, "error", current.message))
    return tuple(sorted(dict.fromkeys(found), key=lambda one: SEVERITIES.index(one.severity)))


def _object(one: ReportObject, rows: StudyRows) -> ObjectView:
    uid = one.instance.sop_instance_uid
    committed_by = tuple(name for name, commitment in sorted(rows.commitments.items()) if uid in commitment.objects)
    return ObjectView(one.kind.value, one.instance.sop_class_uid, uid, committed_by)


def _delivery(one: DeliveryEntry, rows: StudyRows) -> DeliveryView:
    wanted = rows.wanted.get(one.destination, frozenset())
    commitment = rows.commitments.get(one.destination, Commitment("off"))
    return DeliveryView(
        destination=one.destination,
        state=one.state,
        objects=tuple(item.kind.value for item in rows.objects if item.kind in wanted),
        stored_count=one.stored_count,
        attempt=one.attempt,
        commitment=commitment.word,
        commitment_asked_at=commitment.asked_at,
        committed_at=commitment.committed_at,
        reason=one.reason,
        message=one.message,
        next_attempt_at=one.next_attempt_at,
        updated_at=one.updated_at,
        can_resend=one.state in FINAL_DELIVERY_STATES and one.destination in rows.wanted,
    )


def _feedback(history: StudyHistory) -> Iterator[FeedbackView]:
    revisions = {one.analysis_id: one.revision for one in history.analyses}
    for one in history.feedback:
        revision = revisions.get(one.analysis_id)
        yield FeedbackView(one.at, one.kind.value, one.modality, revision, one.message, one.sop_instance_uid)


def _revision(one: AnalysisEntry) -> RevisionView:
    return RevisionView(one.revision, one.state, one.status, one.reason, one.message, one.started_at, one.finished_at)
