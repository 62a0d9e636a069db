"""The durable step of the second set of models; the engine is given, so that nothing here knows it."""

import logging

from node.domain.errors import NodeError
from node.domain.job import AnalysisId, ShadowEnd, ShadowOutcome
from node.durable.collaborators import ShadowSet
from node.durable.steps import DurableSteps
from node.jobs import Ledger, Task, note_shadow, shadow_subject

_log = logging.getLogger(__name__)

_AGAIN_S = 60.0
_MOST_ATTEMPTS = 10
Json = dict[str, str]


class ShadowWorkflow:
    """One second analysis; whatever becomes of it, the first results stand as they are."""

    def __init__(self, runner: ShadowSet | None, ledger: Ledger, steps: DurableSteps) -> None:
        self._runner = runner
        self._ledger = ledger
        self._steps = steps

    def run(self, analysis_id: AnalysisId, set_id: str, attempt: int) -> str:
        """Return how it ended."""
        done = self._steps.step("shadow", lambda: _json(self._shadow(analysis_id, set_id)))
        outcome = ShadowOutcome(ShadowEnd(done["end"]), done["message"])
        if outcome.end is ShadowEnd.INTERRUPTED and attempt < _MOST_ATTEMPTS:
            self._steps.enqueue(Task.shadow(analysis_id, set_id, attempt + 1), _AGAIN_S)
            return outcome.end
        self._steps.step("record", lambda: self._record(analysis_id, outcome))
        _log.info("shadow ended", extra={"end": outcome.end, "explanation": outcome.message, "analysis": analysis_id})
        return outcome.end

    def _shadow(self, analysis_id: AnalysisId, set_id: str) -> ShadowOutcome:
        runner = self._runner
        if runner is None or runner.set_id != set_id:
            return ShadowOutcome(ShadowEnd.SUPERSEDED, "the configuration names other models now")
        subject = shadow_subject(self._ledger, analysis_id)
        if subject is None:
            return ShadowOutcome(ShadowEnd.SUPERSEDED, "the results are no longer the latest of their study")
        done = self._steps.guarded(lambda: runner.run(subject.study_instance_uid, subject.digest, subject.folder))
        return ShadowOutcome(ShadowEnd.FAILED, str(done)) if isinstance(done, NodeError) else done

    def _record(self, analysis_id: AnalysisId, outcome: ShadowOutcome) -> Json:
        note_shadow(self._ledger, analysis_id, outcome.end, outcome.message)
        return {}


def _json(outcome: ShadowOutcome) -> Json:
    return {"end": outcome.end.value, "message": outcome.message}
