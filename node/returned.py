"""Links what comes back from a PACS to our results: who corrected, rejected or accepted them.

The receiver stores such an object like any other and leaves a mark. A worker looks at the marks once a minute: no association
waits for it, no analysis is begun or held up by it. A mark stays until it is known what its object speaks of.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from node.domain.errors import PermanentError
from node.domain.feedback import Feedback, FeedbackKind
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, JobState
from node.domain.report import ReportKind, ReportObject
from node.domain.worklist import StudyHistory
from node.feedback import Judgement, OwnResult, judge, own_result, read_content
from node.jobs import JobClient
from node.reporting import read_report
from node.store import ReturnedObject, Store

_log = logging.getLogger(__name__)

# A study that is fetched together with what others made of its results has no results yet when these arrive.
_PATIENCE_S = 3600.0
_AT_WORK = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.WAITING})
# Of these only the identity counts; the summary page alone is larger than all others.
_UNTRACKED = (ReportKind.KO, ReportKind.SC)
_MODALITIES = ("ASMT", "KO", "SEG", "SR")


class FeedbackDesk:
    """Looks at the objects that came back.

    Parameters
    ----------
    clock
        Returns the present moment, aware.
    """

    def __init__(self, store: Store, jobs: JobClient, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._jobs = jobs
        self._clock = clock

    def collect(self) -> str:
        """Look at every object that waits, and say in a phrase what was found; raise TransientError if the database is away."""
        found: Counter[str] = Counter()
        for study, group in groupby(self._store.returned.waiting(), lambda one: one.study_instance_uid):
            found.update(self._collect_study(study, tuple(group)))
        counts = {kind: count for kind, count in sorted(found.items()) if kind}
        if counts:
            _log.info("feedback collected", extra=counts)
        return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no feedback"

    def _collect_study(self, study: StudyInstanceUID, returned: Sequence[ReturnedObject]) -> Iterator[str]:
        """Yield the kind of each object that speaks of our results."""
        history = self._jobs.history(study)
        reports = {} if history is None else _reports(history)
        ours = {uid for objects in reports.values() for uid in objects}
        for one in returned:
            if one.sop_instance_uid in ours or not one.path.exists():
                self._store.returned.settle(one)
        others = [one for one in returned if one.sop_instance_uid not in ours and one.path.exists()]
        own = tuple(_own_results(reports)) if others else ()
        for one in others:
            feedback = self._feedback(one, own)
            if feedback is not None:
                self._jobs.note_feedback(feedback)
                yield feedback.kind
            if feedback is not None or not self._may_yet_be_known(one, history):
                self._store.returned.settle(one)

    def _may_yet_be_known(self, returned: ReturnedObject, history: StudyHistory | None) -> bool:
        """Return whether results may come that the object speaks of."""
        if history is not None:
            return history.study.state in _AT_WORK
        return self._clock().timestamp() - returned.arrived_at < _PATIENCE_S

    def _feedback(self, returned: ReturnedObject, own: Sequence[OwnResult]) -> Feedback | None:
        if not own:
            return None
        try:
            content = read_content(returned.path)
            judgement, modality = judge(content, own), content.modality
        except PermanentError as error:
            judgement, modality = Judgement(own[-1].analysis_id, FeedbackKind.UNREADABLE, f"{error}"), ""
        if judgement is None:
            return None
        return Feedback(
            study_instance_uid=returned.study_instance_uid,
            series_instance_uid=returned.series_instance_uid,
            sop_instance_uid=returned.sop_instance_uid,
            analysis_id=judgement.analysis_id,
            modality=modality if modality in _MODALITIES else "",
            kind=judgement.kind,
            message=judgement.message,
            at=datetime.fromtimestamp(returned.arrived_at, UTC),
        )


def _reports(history: StudyHistory) -> dict[AnalysisId, dict[str, ReportObject]]:
    """Return the objects of each version that is whole on the disk by SOP Instance UID, the first version first."""
    found = {}
    for analysis in history.analyses:
        if analysis.folder is not None and analysis.object_count:
            try:
                found[AnalysisId(analysis.analysis_id)] = dict(_objects(read_report(Path(analysis.folder))))
            except PermanentError as error:
                _log.warning("results cannot be compared: %s", error, extra={"analysis": analysis.analysis_id})
    return found


def _objects(objects: Iterable[ReportObject]) -> Iterator[tuple[str, ReportObject]]:
    for one in objects:
        yield one.instance.sop_instance_uid, one
        if one.fallback is not None:
            yield from _objects((one.fallback,))


def _own_results(reports: Mapping[AnalysisId, Mapping[str, ReportObject]]) -> Iterator[OwnResult]:
    for analysis_id, objects in reports.items():
        try:
            yield own_result(analysis_id, objects, (one.instance.path for one in objects.values() if one.kind not in _UNTRACKED))
        except PermanentError as error:
            _log.warning("results cannot be compared: %s", error, extra={"analysis": analysis_id})
