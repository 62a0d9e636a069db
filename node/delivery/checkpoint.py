"""Keeps pynetdicom's own thread of an association from taking the answer that a request waits for.

Before it sends a request pynetdicom stops that thread: it clears a checkpoint and waits until the thread says that it is paused.
But the thread says so until a moment after it has passed the checkpoint. If it was just there, both go on: the thread finds the
answer first, calls it unexpected and drops it, and the request waits until its timeout and aborts. Seen about once in 10,000
C-STOREs on a busy machine, as a destination that did not answer.
"""

import threading

from pynetdicom import evt
from pynetdicom.association import Association


class Checkpoint(threading.Event):
    """A checkpoint where passing it and no longer being paused are one step."""

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._association = association
        self._passing = threading.Lock()

    def wait(self, timeout: float | None = None) -> bool:
        """Return when the checkpoint is open; whoever closes it after that sees that its thread is not paused."""
        while super().wait(timeout):
            with self._passing:
                if self.is_set():
                    self._association._is_paused = False
                    return True
                # Closed again before it was passed. Whoever closed it waits for this, and a request of the peer that was
                # served meanwhile has left the opposite behind.
                self._association._is_paused = True
        return False

    def clear(self) -> None:
        """Close the checkpoint."""
        with self._passing:
            super().clear()


def guard_reactor(event: evt.Event) -> None:
    """Give an association, when its connection opens, a checkpoint of ours."""
    checkpoint = Checkpoint(event.assoc)
    checkpoint.set()
    event.assoc._reactor_checkpoint = checkpoint
