"""Storage Commitment as SCU: ask a peer to take over the responsibility for what it stored.

The peer answers with an N-EVENT-REPORT, on this association or on a new one to our SCP; both ways end in ``record``.
Source: PS3.4 annex J (push model).
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from node.delivery.receipt import Receipt
from node.domain.errors import PermanentError

_log = logging.getLogger(__name__)

# The well-known SOP Instance and the action of PS3.4 sections J.3.5 and J.3.2.
_PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
_REQUEST_COMMITMENT = 1
_SUCCESS, _PROCESSING_FAILURE = 0x0000, 0x0110
# Peers answer within a second or much later; the association is not held open for the latter.
_WAIT_S, _LOOK_AGAIN_S = 3.0, 0.05


@dataclass(frozen=True, slots=True)
class CommitmentDesk:
    """Where a request for commitment comes from and where its answer goes.

    Parameters
    ----------
    begin
        Notes what is to be committed before it is asked for, and returns the Transaction UID.
    record
        Keeps the data set of an N-EVENT-REPORT; False if nobody asked.
    is_answered
        Whether the answer to a transaction has come, by whatever way.
    """

    begin: Callable[[Receipt], str]
    record: Callable[[Dataset], bool]
    is_answered: Callable[[str], bool]

    def on_report(self, event: evt.Event) -> tuple[int, None]:
        """Answer an N-EVENT-REPORT that comes on the association of the request."""
        try:
            is_known = self.record(event.event_information)
        except PermanentError as error:
            _log.warning("storage commitment report refused: %s", error)
            is_known = False
        return (_SUCCESS if is_known else _PROCESSING_FAILURE), None


def commitment_context() -> PresentationContext:
    """Return the context to propose; a peer that accepts it offers storage commitment."""
    return build_context(StorageCommitmentPushModel, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])


def is_offered(association: Association) -> bool:
    """Return whether the peer offers storage commitment."""
    return any(context.abstract_syntax == StorageCommitmentPushModel for context in association.accepted_contexts)


def request_commitment(association: Association, receipt: Receipt, desk: CommitmentDesk) -> bool:
    """Ask for commitment of what was stored and wait a moment for the answer; return whether the peer took the request."""
    transaction_uid = desk.begin(receipt)
    request = _request(transaction_uid, receipt)
    answer, _ = association.send_n_action(request, _REQUEST_COMMITMENT, StorageCommitmentPushModel, _PUSH_MODEL_INSTANCE)
    if answer.get("Status") != _SUCCESS:
        _log.warning("storage commitment not taken up", extra={"status": str(answer.get("Status", "no answer"))})
        return False
    deadline = time.monotonic() + _WAIT_S
    while not desk.is_answered(transaction_uid) and association.is_established and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_S)  # the answer may reach another process: there is nothing to wait on but the file
    return True


def _request(transaction_uid: str, receipt: Receipt) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction_uid
    items: list[Dataset] = []
    for stored in receipt.stored:
        item, instance = Dataset(), stored.sent.instance
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = instance.sop_class_uid, instance.sop_instance_uid
        items.append(item)
    request.ReferencedSOPSequence = Items(items)
    return request
