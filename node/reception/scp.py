"""Storage and Verification SCP: write, answer, notify. The scanner never waits.

Each data set is streamed to a file in ``incoming`` while it arrives, so memory does not grow with the size of an
instance and its bytes are never decoded or changed. Then the head of that file is read, the file moved to its place, and
the peer answered: express.py.
"""

import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from time import monotonic

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association

from node.config import ReceptionConfig
from node.domain.errors import ConfigError, NodeError, Reason, TransientError
from node.reception.admission import DiskWatermark, PeerLimits, Rejection, StoreStatus, printable, status_of
from node.reception.contexts import accepted_contexts
from node.reception.express import Answer, ExpressLane, ExpressSocket
from node.reception.messages import StoreRequest
from node.reception.open_studies import OpenStudies
from node.reception.reading import BoundedReader
from node.reception.server import GuardedServer, start_server
from node.reception.tls import reception_context
from node.store import Store, commitment_answer, read_head

_log = logging.getLogger(__name__)

_PROCESSING_FAILURE = 0x0110  # PS3.7 section C.5.21
_ERROR_COMMENT_LENGTH = 64  # VR LO, PS3.5 section 6.2


class StorageSCP:
    """Accepts associations, stores what they send and notes it in ``open_studies``.

    One for each process, because pynetdicom's logging is a setting of the process. Where the disk fills up inside an instance,
    in spite of the watermark, that instance is refused.
    """

    def __init__(self, config: ReceptionConfig, store: Store, open_studies: OpenStudies) -> None:
        self._config = config
        self._store = store
        self._open_studies = open_studies
        self._watermark = DiskWatermark(config.minimum_free_disk_mb, store.free_mb)
        self._limits = PeerLimits(config)
        self._entity = _application_entity(config, self._limits.most_connections)
        self._server: GuardedServer | None = None
        self._admitted: dict[Association, str] = {}
        self._admission_lock = threading.Lock()
        self._settings = ExitStack()
        self._stored_count = 0
        self._count_lock = threading.Lock()

    @property
    def stored_count(self) -> int:
        """How many instances were stored since the start."""
        return self._stored_count

    def start(self) -> int:
        """Listen, and return the port.

        Raises
        ------
        ConfigError
            ``port_in_use``, or ``config_invalid`` if we may not or cannot listen there or a file of TLS cannot be used.
        """
        tls = self._config.tls
        context = None if tls is None else reception_context(tls, self._config.association_timeout_s)
        self._settings.enter_context(_without_pdu_log())
        address = (self._config.bind_address, self._config.port)
        try:
            self._server = start_server(
                self._entity,
                address,
                self._limits,
                ssl_context=context,
                evt_handlers=self._event_handlers(),
                contexts=accepted_contexts(),
            )
        except OSError as error:
            self._settings.close()
            raise _cannot_listen(error, self._config) from error
        assert self._server.socket is not None  # noqa: S101 - it listens
        return int(self._server.socket.getsockname()[1])

    def stop(self, grace_s: float) -> None:
        """Stop listening, let running associations finish for a bounded time, and abort what is left."""
        if self._server is None:
            return
        associations = self._server.active_associations
        self._server.shutdown()
        deadline = monotonic() + grace_s
        for association in associations:
            association.join(max(0.0, deadline - monotonic()))
        self._entity.shutdown()
        self._settings.close()
        self._server = None

    def _event_handlers(self) -> list[evt.EventHandlerType]:
        return [
            (evt.EVT_CONN_OPEN, self._on_connected),
            (evt.EVT_CONN_CLOSE, _end_without_request),
            (evt.EVT_REQUESTED, self._on_requested),
            (evt.EVT_ACCEPTED, _on_accepted),
            (evt.EVT_REJECTED, _on_rejected),
            (evt.EVT_ABORTED, _on_aborted),
            (evt.EVT_C_ECHO, _on_echo),
            (evt.EVT_N_EVENT_REPORT, self._on_event_report),
        ]

    def _on_connected(self, event: evt.Event) -> None:
        """Read within bounds, and send without waiting for more to send."""
        transport = event.assoc.dul.socket
        if transport is not None and transport.socket is not None:
            # Nagle's algorithm with delayed acknowledgement costs 40 ms for each instance.
            transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = BoundedReader(event.assoc, transport.socket, self._config)
            store = partial(self._stored, event.assoc, cache(partial(_sender, event.assoc)))
            lane = ExpressLane(event.assoc, reader, self._config, self._store.incoming, store)
            event.assoc.dul.socket = ExpressSocket(transport, reader, lane)

    def _on_requested(self, event: evt.Event) -> None:
        """Reject an association that is not to be, before anything of it is read but its request."""
        rejection = self._rejection(event.assoc)
        if rejection is None:
            return
        _log.warning("association rejected: %s", rejection.explanation, extra=_peer(event.assoc))
        event.assoc.acse.send_reject(rejection.result, rejection.source, rejection.diagnostic)
        event.assoc.kill()

    def _rejection(self, association: Association) -> Rejection | None:
        """Return why an association is rejected; note it as admitted otherwise. Two at once do not pass for one place."""
        address = str(association.requestor.address)
        with self._admission_lock:
            self._admitted = {one: where for one, where in self._admitted.items() if one.is_alive()}
            rejection = self._limits.rejection(address, list(self._admitted.values())) or self._watermark.rejection()
            if rejection is None:
                self._admitted[association] = address
        return rejection

    def _stored(
        self, association: Association, sender: Callable[[], str], request: StoreRequest, path: Path, beginning: bytes
    ) -> Answer:
        """Store one instance and return its status."""
        try:
            self._watermark.require_room()
            head = read_head(path, beginning)
            if (request.sop_class_uid, request.sop_instance_uid) != (head.sop_class_uid, head.sop_instance_uid):
                return StoreStatus.MISMATCH, "SOP class or instance UID is not that of the request"
            received = self._store.receive(path, head)
            self._open_studies.note(head, sender())
            if not received.path.exists():
                raise TransientError(Reason.STORE_FAILED, "the study was being removed; send again")
        except NodeError as error:
            _log.warning("instance refused: %s", error, extra=_peer(association))
            return status_of(error), _comment(error.message)
        except OSError as error:  # the file just written cannot be opened, for example too many are open
            _log.error("instance refused: %s", error.strerror, extra=_peer(association))
            return StoreStatus.OUT_OF_RESOURCES, "the store cannot be read; send again later"
        with self._count_lock:
            self._stored_count += 1
        return StoreStatus.SUCCESS, ""

    def _on_event_report(self, event: evt.Event) -> tuple[int, None]:
        """Keep what a peer says of the results that it was asked to commit."""
        try:
            is_known = self._store.commitments.record(commitment_answer(event.event_information))
        except (NodeError, OSError) as error:
            _log.warning("storage commitment report refused: %s", error, extra=_peer(event.assoc))
            return _PROCESSING_FAILURE, None
        _log.info("storage commitment reported%s", "" if is_known else ", which nobody asked for", extra=_peer(event.assoc))
        return int(StoreStatus.SUCCESS) if is_known else _PROCESSING_FAILURE, None


