"""The worker role: takes announced studies from the job database, analyses them and delivers the results."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from node.config import Config, DestinationConfig
from node.delivery import deliver_objects
from node.domain.errors import Finding, Severity
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisOutcome, DeliveryOutcome
from node.domain.report import ReportObject
from node.pipeline import Pipeline, open_pipeline
from node.reporting import read_report
from node.store import Store, open_store
from node.workflows import Collaborators, work_until_stopped


def run_worker(config: Config, slot: int, stop: threading.Event, on_ready: Callable[[], None]) -> None:
    """Work until ``stop`` is set; then finish what runs, for at most ``jobs.shutdown_grace_s``.

    Parameters
    ----------
    slot
        Number of this worker on its machine, from 0; no two may have the same.
    on_ready
        Called once, when the models are loaded and the worker takes studies.

    Raises
    ------
    ConfigError
        ``already_running`` if the slot is taken.
    TransientError
        ``database_unavailable``.
    PermanentError
        If a model is missing or damaged.
    """
    store = open_store(config.store)
    collaborators = Collaborators(
        analyser=StoredStudyAnalyser(open_pipeline(config), store),
        deliverer=ReportDeliverer(config.reception.ae_title),
        study_digest=store.study_digest,
        destinations=config.destinations,
    )
    work_until_stopped(config, slot, collaborators, stop, on_ready)


class StoredStudyAnalyser:
    """Runs the pipeline on studies of the store; results lie in the store, a folder for each analysis."""

    def __init__(self, pipeline: Pipeline, store: Store) -> None:
        self._pipeline = pipeline
        self._store = store

    def fingerprint(self) -> str:
        """Return what decides a result besides the study."""
        return self._pipeline.fingerprint()

    def analyse(self, study_instance_uid: StudyInstanceUID, analysis_id: AnalysisId) -> AnalysisOutcome:
        """Analyse what the store holds of a study now."""
        folder = self._store.results_folder(study_instance_uid, analysis_id)
        return self._pipeline.analyse(self._store.study(study_instance_uid), folder)


class ReportDeliverer:
    """Sends the objects of an analysis folder that a destination wants.

    Parameters
    ----------
    calling_ae_title
        AE title that we call with, where the destination names no other.
    """

    def __init__(self, calling_ae_title: str) -> None:
        self._calling_ae_title = calling_ae_title

    def deliver(self, destination: DestinationConfig, analysis_folder: Path) -> DeliveryOutcome:
        """Send the kinds of object that a destination lists; raise TransientError if it may work later."""
        objects = _wanted(read_report(analysis_folder), destination)
        receipt = deliver_objects(destination, destination.calling_ae_title or self._calling_ae_title, objects)
        return DeliveryOutcome(
            stored=tuple(item.sent.instance.sop_instance_uid for item in receipt.stored),
            refused=tuple(Finding(item.reason, Severity.ERROR, item.message) for item in receipt.refused),
        )


def _wanted(objects: Sequence[ReportObject], destination: DestinationConfig) -> tuple[ReportObject, ...]:
    return tuple(item for item in objects if item.kind in destination.objects)
