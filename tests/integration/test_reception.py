"""Real senders against our Storage SCP."""

import queue
import socket
import struct
import subprocess
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    SegmentationStorage,
)
from pynetdicom import AE, build_context

from node.config import DestinationConfig, ReceptionConfig
from node.delivery import send_files
from node.domain.errors import ConfigError, Reason, TransientError
from node.reception import Clock, OpenStudies, StorageSCP, StudyAssembler
from node.store import Store, open_store
from tests.support.dicom_peers import (
    Uids,
    dataset_bytes,
    mr_instance,
    running_receiver,
    write_instance,
)
from tests.support.external import drops_sockets, require_tool, wait_until
from tests.support.hostile_peers import ASSOCIATE, store_request

NATIVE_AND_COMPRESSED = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
)

#: Status (0000,0900) success, in an answer.
STORED = b"\0\0\0\t\2\0\0\0\0\0"


def storescu(receiver, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [require_tool("storescu"), "-v", "-aet", "SCANNER", "-aec", receiver.ae_title, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def echoscu(calling: str, port: int, called: str = "CSPINE") -> subprocess.CompletedProcess[str]:
    command = [require_tool("echoscu"), "-v", "-to", "5", "-aet", calling, "-aec", called, "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def receiver(tmp_path: Path):
    with running_receiver(tmp_path / "store") as running:
        yield running


@pytest.mark.parametrize("transfer_syntax", NATIVE_AND_COMPRESSED, ids=lambda uid: uid.name)
def test_the_stored_data_set_is_byte_for_byte_what_was_sent(receiver, tmp_path: Path, transfer_syntax):
    sent = write_instance(tmp_path / "sent.dcm", mr_instance(rows=64), transfer_syntax)
    result = send_files(receiver.destination(), "SCANNER", [sent], lambda _done, _total: None)
    assert (result.stored_count, result.failed) == (1, ())
    (stored,) = receiver.files
    assert dataset_bytes(stored) == dataset_bytes(sent)
    assert dcmread(stored).file_meta.TransferSyntaxUID == transfer_syntax


@pytest.mark.parametrize(
    ("option", "transfer_syntax"),
    [
        ("-xe", ExplicitVRLittleEndian),
        ("-xi", ImplicitVRLittleEndian),
        ("-xb", ExplicitVRBigEndian),
        ("-xd", DeflatedExplicitVRLittleEndian),
        ("-xr", RLELossless),
        ("-xt", JPEGLSLossless),
        ("-xv", JPEG2000Lossless),
    ],
)
def test_dcmtk_stores_in_each_transfer_syntax(receiver, tmp_path: Path, option, transfer_syntax):
    instance = mr_instance(rows=64)
    pixels = bytes(instance.PixelData)
    sent = write_instance(tmp_path / "sent.dcm", instance, transfer_syntax)
    # storescu falls back to another encoding if its first proposal is refused: -R proposes this file's only
    result = storescu(receiver, "-R", option, "127.0.0.1", receiver.port, sent)
    assert result.returncode == 0, result.stderr
    (stored,) = receiver.files
    read = dcmread(stored)
    assert read.file_meta.TransferSyntaxUID == transfer_syntax
    assert read.SOPInstanceUID == instance.SOPInstanceUID
    assert read.pixel_array.astype("<u2").tobytes() == pixels


def test_two_patients_in_one_association_become_two_studies(receiver, tmp_path: Path):
    first, second = Uids.new(), Uids.new()
    for number, uids in enumerate((first, second, Uids.new(first.study, first.series))):
        write_instance(tmp_path / "sent" / f"{number}.dcm", mr_instance(uids))
    assert storescu(receiver, "127.0.0.1", receiver.port, "+sd", tmp_path / "sent").returncode == 0
    completed = {receiver.completed.get(timeout=10), receiver.completed.get(timeout=10)}
    assert completed == {first.study, second.study}
    (series,) = receiver.store.study(first.study).all_series
    assert len(series.instances) == 2
    wait_until(lambda: not receiver.store.open_marks(), "the marks go")


def test_who_sent_a_study_is_known_until_it_is_announced_also_after_a_crash(tmp_path: Path):
    uids = Uids.new()
    for name in ("MRI1", "MRI2", "MRI1"):
        with running_receiver(tmp_path / "store", quiet_s=3000) as receiver:
            send_files(receiver.destination(), name, [write_instance(tmp_path / "a.dcm", mr_instance(uids))], lambda _d, _t: None)
            assert f"{name} at 127.0.0.1" in receiver.store.senders(uids.study)
    assert receiver.store.senders(uids.study) == ("MRI1 at 127.0.0.1", "MRI2 at 127.0.0.1")
    receiver.store.remove_mark(uids.study)
    assert receiver.store.senders(uids.study) == ()


class VanishingStudies(OpenStudies):
    """Something removes a study between the writing of an instance and the mark that it is open."""

    def note(self, head, sender: str = "") -> None:
        assert self._store.removal.take_out(head.study_instance_uid)
        super().note(head, sender)


def test_an_instance_that_is_removed_while_it_arrives_is_refused_and_not_lost(tmp_path: Path):
    store = open_store(f"file:{tmp_path / 'store'}")
    config = ReceptionConfig(bind_address="127.0.0.1", port=0, minimum_free_disk_mb=0)
    scp = StorageSCP(config, store, VanishingStudies(StudyAssembler(config.completion), store, Clock(time.monotonic, time.time)))
    destination = DestinationConfig(name="node", host="127.0.0.1", port=scp.start(), ae_title="CSPINE")
    try:
        with pytest.raises(TransientError) as caught:
            send_files(destination, "PACS", [write_instance(tmp_path / "a.dcm", mr_instance())], lambda _done, _total: None)
    finally:
        scp.stop(5)
    assert caught.value.reason is Reason.PEER_OUT_OF_RESOURCES
    (study,) = store.open_marks()
    assert not store.removal.take_out(study)


def test_a_late_instance_completes_the_study_again_with_another_digest(receiver, tmp_path: Path):
    uids = Uids.new()
    send = lambda name, instance: storescu(receiver, "127.0.0.1", receiver.port, write_instance(tmp_path / name, instance))  # noqa: E731
    send("1.dcm", mr_instance(uids))
    assert receiver.completed.get(timeout=10) == uids.study
    digest = receiver.store.study_digest(uids.study)
    send("1.dcm", mr_instance(uids))
    assert receiver.completed.get(timeout=10) == uids.study
    assert receiver.store.study_digest(uids.study) == digest
    send("2.dcm", mr_instance(Uids.new(uids.study, uids.series)))
    assert receiver.completed.get(timeout=10) == uids.study
    assert receiver.store.study_digest(uids.study) != digest


def test_results_that_come_back_are_stored_but_open_no_study(receiver, tmp_path: Path):
    uids = Uids.new()
    sent = write_instance(tmp_path / "seg.dcm", mr_instance(uids, sop_class=SegmentationStorage))
    assert send_files(receiver.destination(), "PACS", [sent], lambda _d, _t: None).stored_count == 1
    assert len(receiver.files) == 1
    assert receiver.store.open_marks() == {}
    with pytest.raises(queue.Empty):
        receiver.completed.get(timeout=1)


def test_dcmtk_echo(receiver):
    assert [echoscu("PACS", receiver.port).returncode for _ in range(3)] == [0, 0, 0]


def test_another_called_ae_title_is_rejected(receiver):
    result = echoscu("PACS", receiver.port, called="ELSEWHERE")
    assert result.returncode != 0
    assert "Called AE Title Not Recognized" in result.stderr


def test_a_calling_ae_title_that_is_not_on_the_list_is_rejected(tmp_path: Path):
    with running_receiver(tmp_path / "store", allowed_calling_ae_titles=("MRI1",)) as receiver:
        echoscu = [require_tool("echoscu"), "-v", "-aec", "CSPINE"]
        stranger = subprocess.run(
            [*echoscu, "-aet", "STRANGER", "127.0.0.1", str(receiver.port)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert "Calling AE Title Not Recognized" in stranger.stderr
        subprocess.run([*echoscu, "-aet", "MRI1", "127.0.0.1", str(receiver.port)], check=True, timeout=30, capture_output=True)


def test_associations_are_rejected_below_the_disk_watermark(tmp_path: Path):
    sent = write_instance(tmp_path / "sent.dcm", mr_instance())
    with running_receiver(tmp_path / "store", minimum_free_disk_mb=10**9) as receiver:
        result = storescu(receiver, "127.0.0.1", receiver.port, sent)
        assert result.returncode != 0
        assert "Rejected Transient" in result.stderr
        assert "Local Limit Exceeded" in result.stderr
        assert receiver.files == []


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("wrong", ["study", "series", "instance"])
def test_a_uid_that_would_leave_the_store_is_refused_and_the_association_goes_on(receiver, tmp_path: Path, wrong):
    good = Uids.new()
    bad = Uids(**{"study": good.study, "series": good.series, "instance": good.instance, wrong: "../../../etc"})
    entity = AE(ae_title="SCANNER")
    association = entity.associate(
        "127.0.0.1", receiver.port, [build_context("1.2.840.10008.5.1.4.1.1.4", ExplicitVRLittleEndian)], ae_title="CSPINE"
    )
    assert association.is_established
    before = {path for path in tmp_path.rglob("*") if path.is_dir()}
    refused = association.send_c_store(write_instance(tmp_path / "bad.dcm", mr_instance(bad)))
    accepted = association.send_c_store(write_instance(tmp_path / "good.dcm", mr_instance(good)))
    association.release()
    assert 0xC000 <= refused.Status <= 0xCFFF
    assert "UID" in refused.ErrorComment
    assert accepted.Status == 0
    assert [path.stem for path in receiver.files] == [good.instance]
    assert {path for path in tmp_path.rglob("*") if path.is_dir()} - before <= set(receiver.files[0].parents)


@drops_sockets
def test_an_abort_inside_an_instance_leaves_the_receiver_well(receiver, tmp_path: Path):
    entity = AE(ae_title="SCANNER")
    association = entity.associate(
        "127.0.0.1", receiver.port, [build_context("1.2.840.10008.5.1.4.1.1.4", ExplicitVRLittleEndian)], ae_title="CSPINE"
    )
    # 52 MB, more than the buffers of both sockets hold (4 and 32 MB on Linux): the abort comes before the end has been sent
    big = write_instance(tmp_path / "big.dcm", mr_instance(rows=5120))
    sender = threading.Thread(target=lambda: association.send_c_store(big))
    sender.start()
    wait_until(lambda: any(path.stat().st_size > 1000 for path in receiver.store.incoming.iterdir()), "the instance is arriving")
    association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
    sender.join(20)
    assert receiver.files == []
    assert storescu(receiver, "127.0.0.1", receiver.port, write_instance(tmp_path / "next.dcm", mr_instance())).returncode == 0
    assert len(receiver.files) == 1
    assert list(receiver.store.incoming.iterdir()) == []


@drops_sockets
def test_bare_tcp_connections_do_not_exhaust_the_receiver(tmp_path: Path):
    with running_receiver(tmp_path / "store", maximum_associations=2) as receiver:
        for payload in (b"", b"GET / HTTP/1.1\r\n\r\n", struct.pack(">BBL", 1, 0, 2**31), b"\x00" * 100):
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
                    connection.sendall(payload)
        wait_until(lambda: echoscu("PACS", receiver.port).returncode == 0, "an echo is answered after the bare connections")


def test_a_second_receiver_is_refused_with_a_reason(receiver, tmp_path: Path):
    with pytest.raises(ConfigError) as same_port, running_receiver(tmp_path / "other", port=receiver.port):
        pass
    assert same_port.value.reason is Reason.PORT_IN_USE
    with pytest.raises(ConfigError) as same_store, running_receiver(tmp_path / "store"):
        pass
    assert same_store.value.reason is Reason.ALREADY_RUNNING


def test_studies_that_were_open_when_the_receiver_ended_complete_after_the_next_start(tmp_path: Path):
    uids = Uids.new()
    with running_receiver(tmp_path / "store", quiet_s=3000) as receiver:
        assert (
            storescu(receiver, "127.0.0.1", receiver.port, write_instance(tmp_path / "sent.dcm", mr_instance(uids))).returncode
            == 0
        )
        assert list(receiver.store.open_marks()) == [uids.study]
    (tmp_path / "store" / "incoming" / "left.dcm").write_bytes(b"half")
    with running_receiver(tmp_path / "store") as receiver:
        assert receiver.completed.get(timeout=10) == uids.study
        wait_until(lambda: not receiver.store.open_marks(), "the mark goes")
        assert list(receiver.store.incoming.iterdir()) == []


def test_a_running_association_finishes_when_the_receiver_stops(tmp_path: Path):
    with running_receiver(tmp_path / "store") as receiver:
        entity = AE(ae_title="SCANNER")
        contexts = [build_context("1.2.840.10008.5.1.4.1.1.4", ExplicitVRLittleEndian)]
        association = entity.associate("127.0.0.1", receiver.port, contexts, ae_title="CSPINE")
        receiver.stop.set()
        wait_until(lambda: echoscu("PACS", receiver.port).returncode != 0, "no new association is accepted")
        status = association.send_c_store(write_instance(tmp_path / "late.dcm", mr_instance()))
        association.release()
        assert status.Status == 0
    assert len(list((tmp_path / "store" / "studies").rglob("*.dcm"))) == 1
    assert len(open_store(f"file:{tmp_path / 'store'}").open_marks()) == 1


def test_a_data_set_that_is_not_the_announced_instance_is_refused(receiver, tmp_path: Path):
    instance = mr_instance()
    path = write_instance(tmp_path / "a.dcm", instance)
    announced = Uids.new().instance.ljust(len(instance.SOPInstanceUID), "1")[: len(instance.SOPInstanceUID)]
    path.write_bytes(path.read_bytes().replace(str(instance.SOPInstanceUID).encode(), announced.encode(), 1))
    ((_, problem),) = send_files(receiver.destination(), "SCANNER", [path], lambda _done, _total: None).failed
    assert "0xA900" in problem
    assert receiver.files == []


class FillingStore(Store):
    """A store whose disk is full once an association was admitted."""

    asked = 0

    def free_mb(self) -> float:
        self.asked += 1
        return 2000 if self.asked == 1 else 900


def test_an_instance_is_refused_as_out_of_resources_when_the_disk_fills_up(tmp_path: Path):
    store = FillingStore(tmp_path / "store")
    config = ReceptionConfig(bind_address="127.0.0.1", port=0, minimum_free_disk_mb=2000)
    open_studies = OpenStudies(StudyAssembler(config.completion), store, Clock(time.monotonic, time.time))
    scp = StorageSCP(config, store, open_studies)
    destination = DestinationConfig(name="node", host="127.0.0.1", port=scp.start(), ae_title="CSPINE")
    try:
        with pytest.raises(TransientError) as caught:
            send_files(destination, "PACS", [write_instance(tmp_path / "a.dcm", mr_instance())], lambda _done, _total: None)
    finally:
        scp.stop(5)
    assert caught.value.reason is Reason.PEER_OUT_OF_RESOURCES
    assert scp.stored_count == 0
    assert store.study_uids() == ()


def test_the_memory_of_the_receiver_does_not_grow_with_the_size_of_an_instance(receiver, tmp_path: Path):
    path = write_instance(tmp_path / "big.dcm", mr_instance(rows=4096))
    tracemalloc.start()
    result = storescu(receiver, "127.0.0.1", receiver.port, path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.returncode == 0
    assert receiver.files[0].stat().st_size > 32 << 20
    assert peak_bytes < 8 << 20


@pytest.mark.parametrize("is_split", [False, True], ids=["all in one PDU", "a command set in pieces"])
def test_a_request_may_be_cut_into_pdus_in_any_way(receiver, tmp_path: Path, is_split: bool):
    path = write_instance(tmp_path / "a.dcm", mr_instance())
    sent = store_request(path)
    length = int.from_bytes(sent[2:6], "big") + 6
    command, data = sent[12:length], sent[length + 6 :]
    pieces = [command[begin : begin + 10] for begin in range(0, len(command), 10)] if is_split else [command]
    fragments = [struct.pack(">LBB", len(one) + 2, 1, 3 if one is pieces[-1] else 1) + one for one in pieces]
    groups = [*fragments, data] if is_split else [b"".join([*fragments, data])]
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as connection:
        connection.sendall(ASSOCIATE)
        assert connection.recv(4096)[:1] == b"\x02"
        connection.sendall(b"".join(struct.pack(">BBL", 4, 0, len(one)) + one for one in groups))
        assert STORED in connection.recv(4096)
    (stored,) = receiver.files
    assert dataset_bytes(stored) == dataset_bytes(path)
