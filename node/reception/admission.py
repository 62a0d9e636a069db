"""Who may connect and whether it may store now, and how we say no."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from node.config import ReceptionConfig
from node.domain.errors import NodeError, Reason, TransientError

_AE_TITLE_LENGTH = 16  # PS3.5 section 6.2
# Connections of addresses that are not admitted, while we tell them so.
_STRANGERS = 4
# Connections beyond the limit that are answered with a rejection; what comes on top is closed without a word.
_REJECTABLE = 2


class StoreStatus(IntEnum):
    """The C-STORE statuses that we answer (PS3.4 table B.2-1)."""

    SUCCESS = 0x0000
    OUT_OF_RESOURCES = 0xA700
    MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21), and the same in words for our log."""

    result: int
    source: int
    diagnostic: int
    explanation: str


def _not_admitted(explanation: str) -> Rejection:
    """Return a rejection that is permanent, by the service user, with no reason given: a stranger learns nothing."""
    return Rejection(1, 1, 1, explanation)


def _limit_exceeded(explanation: str) -> Rejection:
    """Return a rejection that is transient, by the presentation service provider: local limit exceeded."""
    return Rejection(2, 3, 2, explanation)


class PeerLimits:
    """Which addresses may connect, and how often at the same time.

    An address is a text as the socket gives it; ``others`` are those of the connections that are there already.
    """

    def __init__(self, config: ReceptionConfig) -> None:
        self._networks = tuple(ip_network(text) for text in config.allowed_networks)
        self._total = config.maximum_associations
        self._per_peer = config.maximum_associations_per_peer

    @property
    def most_connections(self) -> int:
        """How many connections there can be at once, with those that are about to be rejected."""
        return self._total * _REJECTABLE + _STRANGERS

    def admits(self, address: str) -> bool:
        """Return whether the address lies in an allowed network."""
        return not self._networks or any(_plain(address) in network for network in self._networks)

    def may_connect(self, address: str, others: Sequence[str]) -> bool:
        """Return whether a connection is taken at all: one to be rejected costs two threads until its peer has spoken."""
        strangers = sum(not self.admits(other) for other in others)
        if not self.admits(address):
            return strangers < _STRANGERS
        is_room_for_peer = Counter(others)[address] < self._per_peer * _REJECTABLE
        return is_room_for_peer and len(others) - strangers < self._total * _REJECTABLE

    def rejection(self, address: str, others: Sequence[str]) -> Rejection | None:
        """Return why a request of association is rejected, None if it is not; ``others`` are associations."""
        if not self.admits(address):
            return _not_admitted("its address is in none of reception.allowed_networks")
        if Counter(others)[address] >= self._per_peer:
            return _limit_exceeded(f"its address has reception.maximum_associations_per_peer ({self._per_peer}) already")
        if len(others) >= self._total:
            return _limit_exceeded(f"there are reception.maximum_associations ({self._total}) already")
        return None


def _plain(address: str) -> IPv4Address | IPv6Address:
    """Return an address; an IPv4 one that reached us over a socket of IPv6 as what it is."""
    parsed = ip_address(address.partition("%")[0])
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed


def printable(title: str) -> str:
    """Return an AE title as it may stand in a log, a table or a terminal: a stranger chose its characters."""
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in title.strip())[:_AE_TITLE_LENGTH]


class DiskWatermark:
    """Guards the free space of the store.

    Below the watermark new associations are rejected. Running ones may use half of what is left, so that a study
    is not cut off in its middle without need.
    """

    def __init__(self, minimum_free_mb: float, free_mb: Callable[[], float]) -> None:
        self._minimum_free_mb = minimum_free_mb
        self._free_mb = free_mb

    def rejection(self) -> Rejection | None:
        """Return why an association is rejected for want of room, None if it is not."""
        if self._free_mb() >= self._minimum_free_mb:
            return None
        return _limit_exceeded(f"free disk is below reception.minimum_free_disk_mb ({self._minimum_free_mb:g})")

    def require_room(self) -> None:
        """Raise TransientError ``disk_full`` if there is no room for another instance."""
        if self._free_mb() < self._minimum_free_mb / 2:
            raise TransientError(Reason.DISK_FULL, "disk full; send again later")


def status_of(error: NodeError) -> StoreStatus:
    """Return the C-STORE status that tells a peer of an error."""
    return StoreStatus.OUT_OF_RESOURCES if isinstance(error, TransientError) else StoreStatus.CANNOT_UNDERSTAND
