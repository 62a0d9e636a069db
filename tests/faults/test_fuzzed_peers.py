"""Mutated PDU streams and many bare connections against a receiver of its own process: it answers or hangs up, and stays well."""

import random
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.dicom_peers import Uids, mr_instance, write_instance
from tests.support.external import wait_until
from tests.support.fault_node import FaultNode
from tests.support.hostile_peers import ASSOCIATE, RELEASE, echo, store_request
from tests.support.mutation import mutated_messages
from tests.support.nightly import tell, times

# In an answer to C-STORE: Affected SOP Instance UID (0000,1000), and Status (0000,0900) success.
_STORED = re.compile(rb"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00.{0,200}?\x00\x00\x00\x10..\x00\x00([0-9.]+)", re.DOTALL)
_PATIENCE_S = 12.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultNode]:
    reception = {"association_timeout_s": 1, "idle_timeout_s": 2, "completion": {"quiet_s": 3600, "maximum_s": 3600}}
    with FaultNode(tmp_path_factory.mktemp("fuzzed"), changes={"reception": reception}) as node:
        node.start("receiver")
        yield node


def test_a_mutated_stream_is_answered_or_aborted_and_nothing_grows(node: FaultNode, tmp_path: Path):
    count = times(50, 1000)
    rng = random.Random(20261128)  # noqa: S311 - seeded, not secret
    streams = [_stream(tmp_path / "sent", rng) for _ in range(count)]
    _converse(node.port, streams[0])
    before = _use(node)
    with ThreadPoolExecutor(8) as executor:
        answers = list(executor.map(lambda stream: _converse(node.port, stream), streams))
    assert None not in answers, f"{answers.count(None)} streams hung"
    stored = [uid.decode("ascii") for answer in answers for uid in _STORED.findall(answer or b"")]
    on_disk = {path.stem for path in (node.store.root / "studies").rglob("*.dcm")}
    tell("mutated PDU streams", sent=count, aborted=sum(b"\x07\x00" in (a or b"") for a in answers), stored=len(stored))
    assert set(stored) <= on_disk
    _is_well(node, before)
    wait_until(lambda: echo(node.port), "an echo is answered")


def test_bare_and_half_open_connections_leave_nothing_behind(node: FaultNode):
    count = times(100, 1000)
    rng = random.Random(7)  # noqa: S311 - seeded, not secret
    assert echo(node.port)
    before = _use(node)
    for _ in range(count // 50):
        held = []
        for _ in range(50):
            connection = socket.create_connection(("127.0.0.1", node.port), timeout=_PATIENCE_S)
            connection.sendall(ASSOCIATE[: rng.choice((0, 1, 5, 6, 7, 60, len(ASSOCIATE)))])
            held.append(connection)
        for connection in held:
            if rng.random() < 0.5:  # a reset, as after a crash of the peer; the others close
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            if rng.random() < 0.8:
                connection.close()
        wait_until(lambda: echo(node.port), "an echo is answered after fifty bare connections")
        for connection in held:
            connection.close()
    tell("bare and half-open connections", opened=count)
    _is_well(node, before)


def _stream(folder: Path, rng: random.Random) -> list[bytes]:
    uids = Uids.new()
    request = store_request(write_instance(folder / f"{uids.instance}.dcm", mr_instance(uids)))
    return mutated_messages([ASSOCIATE, request, RELEASE], rng)


def _converse(port: int, messages: list[bytes]) -> bytes | None:
    """Say one message after another, waiting a moment for each answer, and hang up half.

    Returns
    -------
    bytes or None
        What came back until the end, None if there was no end.
    """
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as connection, suppress(OSError):  # it may hang up
        for message in messages:
            connection.sendall(message)
            answer += _said(connection, 0.3) or b""
        connection.shutdown(socket.SHUT_WR)
        while part := _said(connection, _PATIENCE_S):
            answer += part
        return None if part is None else bytes(answer)
    return bytes(answer)


def _said(connection: socket.socket, patience_s: float) -> bytes | None:
    """Return what a peer says next; empty after its end, None if it said nothing in time."""
    connection.settimeout(patience_s)
    try:
        return connection.recv(65536)
    except TimeoutError:
        return None


def _use(node: FaultNode) -> tuple[float, int, int]:
    return node.memory_mb("receiver"), node.open_files("receiver"), node.threads("receiver")


def _is_well(node: FaultNode, before: tuple[float, int, int]) -> None:
    assert node.is_running("receiver"), node.log("receiver")
    assert all(line.startswith("{") for line in node.log("receiver").splitlines()), "not everything is a line of our log"
    wait_until(
        lambda: node.open_files("receiver") <= before[1] and node.threads("receiver") <= before[2],
        f"files and threads come back to {before[1:]}: {_use(node)}",
        30,
    )
    after = _use(node)
    tell("receiver", before=f"{before[0]:.0f} MB", after=f"{after[0]:.0f} MB", files=after[1], threads=after[2])
    assert after[0] < before[0] + 30
