"""One association with a peer, from request to release; the peer's refusals become our errors."""

import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from node.config import PeerConfig
from node.delivery.checkpoint import guard_reactor
from node.delivery.contexts import NATIVE, Encoding
from node.delivery.tls import DestinationContext, destination_context
from node.domain.errors import PermanentError, Reason, TransientError

_log = logging.getLogger(__name__)

_MAXIMUM_PDU_BYTES = 131072
_MESSAGE_IDS = 65535
_OUT_OF_RESOURCES = 0xA700  # and the codes A7xx, PS3.4 table B.2-1
# A-ASSOCIATE-RJ, PS3.8 table 9-21: result 1 is permanent; of source 1 (service user) these reasons name a title.
_REJECTED_PERMANENTLY = 1
_SERVICE_USER = 1
_AE_TITLE_REASONS = {3: "our AE title is not registered there", 7: "it does not answer to this AE title"}


@contextmanager
def open_association(
    destination: PeerConfig,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    handlers: Sequence[evt.EventHandlerType] = (),
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
) -> Iterator[Association]:
    """Return an established association; it is released at the end, or aborted after an error.

    ``handlers`` answer what the peer asks of us on it; ``roles`` say for which SOP classes it may ask.

    Raises
    ------
    TransientError
        ``peer_unreachable`` or ``peer_rejected``: an administrator of the peer can change it, so it is tried again.
    PermanentError
        ``sop_class_refused`` if the peer accepts none of the contexts, ``config_invalid`` if a file of TLS cannot be used.
    """
    _stream_files()
    rejections: list[tuple[int, int, int]] = []
    tls = destination_context(destination)
    with _named(destination):
        association = _application_entity(destination, calling_ae_title).associate(
            destination.host,
            destination.port,
            contexts=list(contexts),
            ae_title=destination.ae_title,
            max_pdu=_MAXIMUM_PDU_BYTES,
            ext_neg=list(roles) or None,
            tls_args=None if tls is None else (tls, destination.host),
            evt_handlers=[
                (evt.EVT_CONN_OPEN, guard_reactor),
                (evt.EVT_CONN_OPEN, _bound_connection),
                (evt.EVT_REJECTED, _keep_rejection, [rejections]),
                *handlers,
            ],
        )
    if not association.is_established:
        raise _not_established(destination, association, rejections, tls)
    try:
        yield association
    except BaseException:
        if association.is_established:
            association.abort()
        raise
    association.release()


def accepted_encodings(association: Association) -> tuple[Encoding, ...]:
    """Return the SOP classes and transfer syntaxes that the peer accepted."""
    return tuple((str(cx.abstract_syntax), str(cx.transfer_syntax[0])) for cx in association.accepted_contexts)


def store_file(association: Association, destination: PeerConfig, path: Path, encoding: Encoding, number: int) -> Dataset:
    """Return the C-STORE answer to a file, the ``number``-th of its association; it is empty if none came.

    The file is streamed as it is. Where the peer took its SOP class in the other native encoding only, it is
    converted, which changes no value.

    Raises
    ------
    TransientError
        ``peer_unreachable`` if the peer hung up before.
    PermanentError
        ``not_dicom`` if the file cannot be read.
    """
    try:
        source = path if encoding in accepted_encodings(association) else dcmread(path)
        return association.send_c_store(source, msg_id=1 + number % _MESSAGE_IDS)
    except RuntimeError as error:  # what pynetdicom raises when the association is gone
        raise lost_connection(destination) from error
    except (OSError, AttributeError, ValueError, InvalidDicomError) as error:
        raise PermanentError(Reason.NOT_DICOM, f"the file to send cannot be read ({type(error).__name__})") from error


