"""The worker role: takes announced studies from the job database, analyses them and delivers the results."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from pydantic import TypeAdapter
from pydicom.uid import generate_uid

from node.config import Config, DestinationConfig
from node.delivery import CommitmentDesk, Receipt, deliver_objects
from node.domain.analysis import History
from node.domain.errors import Finding, Reason, Severity, TransientError
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisOutcome, AnalysisStatus, DeliveryOutcome
from node.domain.report import ReportObject
from node.durable import Collaborators
from node.jobs import open_jobs
from node.pipeline import Pipeline, open_pipeline
from node.priors import FoundPrior, PriorDesk
from node.reporting import measurement_report, read_report, report_content
from node.retention import Retention
from node.returned import FeedbackDesk
from node.shadow import ShadowRunner
from node.store import (
    CommitmentRequest,
    Commitments,
    Committed,
    Store,
    commitment_answer,
    identify_patient,
    open_store,
)
from node.webhooks import WebhookSender
from node.workflows import work_until_stopped

# What a delivery comes to lies in the store as JSON until the peer has committed it.
_OUTCOME = TypeAdapter(DeliveryOutcome)


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
    with closing(open_jobs(config.database)) as jobs:
        retention = Retention(config.retention, store, jobs)
        collaborators = Collaborators(
            analyser=StoredStudyAnalyser(
                open_pipeline(config), store, PriorDesk(store, config.sources, config.reception.ae_title)
            ),
            deliverer=ReportDeliverer(config.reception.ae_title, store.commitments),
            study_digest=store.study_digest,
            destinations=config.destinations,
            sweep=lambda: str(retention.sweep()),
            sweep_interval_minutes=config.retention.interval_minutes,
            shadow=ShadowRunner(config, store, stop) if config.shadow.enabled else None,
            collect_feedback=FeedbackDesk(store, jobs).collect,
            sender=WebhookSender(config.webhooks, config.web.public_url or f"http://{config.web.host}:{config.web.port}"),
            require_manifest=store.require_manifest,
        )
        work_until_stopped(config, slot, collaborators, stop, on_ready)


class StoredStudyAnalyser:
    """Runs the pipeline on studies of the store; results lie in the store, a folder for each analysis.

    Parameters
    ----------
    priors
        Finds what a follow-up compares with; without it the store alone is looked at.
    """

    def __init__(self, pipeline: Pipeline, store: Store, priors: PriorDesk | None = None) -> None:
        self._pipeline = pipeline
        self._store = store
        self._priors = priors or PriorDesk(store)

    def fingerprint(self) -> str:
        """Return what decides a result besides the study."""
        return self._pipeline.fingerprint()

    def analyse(self, study_instance_uid: StudyInstanceUID, analysis_id: AnalysisId, predecessor: Path | None) -> AnalysisOutcome:
        """Analyse what the store holds of a study now."""
        folder = self._store.results_folder(study_instance_uid, analysis_id)
        study = self._store.study(study_instance_uid)
        who = identify_patient(study.all_series[0].instances[0].path)
        self._store.release_patient(study_instance_uid, who)
        replaced = None if predecessor is None else measurement_report(predecessor)
        content = "" if predecessor is None else report_content(predecessor)
        found = FoundPrior() if who is None else self._priors.find(who, study_instance_uid, analysis_id)
        history = History(replaced, content, found.prior, found.findings)
        outcome = self._pipeline.analyse(study, folder, history)
        if who is not None and outcome.status is not AnalysisStatus.UNCHANGED:
            self._store.note_analysis(who, study_instance_uid, analysis_id)
        return outcome


class ReportDeliverer:
    """Sends the objects of an analysis folder that a destination wants.

    Where the peer offers storage commitment, a delivery is done when it has committed them: until then each attempt looks for
    its answer only, and sends again what it did not commit or did not answer in time.

    Parameters
    ----------
    calling_ae_title
        AE title that we call with, where the destination names no other.
    now
        Returns the time in seconds since the epoch.
    """

    def __init__(self, calling_ae_title: str, commitments: Commitments, now: Callable[[], float] = time.time) -> None:
        self._calling_ae_title = calling_ae_title
        self._commitments = commitments
        self._now = now

    def deliver(self, destination: DestinationConfig, analysis_folder: Path) -> DeliveryOutcome:
        """Send the kinds of object that a destination lists; raise TransientError if it may work later."""
        request = self._commitments.pending(analysis_folder, destination.name)
        if request is not None and self._is_worth_waiting(request, destination):
            return self._answer(request, destination, analysis_folder)
        objects = _wanted(read_report(analysis_folder), destination)
        desk = self._desk(destination, analysis_folder) if destination.storage_commitment else None
        receipt = deliver_objects(destination, destination.calling_ae_title or self._calling_ae_title, objects, desk)
        request = self._commitments.pending(analysis_folder, destination.name)
        if receipt.is_commitment_asked and request is not None:
            return self._answer(request, destination, analysis_folder)
        self._commitments.settle(analysis_folder, destination.name)
        return _outcome(receipt)

    def _is_worth_waiting(self, request: CommitmentRequest, destination: DestinationConfig) -> bool:
        is_answered = self._commitments.answered(request.transaction_uid) is not None
        return is_answered or self._now() - request.asked_at < destination.commitment_timeout_s

    def _answer(self, request: CommitmentRequest, destination: DestinationConfig, folder: Path) -> DeliveryOutcome:
        """Return the outcome that was committed; raise TransientError ``not_committed`` if it was not, or not yet."""
        answer = self._commitments.answered(request.transaction_uid)
        if answer is None:
            message = f"{destination.name} stored the results and has not committed them yet"
            raise TransientError(Reason.NOT_COMMITTED, message)
        outcome = _OUTCOME.validate_json(request.outcome)
        if not answer.failed:
            self._commitments.grant(folder, destination.name, Committed(self._now(), outcome.stored))
        self._commitments.settle(folder, destination.name)
        if answer.failed:
            codes = ", ".join(f"0x{code:04X}" for code in sorted(set(answer.failed.values())))
            message = f"{destination.name} did not commit {len(answer.failed)} results (reason {codes}); they are sent again"
            raise TransientError(Reason.NOT_COMMITTED, message)
        return outcome

    def _desk(self, destination: DestinationConfig, folder: Path) -> CommitmentDesk:
        def begin(receipt: Receipt) -> str:
            transaction_uid = str(generate_uid())
            outcome = _OUTCOME.dump_json(_outcome(receipt)).decode("utf-8")
            self._commitments.ask(folder, destination.name, CommitmentRequest(transaction_uid, self._now(), outcome))
            return transaction_uid

        return CommitmentDesk(
            begin=begin,
            record=lambda report: self._commitments.record(commitment_answer(report)),
            is_answered=lambda transaction_uid: self._commitments.answered(transaction_uid) is not None,
        )


def _outcome(receipt: Receipt) -> DeliveryOutcome:
    return DeliveryOutcome(
        stored=tuple(item.sent.instance.sop_instance_uid for item in receipt.stored),
        refused=tuple(Finding(item.reason, Severity.ERROR, item.message) for item in receipt.refused),
    )


def _wanted(objects: Sequence[ReportObject], destination: DestinationConfig) -> tuple[ReportObject, ...]:
    return tuple(item for item in objects if item.kind in destination.objects)
