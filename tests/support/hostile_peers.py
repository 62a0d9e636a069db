"""What a peer says as bytes, so that it can be cut, spoiled and repeated: PDUs of PS3.8 section 9.3."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, build_context
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ, A_RELEASE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import A_ASSOCIATE, A_RELEASE, ImplementationClassUIDNotification, MaximumLengthNotification

from tests.support.dicom_peers import dataset_bytes

_MAXIMUM_PDU = 16384


def _associate() -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "SCANNER", "CSPINE"
    context = build_context(MRImageStorage, ExplicitVRLittleEndian)
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    primitive.user_information = _user_information()
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def _user_information() -> list[object]:
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received, implementation.implementation_class_uid = _MAXIMUM_PDU, "1.2.3.4"
    return [length, implementation]


def store_request(path: Path) -> bytes:
    """Return the PDUs of a C-STORE request for a file in Explicit VR Little Endian."""
    header = dcmread(path, stop_before_pixels=True)
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    request.DataSet = BytesIO(dataset_bytes(path))
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    pdus = []
    for primitive in message.encode_msg(1, _MAXIMUM_PDU):
        pdu = P_DATA_TF()
        pdu.from_primitive(primitive)
        pdus.append(bytes(pdu.encode()))
    return b"".join(pdus)


def _release() -> bytes:
    pdu = A_RELEASE_RQ()
    pdu.from_primitive(A_RELEASE())
    return bytes(pdu.encode())


#: A request for an association with one context: MR images in Explicit VR Little Endian.
ASSOCIATE = _associate()
RELEASE = _release()


@contextmanager
def stalling_peer(answers: Sequence[bytes]) -> Iterator[int]:
    """Yield the port of a peer that answers the n-th PDU of each association with some bytes, and then says nothing more."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):  # the listener is shut down at the end
            while True:
                connection, _ = listener.accept()
                held.append(connection)
                for answer in answers:
                    head = connection.recv(6, socket.MSG_WAITALL)
                    connection.recv(int.from_bytes(head[2:], "big"), socket.MSG_WAITALL)
                    connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for connection in (*held, listener):
            connection.close()


def accepting(context_ids: Sequence[int]) -> bytes:
    """Return an A-ASSOCIATE-AC that takes contexts in Explicit VR Little Endian."""
    contexts = []
    for context_id in context_ids:
        context = build_context(MRImageStorage, ExplicitVRLittleEndian)
        context.context_id, context.result = context_id, 0
        contexts.append(context)
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "CSPINE", "PEER"
    primitive.result, primitive.result_source = 0, 1
    primitive.presentation_context_definition_results_list = contexts
    primitive.user_information = _user_information()
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def echo(port: int, timeout_s: float = 5.0) -> bool:
    """Return whether the node at a port answers a C-ECHO."""
    entity = AE(ae_title="PACS")
    entity.acse_timeout = entity.connection_timeout = entity.dimse_timeout = timeout_s
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", port, ae_title="CSPINE")
    if not association.is_established:
        return False
    status = association.send_c_echo()
    association.release()
    return bool(status.get("Status") == 0)
