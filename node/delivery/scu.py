"""Storage of our results at a peer, object by object: over one association, or by STOW-RS."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from pydicom.uid import UID
from pynetdicom import evt

from node.config import DestinationConfig
from node.delivery.association import open_association
from node.delivery.commitment import CommitmentDesk, commitment_context, is_offered, request_commitment
from node.delivery.contexts import Encoding, proposed_contexts, with_fallbacks
from node.delivery.line import DimseLine, Line, web_line
from node.delivery.receipt import Receipt, RefusedObject, StoredObject
from node.domain.errors import PermanentError, Reason, TransientError
from node.domain.report import ReportObject

_log = logging.getLogger(__name__)

# C-STORE statuses, PS3.4 table B.2-1 and PS3.7 annex C.
_DUPLICATE_SOP_INSTANCE = 0x0111
_SOP_CLASS_NOT_SUPPORTED = 0x0122


def deliver_objects(
    destination: DestinationConfig, calling_ae_title: str, objects: Sequence[ReportObject], desk: CommitmentDesk | None = None
) -> Receipt:
    """Store objects at a peer, over one association or by STOW-RS.

    Over an association it is asked to commit them if there is a ``desk`` and it offers that.
    Where the peer does not take the SOP class of an object, its fallbacks are sent instead. What it refuses is in the
    receipt; the others are sent all the same. An object that the peer already holds counts as stored.

    Raises
    ------
    TransientError
        ``peer_unreachable``, ``peer_rejected`` or ``peer_out_of_resources``. Some objects may have been stored; sending
        all of them again does no harm, because an object has the same UIDs and bytes each time.
    """
    if not objects:
        return Receipt((), ())
    try:
        receipt = (
            _over_web(destination, objects) if destination.dicomweb else _over_dicom(destination, calling_ae_title, objects, desk)
        )
    except PermanentError as error:
        receipt = _receipt([RefusedObject(item, error.reason, error.message) for item in objects])
    _log.info("delivered to %s: %d stored, %d refused", destination.name, len(receipt.stored), len(receipt.refused))
    return receipt


def _over_dicom(
    destination: DestinationConfig, calling_ae_title: str, objects: Sequence[ReportObject], desk: CommitmentDesk | None
) -> Receipt:
    contexts = [*proposed_contexts(objects), *([] if desk is None else [commitment_context()])]
    handlers = [] if desk is None else [(evt.EVT_N_EVENT_REPORT, desk.on_report)]
    with open_association(destination, calling_ae_title, contexts, handlers) as association:
        line = DimseLine(association, destination)
        receipt = _receipt([_deliver_one(line, destination, item) for item in objects])
        if desk is not None and receipt.stored and is_offered(association):
            receipt = replace(receipt, is_commitment_asked=request_commitment(association, receipt, desk))
    return receipt


def _over_web(destination: DestinationConfig, objects: Sequence[ReportObject]) -> Receipt:
    """Send each object; one that the peer cannot take now does not hold up the others."""
    outcomes: list[StoredObject | RefusedObject] = []
    later: list[TransientError] = []
    with web_line(destination) as line:
        for item in objects:
            try:
                outcomes.append(_deliver_one(line, destination, item))
            except TransientError as error:
                if error.reason is not Reason.PEER_OUT_OF_RESOURCES:
                    raise
                later.append(error)
    if later:
        raise later[0]
    return _receipt(outcomes)


def _receipt(outcomes: Sequence[StoredObject | RefusedObject]) -> Receipt:
    return Receipt(
        tuple(outcome for outcome in outcomes if isinstance(outcome, StoredObject)),
        tuple(outcome for outcome in outcomes if isinstance(outcome, RefusedObject)),
    )


def _deliver_one(line: Line, destination: DestinationConfig, requested: ReportObject) -> StoredObject | RefusedObject:
    """Send an object, or the first of its fallbacks that the peer takes."""
    refusal = RefusedObject(requested, Reason.SOP_CLASS_REFUSED, f"{destination.name} does not accept {_names(requested)}")
    for candidate in with_fallbacks(requested):
        if not line.takes(_encoding(candidate)):
            continue
        outcome = _send(line, destination, requested, candidate)
        if isinstance(outcome, StoredObject):
            return outcome
        refusal = outcome
        if refusal.reason is not Reason.SOP_CLASS_REFUSED:
            break
    _log.warning("object refused: %s", refusal.message)
    return refusal


def _send(
    line: Line, destination: DestinationConfig, requested: ReportObject, sent: ReportObject
) -> StoredObject | RefusedObject:
    """Send one object for the requested one and return what became of it."""
    try:
        status = line.store(sent.instance.path, sent.instance.sop_instance_uid, _encoding(sent))
    except PermanentError as error:
        return RefusedObject(requested, error.reason, error.message)
    if is_stored(status):
        return StoredObject(requested, sent, status)
    reason = Reason.SOP_CLASS_REFUSED if status == _SOP_CLASS_NOT_SUPPORTED else Reason.STORE_FAILED
    message = f"{destination.name} answered status 0x{status:04X} to {sent.kind} {sent.instance.sop_instance_uid}"
    return RefusedObject(requested, reason, message)


def _encoding(candidate: ReportObject) -> Encoding:
    return str(candidate.instance.sop_class_uid), candidate.transfer_syntax_uid


def is_stored(status: int) -> bool:
    """Return whether a status says that the peer holds the object: success, a warning, or that it was there before."""
    is_warning = status & 0xF000 == 0xB000 or status == 0x0001
    return status == 0x0000 or is_warning or status == _DUPLICATE_SOP_INSTANCE


def _names(requested: ReportObject) -> str:
    return ", nor ".join(UID(candidate.instance.sop_class_uid).name for candidate in with_fallbacks(requested))
