"""The names under which work lies in the job database; they stay when the code moves."""

from dataclasses import dataclass
from enum import StrEnum

from dbos import EnqueueOptions

from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, Occasion

APPLICATION_NAME = "cspine-node"

#: Changes only when the order of the steps does; a job is finished by a worker of its own version.
APPLICATION_VERSION = "1"


class WorkflowName(StrEnum):
    """The durable workflows; each has the queue of its name."""

    ANALYSE = "analyse"
    DELIVER = "deliver"
    SHADOW = "shadow"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of durable work; a second one of the same identity is not done.

    Parameters
    ----------
    lane
        Tasks of one lane of a queue run one after the other; a slow lane does not hold up another.
    """

    workflow: WorkflowName
    workflow_id: str
    arguments: tuple[str | int, ...]
    lane: str | None = None

    @classmethod
    def analysis(cls, study_instance_uid: StudyInstanceUID, arrival: int, attempt: int = 1, manifest: str = "") -> "Task":
        """Return the task that analyses what is there of a study, at least what a manifest of the store names."""
        identity = f"{WorkflowName.ANALYSE}:{study_instance_uid}:{arrival}:{attempt}"
        return cls(WorkflowName.ANALYSE, identity, (study_instance_uid, arrival, attempt, manifest))

    @classmethod
    def delivery(cls, analysis_id: AnalysisId, destination: str, attempt: int = 1, first_attempt: int = 1) -> "Task":
        """Return the task that makes one attempt to deliver an analysis to a destination.

        Failures are counted from ``first_attempt`` on: a retry by hand starts anew.
        """
        identity = f"{WorkflowName.DELIVER}:{analysis_id}:{destination}:{attempt}"
        return cls(WorkflowName.DELIVER, identity, (analysis_id, destination, attempt, first_attempt), lane=destination)

    @classmethod
    def shadow(cls, analysis_id: AnalysisId, set_id: str, attempt: int = 1) -> "Task":
        """Return the task that analyses the study of a result with a second set of models."""
        identity = f"{WorkflowName.SHADOW}:{analysis_id}:{set_id}:{attempt}"
        return cls(WorkflowName.SHADOW, identity, (analysis_id, set_id, attempt))

    @classmethod
    def notice(cls, analysis_id: AnalysisId, webhook: str, occasion: Occasion, body: str = "", attempt: int = 1) -> "Task":
        """Return the task that makes one attempt to tell a webhook; ``body`` is what the first attempt made, for the others."""
        identity = f"{WorkflowName.NOTICE}:{analysis_id}:{occasion.event_id}:{attempt}"
        return cls(WorkflowName.NOTICE, identity, (analysis_id, webhook, str(occasion), body, attempt), lane=webhook)

    def options(self, delay_s: float = 0.0) -> EnqueueOptions:
        """Return how the engine queues the task, to begin after a delay in seconds."""
        options = EnqueueOptions(workflow_name=self.workflow, queue_name=self.workflow, workflow_id=self.workflow_id)
        if self.lane is not None:
            options["queue_partition_key"] = self.lane
        if delay_s > 0:
            options["delay_seconds"] = delay_s
        return options
