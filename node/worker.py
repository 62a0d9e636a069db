"""The worker role: takes announced studies from the job database, analyses them and delivers the results."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from node.config import Config, DestinationConfig
from node.delivery import deliver_objects
from node.domain.analysis import History, PriorReport
from node.domain.errors import Finding, Severity
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisOutcome, DeliveryOutcome
from node.domain.report import ReportObject
from node.pipeline import Pipeline, open_pipeline
from node.reporting import measurement_report, read_prior, read_report
from node.store import PatientStudy, Store, identify_patient, open_store
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

    def analyse(self, study_instance_uid: StudyInstanceUID, analysis_id: AnalysisId, predecessor: Path | None) -> AnalysisOutcome:
        """Analyse what the store holds of a study now."""
        folder = self._store.results_folder(study_instance_uid, analysis_id)
        study = self._store.study(study_instance_uid)
        who = identify_patient(study.all_series[0].instances[0].path)
        history = History(None if predecessor is None else measurement_report(predecessor), self._prior(who, study_instance_uid))
        outcome = self._pipeline.analyse(study, folder, history)
        if who is not None:
            self._store.note_analysis(who, study_instance_uid, analysis_id)
        return outcome

    def _prior(self, who: PatientStudy | None, study_instance_uid: StudyInstanceUID) -> PriorReport | None:
        """Return the latest report of an earlier study of the patient that holds a value."""
        folders = self._store.earlier_results(who, study_instance_uid) if who is not None else ()
        reports = (measurement_report(folder) for folder in folders)
        priors = (read_prior(report.instance.path) for report in reports if report is not None)
        return next((prior for prior in priors if prior is not None), None)


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
