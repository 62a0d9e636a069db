"""STOW-RS (PS3.18 section 10.5): one instance in one request, streamed as it is; the answer becomes a C-STORE status."""

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydicom.dataset import Dataset

from node.delivery.web import WebAnswer, WebPeer
from node.dicom_errors import UNREADABLE
from node.domain.errors import PermanentError, Reason, TransientError

_CHUNK_BYTES = 1 << 20
_UNSUPPORTED_MEDIA_TYPE = 415
_SUCCESS, SOP_CLASS_NOT_SUPPORTED = 0x0000, 0x0122
_OUT_OF_RESOURCES = 0xA700


def stow_file(peer: WebPeer, path: Path, sop_instance_uid: str) -> int:
    """Store a DICOM file and return the status that the peer gives it, as that of a C-STORE: success, warning or failure.

    Raises
    ------
    TransientError
        ``peer_unreachable``, ``peer_rejected`` or ``peer_out_of_resources``.
    PermanentError
        ``not_dicom`` if the file cannot be read, ``store_failed`` if the answer does not say that the instance is stored.
    """
    boundary = uuid.uuid4().hex
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    try:
        length = path.stat().st_size
    except OSError as error:
        raise PermanentError(Reason.NOT_DICOM, f"the file to send cannot be read ({type(error).__name__})") from error
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Content-Length": str(len(head) + length + len(tail)),
    }
    return status_in(peer.post("/studies", headers, _parts(head, path, tail)), sop_instance_uid, peer.address)


def _parts(head: bytes, path: Path, tail: bytes) -> Iterator[bytes]:
    yield head
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
    yield tail


def status_in(answer: WebAnswer, sop_instance_uid: str, peer: str) -> int:
    """Return what an answer says of an instance: only what it lists as stored is stored (PS3.18 table 10.5.3-1)."""
    if answer.status == _UNSUPPORTED_MEDIA_TYPE:
        return SOP_CLASS_NOT_SUPPORTED
    listed = _listed(answer.body)
    if listed is None:
        what = f"{peer} answered HTTP {answer.status} without a readable list of what it stored"
        raise PermanentError(Reason.STORE_FAILED, what)
    stored, failed = listed
    if sop_instance_uid in stored:
        return stored[sop_instance_uid]
    if sop_instance_uid not in failed:
        raise PermanentError(Reason.STORE_FAILED, f"{peer} answered HTTP {answer.status} and does not say that it stored it")
    status = failed[sop_instance_uid]
    if status & 0xFF00 == _OUT_OF_RESOURCES:
        what = f"{peer} is out of resources (reason 0x{status:04X}); free space there"
        raise TransientError(Reason.PEER_OUT_OF_RESOURCES, what)
    return status


def _listed(body: bytes) -> tuple[Mapping[str, int], Mapping[str, int]] | None:
    """Return the instances that were stored with their warnings, and those that were not with their reasons."""
    try:
        document = json.loads(body)
        document = document[0] if isinstance(document, list) else document
        read = Dataset.from_json(document)
        stored = {
            str(item.ReferencedSOPInstanceUID): int(item.get("WarningReason") or _SUCCESS)
            for item in read.get("ReferencedSOPSequence") or ()
        }
        # a failure without a reason is one all the same
        failed = {
            str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0x0110)
            for item in read.get("FailedSOPSequence") or ()
            if "ReferencedSOPInstanceUID" in item
        }
    except UNREADABLE:
        return None
    return stored, failed
