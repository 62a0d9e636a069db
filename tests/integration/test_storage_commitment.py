"""Storage commitment with a real Orthanc, and with peers that answer late, never, on the same association, or with a refusal."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian, SegmentationStorage
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from node.config import DestinationConfig
from node.domain.errors import PermanentError, Reason, TransientError
from node.domain.identity import StudyInstanceUID
from node.domain.report import ReportKind, ReportObject
from node.reporting.folder import write_report
from node.store import Store, commitment_answer
from node.web.reading import commitments_of
from node.worker import ReportDeliverer
from tests.support.dicom_peers import report_object, running_receiver
from tests.support.orthanc import running_orthanc

STUDY = StudyInstanceUID("1.2.3")
_PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Office:
    """A store with one report, and the deliverer that a worker would use."""

    store: Store
    folder: Path
    clock: Clock

    @property
    def deliverer(self) -> ReportDeliverer:
        return ReportDeliverer("CSPINE", self.store.commitments, self.clock)

    def leftovers(self) -> list[str]:
        asked = list((self.store.root / "commitments").iterdir())
        notes = self.folder.parent / ".commitments"
        return [path.name for path in (*asked, *(notes.iterdir() if notes.is_dir() else ()))]


def office(store: Store) -> Office:
    folder = store.results_folder(STUDY, "a1")

    def write_files(draft: Path) -> tuple[ReportObject, ...]:
        seg = report_object(draft / "seg.dcm", ReportKind.SEG, SegmentationStorage)
        return seg, report_object(draft / "sr.dcm", ReportKind.SR, Comprehensive3DSRStorage)

    write_report(folder, write_files)
    return Office(store, folder, Clock())


@pytest.fixture
def alone(tmp_path) -> Office:
    return office(Store(tmp_path / "store"))


def test_orthanc_commits_on_an_association_to_our_receiver(tmp_path):
    with (
        running_receiver(tmp_path / "store", ae_title="CSPINE") as receiver,
        running_orthanc(tmp_path / "pacs", node_port=receiver.port) as orthanc,
    ):
        here = office(receiver.store)
        outcome = here.deliverer.deliver(orthanc.destination(storage_commitment=True), here.folder)
        assert len(outcome.stored) == 2
        assert outcome.refused == ()
        assert here.leftovers() == []
        granted = commitments_of(here.store, here.folder, [orthanc.destination(storage_commitment=True)])["orthanc"]
        assert (granted.word, granted.objects) == ("committed", frozenset(outcome.stored))
        assert all(orthanc.find(uid) for uid in outcome.stored)


class Archive:
    """A peer that stores, and answers requests for commitment as it is told: at once, later or not at all."""

    def __init__(self, answer: str, failure: int | None = None) -> None:
        self._answer, self._failure = answer, failure
        self.requests: list[Dataset] = []
        self.stored: list[str] = []

    def on_store(self, event: evt.Event) -> int:
        self.stored.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def on_action(self, event: evt.Event) -> tuple[int, None]:
        if self._answer == "refuses":
            return 0x0110, None
        self.requests.append(event.action_information)
        return 0x0000, None

    def on_action_answered(self, event: evt.Event) -> None:
        """Report on the association of the request, after its answer was sent."""
        is_answer = type(event.message).__name__ == "N_ACTION_RSP"
        if is_answer and self._answer == "same association":
            event.assoc.send_n_event_report(self.report(), self.event_type, StorageCommitmentPushModel, _PUSH_MODEL_INSTANCE)

    @property
    def event_type(self) -> int:
        return 1 if self._failure is None else 2

    def report(self) -> Dataset:
        request, report = self.requests[-1], Dataset()
        report.TransactionUID = request.TransactionUID
        items = list(request.ReferencedSOPSequence)
        if self._failure is not None:
            items[0].FailureReason = self._failure
            report.FailedSOPSequence = [items.pop(0)]
        report.ReferencedSOPSequence = items
        return report


@contextmanager
def running(archive: Archive) -> Iterator[DestinationConfig]:
    entity = AE(ae_title="ARCHIVE")
    for sop_class in (SegmentationStorage, Comprehensive3DSRStorage, StorageCommitmentPushModel):
        entity.add_supported_context(sop_class, ExplicitVRLittleEndian)
    handlers = [
        (evt.EVT_C_STORE, archive.on_store),
        (evt.EVT_N_ACTION, archive.on_action),
        (evt.EVT_DIMSE_SENT, archive.on_action_answered),
    ]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        port = server.socket.getsockname()[1]
        fields = {"name": "archive", "host": "127.0.0.1", "port": port, "ae_title": "ARCHIVE", "timeout_s": 10}
        yield DestinationConfig.model_validate(fields | {"storage_commitment": True})
    finally:
        server.shutdown()


def test_a_peer_may_answer_on_the_association_of_the_request(alone):
    archive = Archive("same association")
    with running(archive) as destination:
        outcome = alone.deliverer.deliver(destination, alone.folder)
    assert list(outcome.stored) == archive.stored
    referenced = [str(item.ReferencedSOPInstanceUID) for item in archive.requests[0].ReferencedSOPSequence]
    assert referenced == archive.stored
    assert alone.leftovers() == []


def test_what_was_not_committed_is_sent_again(alone):
    archive = Archive("same association", failure=0x0112)
    with running(archive) as destination:
        with pytest.raises(TransientError) as raised:
            alone.deliverer.deliver(destination, alone.folder)
        assert raised.value.reason is Reason.NOT_COMMITTED
        assert "0x0112" in raised.value.message
        archive._failure = None
        outcome = alone.deliverer.deliver(destination, alone.folder)
    assert len(outcome.stored) == 2
    assert len(archive.stored) == 4
    assert alone.leftovers() == []


def test_until_the_answer_comes_nothing_is_sent_again_and_nothing_counts_as_delivered(alone):
    archive = Archive("later")
    with running(archive) as destination:
        for _ in range(2):
            with pytest.raises(TransientError) as raised:
                alone.deliverer.deliver(destination, alone.folder)
            assert raised.value.reason is Reason.NOT_COMMITTED
            alone.clock.now_s += 60
        assert len(archive.stored) == 2
        assert alone.store.commitments.record(commitment_answer(archive.report()))
    outcome = alone.deliverer.deliver(destination, alone.folder)  # the peer is gone: it is not needed
    assert list(outcome.stored) == archive.stored
    assert alone.leftovers() == []


def test_a_peer_that_never_answers_is_sent_the_results_and_asked_again(alone):
    archive = Archive("later")
    with running(archive) as destination:
        for _ in range(2):
            with pytest.raises(TransientError):
                alone.deliverer.deliver(destination, alone.folder)
            alone.clock.now_s += destination.commitment_timeout_s
    assert len(archive.stored) == 4
    first, second = (request.TransactionUID for request in archive.requests)
    assert first != second
    assert not alone.store.commitments.record(commitment_answer(_report_of(archive.requests[0])))


def _report_of(request: Dataset) -> Dataset:
    report = Dataset()
    report.TransactionUID, report.ReferencedSOPSequence = request.TransactionUID, request.ReferencedSOPSequence
    return report


def test_a_peer_that_does_not_take_the_request_up_keeps_what_it_stored(alone):
    with running(Archive("refuses")) as destination:
        outcome = alone.deliverer.deliver(destination, alone.folder)
    assert len(outcome.stored) == 2
    assert alone.leftovers() == []


def test_commitment_can_be_switched_off(alone):
    archive = Archive("same association")
    with running(archive) as destination:
        alone.deliverer.deliver(destination.model_copy(update={"storage_commitment": False}), alone.folder)
    assert archive.requests == []


def test_a_deleted_study_leaves_no_request(alone):
    with running(Archive("later")) as destination, pytest.raises(TransientError):
        alone.deliverer.deliver(destination, alone.folder)
    assert len(alone.leftovers()) == 2
    alone.store.delete_study(STUDY)
    assert list((alone.store.root / "commitments").iterdir()) == []


@pytest.mark.parametrize("asks_for_role", [True, False])
def test_our_receiver_refuses_a_report_that_nobody_asked_for(tmp_path, asks_for_role):
    with running_receiver(tmp_path, ae_title="CSPINE") as receiver:
        entity = AE(ae_title="ARCHIVE")
        entity.add_requested_context(StorageCommitmentPushModel, ExplicitVRLittleEndian)
        roles = [build_role(StorageCommitmentPushModel, scp_role=True)] if asks_for_role else []
        association = entity.associate("127.0.0.1", receiver.port, ae_title="CSPINE", ext_neg=roles)
        report, damaged = Dataset(), Dataset()
        report.TransactionUID, report.ReferencedSOPSequence = "1.2.3.4", []
        damaged.ReferencedSOPSequence = []
        answers = [
            association.send_n_event_report(one, 1, StorageCommitmentPushModel, _PUSH_MODEL_INSTANCE)[0].Status
            for one in (report, damaged)
        ]
        association.release()
        assert answers == [0x0110, 0x0110]
        assert list((receiver.store.root / "commitments").iterdir()) == []


@pytest.mark.parametrize("transaction_uid", [None, "../x", "1" * 65])
def test_a_report_without_a_sound_uid_is_refused(transaction_uid):
    report = Dataset()
    with config.disable_value_validation():
        if transaction_uid is not None:
            report.TransactionUID = transaction_uid
        with pytest.raises(PermanentError):
            commitment_answer(report)
