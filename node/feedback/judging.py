"""The rules: what an object that came back says of which of our results.

Certain are the titles of key object selections (PS3.16 CID 7010, 7031; IHE RAD IOCM), the references and the Tracking Unique
Identifiers. No code of the DICOM terminology says what is thought of a result, and that of the IHE supplement AI Result
Assessment (AIRA, June 2025) is in no source that was at hand. The one published assessor that was found (kcenon, pacs_system,
aira_assessment.cpp) has codes of its own scheme, 99PACS. So a coded value whose concept is called an assessment is understood
by its meaning, whatever its scheme. Of a Content Assessment (PS3.3 C.33.1) two summaries are taken; any other is noted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.domain.feedback import FeedbackKind
from node.domain.job import AnalysisId
from node.feedback.content import Content, NumberKey, read_content

_TITLES: Mapping[tuple[str, str], tuple[FeedbackKind, str]] = {
    ("113001", "DCM"): (FeedbackKind.REJECTED, "Rejected for Quality Reasons"),
    ("113037", "DCM"): (FeedbackKind.REJECTED, "Rejected for Patient Safety Reasons"),
    ("113038", "DCM"): (FeedbackKind.REJECTED, "Incorrect Modality Worklist Entry"),
    ("113039", "DCM"): (FeedbackKind.EXPIRED, "Data Retention Policy Expired"),
}
_SUMMARIES = {"PASSED": FeedbackKind.ACCEPTED, "FAILED": FeedbackKind.REJECTED}
#: The heaviest first: a document that rejects one finding and accepts others is a rejection.
_MEANINGS = (
    (FeedbackKind.REJECTED, re.compile(r"\breject|\bdisagree|\bnot accept|\bunaccept")),
    (FeedbackKind.CORRECTED, re.compile(r"\bmodif|\bamend|\bcorrected\b|\bsupplement")),
    (FeedbackKind.ACCEPTED, re.compile(r"\baccept|\bagree|\bconfirm")),
)
# What a decimal string may lose.
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class OwnResult:
    """The identities of the objects of one of our analyses, and the numbers and masks in them."""

    analysis_id: AnalysisId
    named: frozenset[str]
    tracked: frozenset[str]
    numbers: Mapping[NumberKey, float]
    pixel_digests: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Which of our analyses an object speaks of, what it says, and why it counts as that."""

    analysis_id: AnalysisId
    kind: FeedbackKind
    message: str


def own_result(analysis_id: AnalysisId, named: Iterable[str], paths: Iterable[Path]) -> OwnResult:
    """Return what is known of our own objects; raise PermanentError ``not_dicom`` if one is damaged.

    Parameters
    ----------
    named
        SOP Instance UIDs of all of them.
    paths
        Those that measure or mark something.
    """
    contents = [read_content(path) for path in paths]
    return OwnResult(
        analysis_id=analysis_id,
        named=frozenset(named),
        tracked=frozenset(uid for one in contents for uid in one.tracked),
        numbers={key: value for one in contents for key, value in one.numbers.items()},
        pixel_digests=frozenset(one.pixel_digest for one in contents if one.pixel_digest),
    )


def judge(content: Content, own: Sequence[OwnResult]) -> Judgement | None:
    """Return what an object says of the latest of our results that it names; None if it is one of them or names none.

    Parameters
    ----------
    own
        Our results of the study, the first version first.
    """
    if any(content.sop_instance_uid in one.named for one in own):
        return None
    meant = next((one for one in reversed(own) if content.named & one.named or content.tracked & one.tracked), None)
    if meant is None:
        return None
    kind, message = _said(content, meant)
    return Judgement(meant.analysis_id, kind, message)


def _said(content: Content, own: OwnResult) -> tuple[FeedbackKind, str]:
    if content.modality == "KO":
        kind, title = _TITLES.get(content.title, (FeedbackKind.NOTED, "another title"))
        return kind, f"key object selection: {title}"
    if content.modality == "SEG":
        return _segmented(content, own)
    if content.summary:
        return _SUMMARIES.get(content.summary, FeedbackKind.NOTED), "content assessment with a summary"
    for kind, pattern in _MEANINGS:
        if any(pattern.search(meaning) for meaning in content.assessments):
            return kind, "report with a coded assessment, understood by its meaning"
    return _measured(content, own)


def _segmented(content: Content, own: OwnResult) -> tuple[FeedbackKind, str]:
    if content.pixel_digest in own.pixel_digests:
        return FeedbackKind.NOTED, "segmentation with our masks under another UID"
    shared = len(content.tracked & own.tracked)
    how = f"{shared} of our tracking UIDs" if shared else "a reference to our objects"
    return FeedbackKind.CORRECTED, f"segmentation that is not ours with {how}"


def _measured(content: Content, own: OwnResult) -> tuple[FeedbackKind, str]:
    """Tell by the numbers of groups that carry our tracking UIDs; who verified a report without changing one has accepted it."""
    shared = {key: value for key, value in content.numbers.items() if key[0] in own.tracked}
    changed = sum(key not in own.numbers or abs(value - own.numbers[key]) > _SAME for key, value in shared.items())
    if changed:
        return FeedbackKind.CORRECTED, f"report with {changed} of {len(shared)} numbers of ours changed"
    if content.is_verified and shared:
        return FeedbackKind.ACCEPTED, f"verified report with all its {len(shared)} numbers of ours unchanged"
    return FeedbackKind.NOTED, "report that names our results and neither judges nor changes them"
