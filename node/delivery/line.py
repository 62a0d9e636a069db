"""The line over which an object goes to a peer: an association, or a DICOMweb service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pynetdicom.association import Association

from node.config import DestinationConfig
from node.delivery.association import can_store, status_of, store_file
from node.delivery.contexts import Encoding
from node.delivery.stow import stow_file
from node.delivery.web import WebPeer, open_web


class Line(Protocol):
    """What stores one object after the other at a peer."""

    def takes(self, encoding: Encoding) -> bool:
        """Return whether an object may be sent so; what is refused then is in its status."""

    def store(self, path: Path, sop_instance_uid: str, encoding: Encoding) -> int:
        """Send an object and return its C-STORE status; raise NodeError if there is none."""


@dataclass(slots=True)
class DimseLine:
    """An association with a peer."""

    association: Association
    destination: DestinationConfig
    count: int = 0

    def takes(self, encoding: Encoding) -> bool:
        """Return whether the peer accepted a context for it."""
        return can_store(self.association, encoding)

    def store(self, path: Path, _sop_instance_uid: str, encoding: Encoding) -> int:
        """Send a C-STORE."""
        answer = store_file(self.association, self.destination, path, encoding, self.count)
        self.count += 1
        return status_of(answer, self.destination)


@dataclass(frozen=True, slots=True)
class WebLine:
    """A DICOMweb service; what it takes shows only when it is sent."""

    peer: WebPeer

    def takes(self, _encoding: Encoding) -> bool:
        """Return that it may be tried."""
        return True

    def store(self, path: Path, sop_instance_uid: str, _encoding: Encoding) -> int:
        """Send it by STOW-RS."""
        return stow_file(self.peer, path, sop_instance_uid)


@contextmanager
def web_line(destination: DestinationConfig) -> Iterator[WebLine]:
    """Return the line to a DICOMweb destination."""
    with open_web(destination) as peer:
        yield WebLine(peer)
