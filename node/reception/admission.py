"""Whether a peer may store now, and how we say no."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from node.domain.errors import NodeError, Reason, TransientError


class StoreStatus(IntEnum):
    """The C-STORE statuses that we answer (PS3.4 table B.2-1)."""

    SUCCESS = 0x0000
    OUT_OF_RESOURCES = 0xA700
    MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    source: int
    diagnostic: int


#: Transient, by the presentation service provider: local limit exceeded.
LOCAL_LIMIT_EXCEEDED = Rejection(result=2, source=3, diagnostic=2)


class DiskWatermark:
    """Guards the free space of the store.

    Below the watermark new associations are rejected. Running ones may use half of what is left, so that a study
    is not cut off in its middle without need.
    """

    def __init__(self, minimum_free_mb: float, free_mb: Callable[[], float]) -> None:
        self._minimum_free_mb = minimum_free_mb
        self._free_mb = free_mb

    def admits_association(self) -> bool:
        """Return whether there is room for another association."""
        return self._free_mb() >= self._minimum_free_mb

    def require_room(self) -> None:
        """Raise TransientError ``disk_full`` if there is no room for another instance."""
        if self._free_mb() < self._minimum_free_mb / 2:
            raise TransientError(Reason.DISK_FULL, "disk full; send again later")


def status_of(error: NodeError) -> StoreStatus:
    """Return the C-STORE status that tells a peer of an error."""
    return StoreStatus.OUT_OF_RESOURCES if isinstance(error, TransientError) else StoreStatus.CANNOT_UNDERSTAND
