"""The express lane of C-STORE: one thread reads a request, writes its data set to a file, stores it and answers.

pynetdicom hands each PDU through queues between two threads that sleep a millisecond between looks, decodes every element of
a command, and looks for work a thousand times a second. So while a peer sends instances its reader does all of it at once,
and the other thread of the association stands still. Whatever else comes is pynetdicom's: negotiation, echo, reports, release
and abort are given back to it unread, and so is what is damaged.
"""

import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from pynetdicom.association import Association
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]
from pynetdicom.transport import AssociationSocket

from node.config import ReceptionConfig
from node.reception.admission import StoreStatus
from node.reception.contexts import implementation
from node.reception.messages import IS_COMMAND, IS_LAST, Item, StoreRequest, file_head, items, store_answer, store_request
from node.reception.reading import BoundedReader

_log = logging.getLogger(__name__)

#: What became of an instance: its status, and a comment for the peer.
Answer = tuple[StoreStatus, str]

_DATA_TRANSFER = 4  # type of a P-DATA-TF PDU, PS3.8 section 9.3.5
_ESTABLISHED = "Sta6"  # PS3.8 table 9-4
_NO_STORAGE = frozenset((Verification, StorageCommitmentPushModel))
# The command set of a C-STORE request has 300 bytes; what is longer is not for us.
_LONGEST_COMMAND = 1 << 18
_BEGINNING_BYTES = 1 << 13
# How long the lane waits for the next request before it leaves everything to pynetdicom again, which watches idle peers.
_NEXT_S = 0.02


class ExpressSocket(AssociationSocket):
    """Takes the place of the socket of an association that was just connected; serves C-STORE where it is asked for data."""

    def __init__(self, transport: AssociationSocket, reader: BoundedReader, lane: "ExpressLane") -> None:
        # not that of the parent: the connection is there already, and was announced
        vars(self).update(vars(transport))
        self._reader = reader
        self._lane = lane

    def recv(self, nr_bytes: int) -> bytearray:
        """Return so many bytes, fewer if the peer hung up."""
        return self._reader.recv(nr_bytes)

    @property
    def ready(self) -> bool:
        """Whether there is something to read that is not C-STORE; that was stored and answered before this returns."""
        is_ready = self._reader.has_unread or super().ready
        if self._reader.has_unread or not is_ready or not self._lane.is_between_messages:
            return is_ready
        try:
            return self._lane.is_open and self._lane.run(self)
        except (OSError, ValueError):  # ValueError: the socket was closed meanwhile
            self.event_queue.put("Evt17")  # transport connection closed
            return False


