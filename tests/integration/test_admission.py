"""Strangers, crowds and peers that keep the line busy: bare sockets and real SCUs against our Storage SCP."""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.sop_class import MRImageStorage, StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

from tests.support.dicom_peers import RunningReceiver, mr_instance, running_receiver, write_instance
from tests.support.external import drops_sockets, wait_until


@contextlib.contextmanager
def association(receiver: RunningReceiver, *, source: str = "127.0.0.1", contexts=(Verification,)) -> Iterator[Association]:
    entity = AE(ae_title="SCANNER")
    entity.acse_timeout = entity.network_timeout = entity.dimse_timeout = 10
    opened = entity.associate(
        "127.0.0.1",
        receiver.port,
        [build_context(one) for one in contexts],
        ae_title=receiver.ae_title,
        bind_address=(source, 0),
    )
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()


def rejection(opened: Association) -> tuple[int, int, int]:
    answer = opened.acceptor.primitive
    assert opened.is_rejected
    assert answer is not None
    return answer.result, answer.result_source, answer.diagnostic


def ends_within(connection: socket.socket, seconds: float) -> float:
    """Return after how long the other side ended a connection."""
    connection.settimeout(seconds)
    started_s = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while connection.recv(4096):
            continue
    return time.monotonic() - started_s


@drops_sockets
def test_an_address_outside_the_networks_is_rejected_before_any_data_set(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with running_receiver(tmp_path / "store", allowed_networks=("127.0.0.2/32", "10.0.0.0/8")) as receiver:
        with association(receiver, contexts=(MRImageStorage,)) as stranger:
            assert rejection(stranger) == (1, 1, 1)
        with association(receiver, source="127.0.0.2", contexts=(MRImageStorage,)) as known:
            assert known.send_c_store(write_instance(tmp_path / "a.dcm", mr_instance())).Status == 0
        assert len(receiver.files) == 1
    (line,) = [record for record in caplog.records if "allowed_networks" in record.getMessage()]
    assert (line.address, line.calling_ae_title) == ("127.0.0.1", "SCANNER")


@drops_sockets
def test_strangers_that_say_nothing_do_not_lock_out_a_known_peer(tmp_path: Path):
    limits = {"allowed_networks": ("127.0.0.2",), "maximum_associations": 1, "association_timeout_s": 60}
    with running_receiver(tmp_path / "store", **limits) as receiver, contextlib.ExitStack() as strangers:
        silent = [strangers.enter_context(socket.create_connection(("127.0.0.1", receiver.port))) for _ in range(12)]
        assert ends_within(silent[-1], 5) < 5
        with association(receiver, source="127.0.0.2") as known:
            assert known.send_c_echo().Status == 0


@drops_sockets
def test_one_peer_has_its_places_and_leaves_the_others_theirs(tmp_path: Path):
    limits = {"maximum_associations": 3, "maximum_associations_per_peer": 2}
    with running_receiver(tmp_path / "store", **limits) as receiver, contextlib.ExitStack() as stack:
        greedy = [stack.enter_context(association(receiver)) for _ in range(3)]
        assert [one.is_established for one in greedy] == [True, True, False]
        assert rejection(greedy[2]) == (2, 3, 2)
        other = stack.enter_context(association(receiver, source="127.0.0.2"))
        assert other.send_c_echo().Status == 0
        assert rejection(stack.enter_context(association(receiver, source="127.0.0.3"))) == (2, 3, 2)
        greedy[0].release()
        wait_until(lambda: _is_admitted(receiver), "the place that was given back is free")


def _is_admitted(receiver: RunningReceiver) -> bool:
    with association(receiver, source="127.0.0.3") as again:
        return bool(again.is_established)


@drops_sockets
@pytest.mark.parametrize(
    "beginning",
    [b"", b"\x01\x00\x00", struct.pack(">BBL", 1, 0, 200) + b"\0" * 10],
    ids=["nothing", "half a header", "half a request"],
)
def test_a_peer_that_does_not_ask_for_an_association_is_let_go(tmp_path: Path, beginning: bytes):
    with (
        running_receiver(tmp_path / "store", association_timeout_s=1) as receiver,
        socket.create_connection(("127.0.0.1", receiver.port)) as peer,
    ):
        peer.sendall(beginning)
        assert 0.5 < ends_within(peer, 10) < 5


@drops_sockets
@pytest.mark.parametrize("kind", [1, 4])
def test_a_pdu_of_gigabytes_is_refused_at_its_length(tmp_path: Path, kind: int):
    with running_receiver(tmp_path / "store") as receiver, socket.create_connection(("127.0.0.1", receiver.port)) as peer:
        peer.sendall(struct.pack(">BBL", kind, 0, 2**32 - 1))
        assert ends_within(peer, 10) < 5


@drops_sockets
def test_a_peer_that_drips_a_pdu_is_cut_off_after_the_idle_time(tmp_path: Path):
    with running_receiver(tmp_path / "store", idle_timeout_s=1) as receiver, association(receiver) as dripping:
        connection = dripping.dul.socket.socket
        connection.sendall(struct.pack(">BBL", 4, 0, 1000))
        started_s = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started_s < 10:
                connection.sendall(b"\0")
                if connection.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b"":
                    break
        wait_until(lambda: not dripping.is_established, "the association has ended")
        assert time.monotonic() - started_s < 8


def fragment(context_id: int, control: int, content: bytes) -> bytes:
    """Return a P-DATA-TF PDU with one item (PS3.8 section 9.3.5)."""
    item = struct.pack(">LBB", len(content) + 2, context_id, control) + content
    return struct.pack(">BBL", 4, 0, len(item)) + item


@drops_sockets
def test_a_message_that_never_ends_is_cut_off(tmp_path: Path):
    limits = {"message_timeout_s": 1, "idle_timeout_s": 30}
    with running_receiver(tmp_path / "store", **limits) as receiver, association(receiver) as endless:
        connection = endless.dul.socket.socket
        started_s = time.monotonic()
        with contextlib.suppress(OSError):
            while endless.is_established and time.monotonic() - started_s < 10:
                connection.sendall(fragment(1, 1, b"\0"))
                time.sleep(0.05)  # the peer's own pace; nothing is waited for
        assert time.monotonic() - started_s < 8


@drops_sockets
def test_a_message_that_is_kept_in_memory_has_a_longest_length(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with (
        running_receiver(tmp_path / "store") as receiver,
        association(receiver, contexts=(StorageCommitmentPushModel,)) as huge,
    ):
        connection = huge.dul.socket.socket
        sent = 0
        with contextlib.suppress(OSError):
            while huge.is_established and sent < 64 << 20:
                connection.sendall(fragment(1, 1, b"\0" * 100_000))
                sent += 100_000
        assert sent < 64 << 20
    assert "a message other than C-STORE is longer" in caplog.text


@drops_sockets
def test_requests_that_wait_for_no_answer_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with running_receiver(tmp_path / "store") as receiver, association(receiver) as hasty:
        hasty.send_c_echo()
        connection = hasty.dul.socket.socket
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(fragment(1, 3, echo_command()) * 10)
        wait_until(lambda: "without waiting for an answer" in caplog.text, "the peer is cut off")


def echo_command() -> bytes:
    """Return the command set of a C-ECHO-RQ (PS3.7 table 9.3-12), implicit little endian."""
    uid = b"1.2.840.10008.1.1\0"
    elements = struct.pack("<HHL", 0, 2, len(uid)) + uid
    for element, value in ((0x100, 0x30), (0x110, 1), (0x800, 0x101)):
        elements += struct.pack("<HHLH", 0, element, 2, value)
    return struct.pack("<HHLL", 0, 0, 4, len(elements)) + elements
