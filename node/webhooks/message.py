"""What a message says: UIDs, states, verdicts and codes of reasons. No patient, no value, no words that people wrote."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from node.domain.errors import PermanentError
from node.domain.job import Occasion
from node.domain.worklist import Noticed
from node.reporting import MeasurementsDocument, read_measurements


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class MeasuredPart(_Part):
    """How far one value may be relied on; the value itself stands on the study's page and in the SR."""

    name: str
    level: str | None
    verdict: str


class ReasonPart(_Part):
    """A reason, by its stable code."""

    code: str
    severity: str


class StudyPart(_Part):
    """What became of a study; ``destination`` and its ``state`` only where a delivery is spoken of."""

    study_instance_uid: str
    analysis_id: str
    revision: int
    state: str
    status: str | None
    reason: str | None
    destination: str | None
    reasons: tuple[ReasonPart, ...]
    measurements: tuple[MeasuredPart, ...]
    page: str


class Message(_Part):
    """The body of a POST: type, time and content, as Standard Webhooks names them, and the id to tell doubles by."""

    id: str
    type: str
    timestamp: str
    data: StudyPart


def compose(occasion: Occasion, found: Noticed, node_url: str) -> str:
    """Return the body of a message; the same for each attempt."""
    document = _document(found)
    reasons = {(str(one["code"]), str(one["severity"])) for one in found.findings}
    if document is not None:
        reasons |= {(one.code, str(one.severity)) for one in document.every_reason}
    return Message(
        id=occasion.event_id,
        type=f"study.{occasion.event}",
        timestamp=found.at.isoformat(),
        data=StudyPart(
            study_instance_uid=found.study_instance_uid,
            analysis_id=found.analysis_id,
            revision=found.revision,
            state=found.state,
            status=found.status,
            reason=found.reason,
            destination=occasion.destination or None,
            reasons=tuple(ReasonPart(code=code, severity=severity) for code, severity in sorted(reasons)),
            measurements=() if document is None else tuple(_measured(document)),
            page=f"{node_url}/studies/{found.study_instance_uid}",
        ),
    ).model_dump_json()


def _document(found: Noticed) -> MeasurementsDocument | None:
    if found.folder is None:
        return None
    try:
        return read_measurements(found.folder)
    except PermanentError:
        return None  # a study that was declined early has none, and retention may have been faster


def _measured(document: MeasurementsDocument) -> Iterator[MeasuredPart]:
    sagittal, axial = document.sagittal, document.axial
    if sagittal is not None:
        for name, ratio in (("mscc", sagittal.mscc), ("mcc", sagittal.mcc)):
            yield MeasuredPart(name=name, level=ratio.level, verdict=ratio.verdict)
    if axial is not None:
        for name, verdict in (("ta", axial.own_verdict("ta")), ("cr", axial.own_verdict("cr"))):
            yield MeasuredPart(name=name, level=axial.level, verdict=verdict)