def _application_entity(config: ReceptionConfig, most_connections: int) -> AE:
    entity = AE(ae_title=config.ae_title)
    entity.require_called_aet = config.require_called_ae_title
    entity.require_calling_aet = list(config.allowed_calling_ae_titles)
    # We count ourselves: pynetdicom counts every connection, also of those who are not admitted.
    entity.maximum_associations = most_connections
    entity.maximum_pdu_size = config.maximum_pdu_bytes
    entity.acse_timeout = config.association_timeout_s
    entity.dimse_timeout = config.idle_timeout_s
    entity.network_timeout = config.idle_timeout_s
    return entity


@contextmanager
def _without_pdu_log() -> Iterator[None]:
    """Turn off pynetdicom's own logging of each PDU: it costs time and is of no use to an administrator."""
    before = _config.LOG_HANDLER_LEVEL
    _config.LOG_HANDLER_LEVEL = "none"
    try:
        yield
    finally:
        _config.LOG_HANDLER_LEVEL = before


def _cannot_listen(error: OSError, config: ReceptionConfig) -> ConfigError:
    where = f"{config.bind_address}:{config.port}"
    if error.errno == errno.EADDRINUSE:
        hint = "another program, or another receiver, listens there; stop it or choose another reception.port"
        return ConfigError(Reason.PORT_IN_USE, f"reception: cannot listen on {where}: {hint}")
    if error.errno == errno.EACCES:
        hint = "ports below 1024 need a privilege; choose another reception.port, for example 11112"
        return ConfigError(Reason.CONFIG_INVALID, f"reception: cannot listen on {where}: {hint}")
    return ConfigError(Reason.CONFIG_INVALID, f"reception: cannot listen on {where}: {error.strerror}; check bind_address")


def _comment(text: str) -> str:
    """Return a text as it may stand in an answer."""
    return text.encode("ascii", "replace").decode("ascii").replace("\\", "/")[:_ERROR_COMMENT_LENGTH]


def _end_without_request(event: evt.Event) -> None:
    """End an association whose peer hung up before it asked for anything, as load balancers do to see if we live.

    Without this pynetdicom keeps its two threads, and its place among ``maximum_associations``, for the whole
    ``association_timeout_s``: the empty item is what it takes for that time having passed.
    """
    if event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)  # pynetdicom itself does so


def _peer(association: Association) -> dict[str, str]:
    """Return who called, as fields of a log line."""
    primitive = association.requestor.primitive
    title = printable(str(primitive.calling_ae_title)) if primitive is not None else ""
    return {"calling_ae_title": title, "address": str(association.requestor.address)}


def _sender(association: Association) -> str:
    """Return who called, as the audit trail names it."""
    peer = _peer(association)
    return f"{peer['calling_ae_title']} at {peer['address']}"


def _on_accepted(event: evt.Event) -> None:
    _log.info("association accepted", extra=_peer(event.assoc))


def _on_rejected(event: evt.Event) -> None:
    _log.warning(
        "association rejected: check reception.ae_title and reception.allowed_calling_ae_titles", extra=_peer(event.assoc)
    )


def _on_aborted(event: evt.Event) -> None:
    _log.warning("association aborted", extra=_peer(event.assoc))


def _on_echo(event: evt.Event) -> int:
    _log.info("C-ECHO answered", extra=_peer(event.assoc))
    return int(StoreStatus.SUCCESS)
