"""Whether a peer answers, and what it would take from us: C-ECHO, or a query for one study over DICOMweb."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

from node.config import DestinationConfig
from node.delivery.association import accepted_encodings, lost_connection, open_association
from node.delivery.contexts import NATIVE, RESULT_SOP_CLASSES, contexts_for
from node.delivery.web import open_web
from node.domain.errors import Reason, TransientError

_ANSWERED = (200, 204, 206)  # an archive without a study has no content


@dataclass(frozen=True, slots=True)
class EchoReport:
    """The answer to a C-ECHO, or to a query over DICOMweb.

    Parameters
    ----------
    ms
        Time of the C-ECHO alone, without negotiation, in milliseconds.
    accepted
        For each result SOP class, by name, the transfer syntaxes that the peer accepted; empty if it refused.
        None over DICOMweb, where only sending an object shows whether it is taken.
    certificate_ends_at_s
        When the certificate of the peer ends, in seconds since the epoch; None without TLS.
    """

    ms: float
    accepted: Mapping[str, tuple[str, ...]] | None
    offers_storage_commitment: bool = False
    certificate_ends_at_s: float | None = None


def echo(destination: DestinationConfig, calling_ae_title: str) -> EchoReport:
    """Send a C-ECHO, or a query over DICOMweb, and return how long it took and which of our result classes the peer accepts.

    Raises
    ------
    TransientError
        ``peer_unreachable`` or ``peer_rejected``.
    """
    if destination.dicomweb is not None:
        return _query_one(destination)
    encodings = [
        (str(sop_class), str(NATIVE[0])) for sop_class in (Verification, StorageCommitmentPushModel, *RESULT_SOP_CLASSES)
    ]
    with open_association(destination, calling_ae_title, contexts_for(encodings)) as association:
        accepted = accepted_encodings(association)
        started_s = perf_counter()
        answer = association.send_c_echo()
        ms = (perf_counter() - started_s) * 1e3
        ends_at_s = _certificate_ends_at_s(association)
        if "Status" not in answer:
            raise lost_connection(destination)
    by_class = {
        sop_class.name: tuple(UID(syntax).name for accepted_class, syntax in accepted if accepted_class == sop_class)
        for sop_class in RESULT_SOP_CLASSES
    }
    offers_commitment = any(sop_class == StorageCommitmentPushModel for sop_class, _ in accepted)
    return EchoReport(ms, by_class, offers_commitment, ends_at_s)


def _query_one(destination: DestinationConfig) -> EchoReport:
    """Ask for one study (QIDO-RS) and look at nothing but whether the answer came."""
    with open_web(destination) as peer:
        started_s = perf_counter()
        answer = peer.get("/studies", {"limit": "1"})
        ms = (perf_counter() - started_s) * 1e3
    if answer.status not in _ANSWERED:
        what = f"{peer.address} answered HTTP {answer.status} to a query for one study: check url in dicomweb"
        raise TransientError(Reason.PEER_REJECTED, what)
    return EchoReport(ms, None)


def _certificate_ends_at_s(association: Association) -> float | None:
    connection = association.dul.socket.socket if association.dul.socket is not None else None
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    return ssl.cert_time_to_seconds(str(certificate["notAfter"])) if certificate else None
