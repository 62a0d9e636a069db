"""What the workflows need of the world: given by the worker role, and by fakes in tests."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from node.config import DestinationConfig, WebhookConfig
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisOutcome, DeliveryOutcome, Occasion, ShadowOutcome
from node.domain.worklist import Noticed


class Analyser(Protocol):
    """Turns a received study into result objects on disk."""

    def fingerprint(self) -> str:
        """Return what decides a result besides the study: software version, weights, configuration."""

    def analyse(self, study_instance_uid: StudyInstanceUID, analysis_id: AnalysisId, predecessor: Path | None) -> AnalysisOutcome:
        """Analyse a study; called again for the same analysis, it gives the same objects in the same place.

        ``predecessor`` is the results folder of the version before, which the new results replace.
        """


class Deliverer(Protocol):
    """Sends the result objects of an analysis to a destination."""

    def deliver(self, destination: DestinationConfig, analysis_folder: Path) -> DeliveryOutcome:
        """Send what the destination wants of a folder; raise TransientError if it may work later."""


class ShadowSet(Protocol):
    """Analyses a study with a second set of models."""

    @property
    def set_id(self) -> str:
        """Identity of the set."""

    def run(self, study_instance_uid: StudyInstanceUID, digest: str, results: Path) -> ShadowOutcome:
        """Analyse what the store holds of a study beside the results in a folder."""


class Sender(Protocol):
    """Tells webhooks what became of a study."""

    @property
    def webhooks(self) -> tuple[WebhookConfig, ...]:
        """Whom to tell."""

    def compose(self, occasion: Occasion, found: Noticed) -> str:
        """Return the body of a message."""

    def post(self, webhook: WebhookConfig, event_id: str, body: str, now_s: float) -> None:
        """Tell one; raise TransientError if it did not take the message."""


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What the workflows need of the world.

    Parameters
    ----------
    study_digest
        Returns a digest of what is stored of a study now.
    sweep
        Deletes what need not be kept, and says in a phrase what that was.
    collect_feedback
        Links what came back from a PACS to our results, and says in a phrase what that was.
    shadow
        Runs the second set of models, None if there is none.
    sender
        Tells webhooks what became of a study, None if there are none.
    require_manifest
        Raises TransientError if this machine does not yet see all that the receiver announced under a name.
    """

    analyser: Analyser
    deliverer: Deliverer
    study_digest: Callable[[StudyInstanceUID], str]
    destinations: tuple[DestinationConfig, ...]
    sweep: Callable[[], str] = str
    sweep_interval_minutes: int = 15
    collect_feedback: Callable[[], str] = str
    shadow: ShadowSet | None = None
    sender: Sender | None = None
    require_manifest: Callable[[StudyInstanceUID, str], None] = lambda _study, _name: None
