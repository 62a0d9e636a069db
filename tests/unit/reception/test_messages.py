"""What is decoded and encoded by hand is what pynetdicom and pydicom read and write."""

import struct
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.pdu import P_DATA_TF

from node.reception.messages import IS_LAST, StoreRequest, file_head, items, store_answer, store_request

INSTANCE = str(generate_uid())


def request_items(longest: int = 16384):
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 7, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = MRImageStorage, INSTANCE
    primitive.DataSet = BytesIO(bytes(100))
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    for one in message.encode_msg(3, longest):
        pdu = P_DATA_TF()
        pdu.from_primitive(one)
        yield from items(memoryview(pdu.encode())[6:])


def test_a_request_is_what_pynetdicom_sends():
    command, data = request_items()
    assert store_request(command.context_id, bytes(command.content)) == StoreRequest(3, 7, str(MRImageStorage), INSTANCE)
    assert (bytes(data.content), data.context_id, data.control) == (bytes(100), 3, IS_LAST)


def test_another_message_and_a_damaged_one_are_no_request():
    echo = C_ECHO_RQ()
    primitive = C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = 1, "1.2.840.10008.1.1"
    echo.primitive_to_message(primitive)
    (pdv,) = next(iter(echo.encode_msg(1, 16384))).presentation_data_value_list
    assert store_request(1, pdv[1][1:]) is None
    content = bytes(next(request_items()).content)
    assert all(store_request(1, content[:length]) is None for length in range(len(content)))


@pytest.mark.parametrize("longest", [0, 16384, 64, 1])
@pytest.mark.parametrize(("status", "comment"), [(0, ""), (0xA700, "disk full; send again later")])
def test_pynetdicom_understands_the_answer(longest: int, status: int, comment: str):
    sent = store_answer(StoreRequest(5, 9, str(MRImageStorage), INSTANCE), status, comment, longest)
    message = DIMSEMessage()
    is_whole = False
    while sent:
        length = 6 + int.from_bytes(sent[2:6], "big")
        assert length - 6 <= max(longest, 8) or not longest
        pdu = P_DATA_TF()
        pdu.decode(sent[:length])
        is_whole = message.decode_msg(pdu.to_primitive())
        sent = sent[length:]
    assert is_whole
    answer = message.message_to_primitive()
    assert (answer.MessageIDBeingRespondedTo, answer.Status, answer.ErrorComment or "") == (9, status, comment)
    assert (answer.AffectedSOPInstanceUID, message.context_id) == (INSTANCE, 5)


def test_pydicom_reads_the_head_of_the_file():
    head = file_head(StoreRequest(1, 1, str(MRImageStorage), INSTANCE), str(ExplicitVRLittleEndian), ("1.2.3", "NODE"))
    meta = dcmread(BytesIO(head)).file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (MRImageStorage, INSTANCE)
    assert (meta.TransferSyntaxUID, meta.ImplementationVersionName) == (ExplicitVRLittleEndian, "NODE")
    assert meta.FileMetaInformationGroupLength == len(head) - 144


@pytest.mark.parametrize(
    "body", [b"\0\0\0", struct.pack(">LBB", 1, 1, 3), struct.pack(">LBB", 50, 1, 3), struct.pack(">LB", 2, 1)]
)
def test_items_that_do_not_fill_their_pdu_are_refused(body: bytes):
    with pytest.raises(ValueError, match="an item"):
        list(items(memoryview(body)))