def status_of(answer: Dataset, destination: PeerConfig) -> int:
    """Return the status of a C-STORE answer.

    Raises
    ------
    TransientError
        ``peer_unreachable`` if none came, ``peer_out_of_resources`` if the peer has no room.
    """
    if "Status" not in answer:
        raise lost_connection(destination)
    status = int(answer.Status)
    if status & 0xFF00 == _OUT_OF_RESOURCES:
        message = f"{destination.name} is out of resources (status 0x{status:04X}); free space there"
        raise TransientError(Reason.PEER_OUT_OF_RESOURCES, message)
    return status


def can_store(association: Association, encoding: Encoding) -> bool:
    """Return whether the peer accepted an encoding, or one to which it can be converted."""
    sop_class, transfer_syntax = encoding
    accepted = accepted_encodings(association)
    native = {str(uid) for uid in NATIVE}
    convertible = transfer_syntax in native and any((sop_class, other) in accepted for other in native)
    return encoding in accepted or convertible


def lost_connection(destination: PeerConfig) -> TransientError:
    """Return the error for a peer that hung up or did not answer in time."""
    return TransientError(
        Reason.PEER_UNREACHABLE,
        f"{_address(destination)} closed the association or did not answer within {destination.timeout_s:g} s",
    )


@contextmanager
def _named(destination: PeerConfig) -> Iterator[None]:
    """Say that a host name cannot be resolved: pynetdicom looks it up before it connects, and lets that error through."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        what = f"cannot open an association with {_address(destination)}: {why}; check host"
        raise TransientError(Reason.PEER_UNREACHABLE, what) from error


def _application_entity(destination: PeerConfig, calling_ae_title: str) -> AE:
    entity = AE(ae_title=destination.calling_ae_title or calling_ae_title)
    entity.connection_timeout = destination.timeout_s
    entity.acse_timeout = destination.timeout_s
    entity.dimse_timeout = destination.timeout_s
    entity.network_timeout = destination.timeout_s
    return entity


def _stream_files() -> None:
    """Make pynetdicom send files without loading them: the only place of this stage that changes its settings."""
    _config.STORE_SEND_CHUNKED_DATASET = True
    _config.LOG_HANDLER_LEVEL = "none"


def _bound_connection(event: evt.Event) -> None:
    """Bound the wait inside a PDU, which pynetdicom does not, and turn off Nagle's algorithm.

    A peer that stops in the middle of an answer would hold the delivery, and every later one to it, for ever. With delayed
    acknowledgement Nagle's algorithm costs 40 ms for each instance.
    """
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.settimeout(event.assoc.network_timeout)
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _keep_rejection(event: evt.Event, rejections: list[tuple[int, int, int]]) -> None:
    primitive = event.assoc.acceptor.primitive
    if primitive is not None:
        rejections.append((primitive.result or 0, primitive.result_source or 0, primitive.diagnostic or 0))


def _not_established(
    destination: PeerConfig,
    association: Association,
    rejections: list[tuple[int, int, int]],
    tls: DestinationContext | None,
) -> TransientError | PermanentError:
    peer = _address(destination)
    if association.rejected_contexts:
        return PermanentError(Reason.SOP_CLASS_REFUSED, f"{peer} accepts none of the SOP classes that we offer")
    if tls is not None and tls.problem:
        what = f"cannot open an association with {peer}: TLS failed: {tls.problem}; check the certificates and `tls`"
        return TransientError(Reason.PEER_UNREACHABLE, what)
    if not rejections:
        hint = "check host, port, the network and that the peer runs"
        return TransientError(Reason.PEER_UNREACHABLE, f"cannot open an association with {peer}; {hint}")
    result, source, diagnostic = rejections[0]
    kind = "permanently" if result == _REJECTED_PERMANENTLY else "for now"
    why = _AE_TITLE_REASONS.get(diagnostic) if source == _SERVICE_USER else None
    why = why or f"source {source}, reason {diagnostic}"
    called_as = association.requestor.ae_title
    return TransientError(Reason.PEER_REJECTED, f"{peer} rejected the association {kind}: {why}; we call as {called_as}")


def _address(destination: PeerConfig) -> str:
    return f"{destination.name} ({destination.ae_title} at {destination.host}:{destination.port})"
