"""Peers that connect and then say nothing, half of something, or too much: their place comes free."""

import socket
import struct
from concurrent import futures
from contextlib import suppress
from pathlib import Path

import pytest

from node.config import DestinationConfig
from node.delivery import send_files
from node.domain.errors import TransientError
from tests.support.dicom_peers import mr_instance, running_receiver, write_instance
from tests.support.external import drops_sockets, wait_until
from tests.support.hostile_peers import ASSOCIATE, accepting, echo, stalling_peer, store_request

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@drops_sockets
@pytest.mark.parametrize(
    "said",
    [b"", b"\x01", ASSOCIATE[:6], ASSOCIATE[:60], struct.pack(">BBL", 4, 0, 100) + b"\0" * 50],
    ids=["nothing", "one byte", "a PDU's head", "half a request", "half of data before a request"],
)
def test_a_peer_that_stalls_before_its_request_is_left_after_the_association_timeout(tmp_path: Path, said: bytes):
    with running_receiver(tmp_path / "store", maximum_associations=2, association_timeout_s=1, idle_timeout_s=1) as receiver:
        stalled = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(4)]
        for connection in stalled:
            connection.sendall(said)
        wait_until(lambda: echo(receiver.port), "an echo is answered while four peers stall")
        for connection in stalled:
            connection.close()


@drops_sockets
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_peer_that_stalls_inside_an_instance_is_left_after_the_idle_timeout(tmp_path: Path, share: float):
    path = write_instance(tmp_path / "a.dcm", mr_instance(rows=64))
    with running_receiver(tmp_path / "store", maximum_associations=2, idle_timeout_s=1) as receiver:
        stalled = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(2)]
        for connection in stalled:
            connection.sendall(ASSOCIATE)
            assert connection.recv(1) == b"\x02"
            request = store_request(path)
            connection.sendall(request[: int(len(request) * share)])
        wait_until(lambda: echo(receiver.port), "an echo is answered after two peers' cables were pulled")
        for connection in stalled:
            connection.close()
        assert receiver.files == []


@drops_sockets
@pytest.mark.parametrize(
    "answers",
    [
        [b"\x02"],
        [accepting([1])[:40]],
        [accepting([1]), b"\x04"],
        [accepting([1]), b"", struct.pack(">BBL", 4, 0, 100) + bytes(50)],
        [accepting([1]), b"", struct.pack(">BBL", 4, 0, 2**31)],
    ],
    ids=["one byte", "half an acceptance", "one byte of data", "half an answer", "an answer of 2 GB"],
)
def test_a_destination_that_stalls_inside_a_pdu_is_left_after_its_timeout(tmp_path: Path, answers: list[bytes]):
    path = write_instance(tmp_path / "a.dcm", mr_instance())
    with stalling_peer(answers) as port:
        destination = DestinationConfig(name="peer", host="127.0.0.1", port=port, ae_title="PEER", timeout_s=1)
        with futures.ThreadPoolExecutor() as executor:
            sent = executor.submit(send_files, destination, "CSPINE", [path], lambda _done, _total: None)
            assert isinstance(sent.exception(timeout=15), TransientError)


def _fragment(control: int) -> bytes:
    """Return a P-DATA-TF with 16000 bytes of a message that goes on; ``control`` 1: of its command set, 0: of its data set."""
    return struct.pack(">BBLLBB", 4, 0, 16006, 16002, 1, control) + bytes(16000)


@drops_sockets
@pytest.mark.parametrize("messages", [[struct.pack(">BBL", 4, 0, 2**31)], [_fragment(1)] * 300], ids=["one PDU", "a command set"])
def test_what_would_grow_in_memory_without_end_is_cut_off_at_once(tmp_path: Path, messages: list[bytes]):
    with running_receiver(tmp_path / "store", idle_timeout_s=60) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as connection:
            connection.sendall(ASSOCIATE)
            assert connection.recv(4096)[:1] == b"\x02"
            with suppress(ConnectionError):
                for message in messages:
                    connection.sendall(message)
                while connection.recv(4096):
                    continue
        assert echo(receiver.port)