class ExpressLane:
    """Serves the C-STORE requests of one association.

    Parameters
    ----------
    folder
        Where data sets go while they arrive.
    store
        Stores a file, of which it is given the beginning too; never raises.
    """

    def __init__(
        self,
        association: Association,
        reader: BoundedReader,
        config: ReceptionConfig,
        folder: Path,
        store: Callable[[StoreRequest, Path, bytes], Answer],
    ) -> None:
        self._association = association
        self._reader = reader
        self._config = config
        self._folder = folder
        self._store = store
        self._accepted: frozenset[str] | None = None

    @property
    def is_between_messages(self) -> bool:
        """Whether what comes next begins a message."""
        association = self._association
        return association.dul.state_machine.current_state == _ESTABLISHED and association.dimse.message is None

    @property
    def is_open(self) -> bool:
        """Whether the association is established; not yet for a moment after the peer was told, and what it sends waits."""
        return bool(self._association.is_established) or not self._association.is_alive()

    def run(self, transport: AssociationSocket) -> bool:
        """Serve requests until none comes for a moment; return whether something else has come instead.

        Raises
        ------
        OSError
            If the peer hung up, or a bound is passed.
        """
        association = self._association
        association._reactor_checkpoint.clear()
        try:
            while self._serve(transport):
                if association._kill or association.dul.to_provider_queue.qsize() or not self._reader.waits(_NEXT_S):
                    return False
            return self._reader.has_unread
        finally:
            association.dul._idle_timer.restart()
            association._reactor_checkpoint.set()

    def _serve(self, transport: AssociationSocket) -> bool:
        """Serve one message; return whether it was C-STORE, and whole."""
        deadline_s = monotonic() + self._config.message_timeout_s
        begun = self._begun(deadline_s)
        if begun is None:
            return False
        request, rest = begun
        arrival = _Arrival(self._folder, self._head_of(request))
        try:
            if not self._arrives(request, rest, arrival, deadline_s):
                return False
            status, comment = arrival.failure or self._store(request, arrival.path, arrival.beginning)
        finally:
            arrival.clear()
        peer = self._association.requestor
        transport.send(store_answer(request, int(status), comment, peer.maximum_length or 0))
        return True

    def _begun(self, deadline_s: float) -> tuple[StoreRequest, list[Item]] | None:
        """Return the request of a message, and what of its data set came with it; None if it is not C-STORE, and it is unread."""
        taken, command_set = bytearray(), b""
        while len(taken) < _LONGEST_COMMAND:
            head, body, parts = self._next(deadline_s)
            taken += head
            taken += body
            commands = [part for part in parts if part.control & IS_COMMAND]
            command_set += b"".join(part.content for part in commands)
            if commands and commands[-1].control & IS_LAST:
                request = store_request(commands[-1].context_id, command_set)
                if request is not None and self._is_storage(request):
                    return request, parts[len(commands) :]
                break
            if not commands or len(commands) < len(parts):
                break
        self._reader.unread(bytes(taken))
        return None

    def _next(self, deadline_s: float) -> tuple[bytes, memoryview, list[Item]]:
        """Return the head, the body and the items of the next PDU; of one that is not for data transfer only the head is read."""
        if monotonic() > deadline_s:
            raise self._reader.refusal(f"a message was not whole within {self._config.message_timeout_s:g} s")
        head, kind, length = self._reader.head()
        if kind != _DATA_TRANSFER:
            return head, memoryview(b""), []
        body = self._reader.body(length)
        try:
            return head, body, list(items(body))
        except ValueError:
            return head, body, []

    def _is_storage(self, request: StoreRequest) -> bool:
        contexts = self._association._accepted_cx
        if self._accepted is None:
            accepted = (context.abstract_syntax for context in contexts.values())
            self._accepted = frozenset(str(one) for one in accepted if one not in _NO_STORAGE)
        return request.context_id in contexts and request.sop_class_uid in self._accepted

    def _head_of(self, request: StoreRequest) -> bytes:
        context = self._association._accepted_cx[request.context_id]
        return file_head(request, str(context.transfer_syntax[0]), implementation())

    def _arrives(self, request: StoreRequest, rest: list[Item], arrival: "_Arrival", deadline_s: float) -> bool:
        """Write the data set of a request; return whether it came whole, before anything else came."""
        parts = rest
        while True:
            for part in parts:
                if part.control & IS_COMMAND or part.context_id != request.context_id:
                    self._association.dul.event_queue.put("Evt19")  # unrecognised or invalid PDU
                    return False
                arrival.write(part.content)
                if part.control & IS_LAST:
                    return True
            head, body, parts = self._next(deadline_s)
            if not parts:
                self._reader.unread(head + bytes(body))
                return False


class _Arrival:
    """A file that is being received. What the disk refuses does not end the association: the instance is refused at its end."""

    def __init__(self, folder: Path, head: bytes) -> None:
        self.failure: Answer | None = None
        self.path = folder
        #: The first kilobytes of the file: its head can be read without opening it again.
        self.beginning = b""
        self._head: bytes | None = head
        self._descriptor = -1
        try:
            path = folder / f"{uuid.uuid4().hex}.dcm"
            self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            self.path = path
        except OSError as error:
            self._fail(error)

    def write(self, content: memoryview) -> None:
        """Add a part of the data set."""
        if self.failure:
            return
        parts = [content] if self._head is None else [memoryview(self._head), content]
        if self._head is not None:
            self.beginning = self._head + content[:_BEGINNING_BYTES]
            self._head = None
        try:
            left = sum(map(len, parts)) - os.writev(self._descriptor, parts)
            while left:  # a full disk takes some of it, and then refuses
                left -= os.write(self._descriptor, content[len(content) - left :])
        except OSError as error:
            self._fail(error)

    def clear(self) -> None:
        """Close the file, and delete it if it was not stored."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self.path.unlink(missing_ok=True)

    def _fail(self, error: OSError) -> None:
        _log.error("instance refused: %s", error.strerror)
        self.failure = (StoreStatus.OUT_OF_RESOURCES, "the store cannot be written; send again later")
