"""Reads PDUs within bounds: pynetdicom itself waits for ever, and believes every length that a peer names.

Whatever goes beyond a bound ends the connection as if the peer had hung up: what it sends is not DICOM that we understand.
"""

import errno
import logging
import select
import socket
import ssl
from time import monotonic

from pynetdicom.association import Association

from node.config import ReceptionConfig

_log = logging.getLogger(__name__)

# A request of association may be longer than a P-DATA-TF PDU: 128 contexts with all our transfer syntaxes are 0.2 MB.
_NEGOTIATION_BYTES = 1 << 20
# Some peers count the 6 bytes before the length, and the 6 of an item, into the length that was agreed (PS3.8 section D.1).
_LENGTH_SLACK = 12
# Messages other than C-STORE are kept in memory: a storage commitment report of 20 000 instances has 3 MB.
_MESSAGE_BYTES = 4 << 20
# Requests that a peer may send without waiting for our answers; the standard allows one (PS3.7 section D.3.3.3).
_WAITING_MESSAGES = 64


class BoundedReader:
    """Reads from the connection of one association; stands in for ``AssociationSocket.recv``.

    A PDU has a longest length and must be whole in time, and so must a message of many PDUs. Other than C-STORE, whose data
    set goes to disk while it arrives, a message has a longest length too.
    """

    def __init__(self, association: Association, connection: socket.socket, config: ReceptionConfig) -> None:
        self._association = association
        self._connection = connection
        self._config = config
        self._longest = max(config.maximum_pdu_bytes + _LENGTH_SLACK, _NEGOTIATION_BYTES)
        self._message: object = None
        self._message_since_s = 0.0
        self._unread = b""
        self._body = bytearray()
        self._limit_s = -1.0

    def recv(self, nr_bytes: int) -> bytearray:
        """Return so many bytes, fewer if the peer hung up.

        Raises
        ------
        OSError
            If a bound is passed.
        """
        self._require_short(nr_bytes)
        self._check_message()
        buffer = bytearray(nr_bytes)
        del buffer[self._fill(memoryview(buffer)) :]
        return buffer

    def unread(self, content: bytes) -> None:
        """Give back what was read, to be read again before anything else."""
        self._unread = content + self._unread

    @property
    def has_unread(self) -> bool:
        """Whether something was given back."""
        return bool(self._unread)

    def head(self) -> tuple[bytes, int, int]:
        """Return the head of the next PDU, the type that it names and its length.

        Raises
        ------
        OSError
            If the peer hung up, or a bound is passed.
        """
        head = bytearray(6)
        self._fill_whole(memoryview(head))
        return bytes(head), head[0], int.from_bytes(head[2:], "big")

    def body(self, length: int) -> memoryview:
        """Return the rest of a PDU, in memory that the next call takes for the next one; raises as :meth:`head` does."""
        self._require_short(length)
        if length > len(self._body):
            self._body = bytearray(max(length, self._config.maximum_pdu_bytes))
        view = memoryview(self._body)[:length]
        self._fill_whole(view)
        return view

    def waits(self, seconds: float) -> bool:
        """Return whether something can be read within a time."""
        if self._unread or (isinstance(self._connection, ssl.SSLSocket) and self._connection.pending()):
            return True
        return bool(select.select([self._connection], [], [], seconds)[0])

    def refusal(self, why: str) -> OSError:
        """Return the error that ends the connection, after a word in the log."""
        _log.warning("connection closed: %s", why, extra={"address": self._association.requestor.address})
        return OSError(errno.EMSGSIZE, why)

    def _fill_whole(self, view: memoryview) -> None:
        if self._fill(view) < len(view):
            raise ConnectionResetError(errno.ECONNRESET, "the peer hung up")

    def _fill(self, view: memoryview) -> int:
        """Read so much into memory, or all that there is until the peer hung up, and return how much."""
        count = min(len(view), len(self._unread))
        if count:
            view[:count], self._unread = self._unread[:count], self._unread[count:]
        is_established = self._association.is_established
        timeout_s = self._config.idle_timeout_s if is_established else self._config.association_timeout_s
        self._limit(timeout_s)
        deadline_s = monotonic() + timeout_s
        try:
            while count < len(view):
                received = self._connection.recv_into(view[count:])
                if not received:
                    break
                count += received
                if count < len(view):  # the rest has what is left of the time
                    self._limit(max(deadline_s - monotonic(), 1e-3))
        except TimeoutError as error:
            raise self.refusal(f"a PDU was not whole within {timeout_s:g} s") from error
        finally:
            # also the bound for a peer that does not read our answers
            self._limit(timeout_s)
        return count

    def _limit(self, timeout_s: float) -> None:
        """Bound the next calls of the connection; each setting of it is a call of the system."""
        if timeout_s != self._limit_s:
            self._connection.settimeout(timeout_s)
            self._limit_s = timeout_s

    def _require_short(self, length: int) -> None:
        if length > self._longest:
            raise self.refusal(f"a PDU of {length} bytes is longer than {self._longest}")

    def _check_message(self) -> None:
        """Raise OSError if the message of which parts are here is too long or takes too long, or too many wait."""
        service = self._association.dimse
        if service.msg_queue.qsize() > _WAITING_MESSAGES:
            raise self.refusal(f"more than {_WAITING_MESSAGES} requests without waiting for an answer")
        message = service.message
        if message is not self._message:
            self._message, self._message_since_s = message, monotonic()
        if message is None:
            return
        if monotonic() - self._message_since_s > self._config.message_timeout_s:
            raise self.refusal(f"a message was not whole within {self._config.message_timeout_s:g} s")
        in_memory = (message.encoded_command_set, message.data_set)
        if sum(part.getbuffer().nbytes for part in in_memory if part is not None) > _MESSAGE_BYTES:
            raise self.refusal(f"a message other than C-STORE is longer than {_MESSAGE_BYTES} bytes")
