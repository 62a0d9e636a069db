"""What a peer made of the objects that we sent."""

from dataclasses import dataclass

from node.domain.errors import Reason
from node.domain.report import ReportObject


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that the peer holds.

    Parameters
    ----------
    requested
        The object that was to be delivered.
    sent
        What was sent for it: the same, or one of its fallbacks.
    status
        C-STORE status: 0 or a warning.
    """

    requested: ReportObject
    sent: ReportObject
    status: int


@dataclass(frozen=True, slots=True)
class RefusedObject:
    """An object that the peer will not take; the message is for an administrator."""

    requested: ReportObject
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one delivery, object by object, in the order in which they were given.

    Parameters
    ----------
    is_commitment_asked
        Whether the peer took a request to commit what it stored; its answer decides.
    """

    stored: tuple[StoredObject, ...]
    refused: tuple[RefusedObject, ...]
    is_commitment_asked: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether the peer holds every object."""
        return not self.refused
