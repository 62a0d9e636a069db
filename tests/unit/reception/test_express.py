"""When the express lane takes what a peer sends, and when it leaves it to pynetdicom."""

import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from pynetdicom.transport import AssociationSocket

from node.config import ReceptionConfig
from node.reception.admission import StoreStatus
from node.reception.express import ExpressLane, ExpressSocket
from node.reception.reading import BoundedReader
from tests.support.dicom_peers import dataset_bytes, mr_instance, write_instance
from tests.support.hostile_peers import RELEASE, store_request

MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"


class FakeAssociation:
    """As much of an association as the lane looks at; established or not."""

    def __init__(self, is_established: bool) -> None:
        self.is_established = is_established
        self._kill = False
        self._accepted_cx = {1: SimpleNamespace(abstract_syntax=MR, transfer_syntax=[EXPLICIT])}
        self._reactor_checkpoint = threading.Event()
        self.requestor = SimpleNamespace(maximum_length=16384, address="127.0.0.1")
        self.dimse = SimpleNamespace(message=None, msg_queue=queue.Queue())
        self.dul = SimpleNamespace(
            state_machine=SimpleNamespace(current_state="Sta6"),
            event_queue=queue.Queue(),
            to_provider_queue=queue.Queue(),
            _idle_timer=SimpleNamespace(restart=lambda: None),
        )

    def is_alive(self) -> bool:
        return True


@dataclass
class World:
    """A peer's end of a connection, and what was stored."""

    association: FakeAssociation
    peer: socket.socket
    ours: ExpressSocket
    stored: list[bytes] = field(default_factory=list)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    association = FakeAssociation(is_established=True)
    peer, connection = socket.socketpair()
    reader = BoundedReader(association, connection, ReceptionConfig())
    (tmp_path / "incoming").mkdir()

    def store(_request: object, path: Path, _beginning: bytes) -> tuple[StoreStatus, str]:
        made.stored.append(dataset_bytes(path))
        return StoreStatus.SUCCESS, ""

    lane = ExpressLane(association, reader, ReceptionConfig(), tmp_path / "incoming", store)
    made = World(association, peer, ExpressSocket(AssociationSocket(association, connection), reader, lane))
    with peer, connection:
        yield made


def test_a_request_is_stored_and_answered_and_leaves_nothing(world: World, tmp_path: Path):
    path = write_instance(tmp_path / "a.dcm", mr_instance())
    world.peer.sendall(store_request(path) * 2)
    assert not world.ours.ready
    assert world.stored == [dataset_bytes(path)] * 2
    assert world.peer.recv(4096).count(b"\0\0\0\t\2\0\0\0\0\0") == 2  # Status (0000,0900) success
    assert list((tmp_path / "incoming").iterdir()) == []
    assert world.association._reactor_checkpoint.is_set()


def test_what_comes_before_the_association_is_established_waits_for_it(world: World, tmp_path: Path):
    world.association.is_established = False
    world.peer.sendall(store_request(write_instance(tmp_path / "a.dcm", mr_instance())))
    assert not world.ours.ready
    assert world.stored == []
    world.association.is_established = True
    assert not world.ours.ready
    assert len(world.stored) == 1


def test_what_is_no_request_to_store_is_left_unread(world: World, tmp_path: Path):
    world.peer.sendall(store_request(write_instance(tmp_path / "a.dcm", mr_instance())) + RELEASE)
    assert world.ours.ready
    assert len(world.stored) == 1
    assert bytes(world.ours.recv(len(RELEASE))) == RELEASE


def test_an_instance_that_is_cut_off_is_not_stored(world: World, tmp_path: Path):
    request = store_request(write_instance(tmp_path / "a.dcm", mr_instance(rows=128)))
    world.peer.sendall(request[: len(request) // 2])
    world.peer.shutdown(socket.SHUT_WR)
    assert not world.ours.ready
    assert (world.stored, list((tmp_path / "incoming").iterdir())) == ([], [])
    assert list(world.association.dul.event_queue.queue)[-1] == "Evt17"


def test_a_command_inside_a_data_set_ends_the_association(world: World, tmp_path: Path):
    request = store_request(write_instance(tmp_path / "a.dcm", mr_instance(rows=128)))
    command = request[: 6 + int.from_bytes(request[2:6], "big")]
    world.peer.sendall(command * 2)
    assert not world.ours.ready
    assert world.stored == []
    assert list(world.association.dul.event_queue.queue)[-1] == "Evt19"
