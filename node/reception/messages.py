"""C-STORE as bytes: items of a P-DATA-TF, the request, the answer, the head of the file. Decoded by hand for speed.

Sources: PS3.8 section 9.3.5 (items), PS3.7 section 6.3.1 (command sets are implicit VR little endian) and annex E (their
elements), PS3.10 section 7.1 (file meta information).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

IS_COMMAND, IS_LAST = 1, 2  # message control header, PS3.8 annex E.2
_STORE_REQUEST, _STORE_ANSWER = 0x0001, 0x8001
_NO_DATA_SET = 0x0101
_SOP_CLASS, _FIELD, _MESSAGE, _ANSWERED, _DATA_SET_TYPE = 0x0002, 0x0100, 0x0110, 0x0120, 0x0800
_STATUS, _COMMENT, _SOP_INSTANCE = 0x0900, 0x0902, 0x1000
_PREAMBLE = bytes(128) + b"DICM"
#: An item begins with its length, its context and its control header.
_ITEM = struct.Struct(">LBB")
_ELEMENT = struct.Struct("<HHL")
_LONG_META, _META = struct.Struct("<HH2sHL"), struct.Struct("<HH2sH")


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE request whose data set is to come; the UIDs are what the peer wrote and may be anything."""

    context_id: int
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Item:
    """A presentation data value: a fragment of a command set or of a data set."""

    context_id: int
    control: int
    content: memoryview


def items(body: memoryview) -> Iterator[Item]:
    """Yield the items of a P-DATA-TF PDU.

    Raises
    ------
    ValueError
        If their lengths do not add up to that of the PDU.
    """
    position = 0
    while position < len(body):
        if position + _ITEM.size > len(body):
            raise ValueError("an item is cut off")
        length, context_id, control = _ITEM.unpack_from(body, position)
        end = position + 4 + length
        if length < 2 or end > len(body):
            raise ValueError("an item is longer than its PDU")
        yield Item(context_id, control, body[position + _ITEM.size : end])
        position = end


def store_request(context_id: int, command_set: bytes) -> StoreRequest | None:
    """Return the C-STORE request that a command set makes; None if it is damaged, or another one, or without a data set."""
    elements = _elements(command_set)
    try:
        field, message_id, data_set = (_number(elements[one]) for one in (_FIELD, _MESSAGE, _DATA_SET_TYPE))
        sop_class_uid, sop_instance_uid = _text(elements[_SOP_CLASS]), _text(elements[_SOP_INSTANCE])
    except (KeyError, struct.error):
        return None
    if field != _STORE_REQUEST or data_set == _NO_DATA_SET:
        return None
    return StoreRequest(context_id, message_id, sop_class_uid, sop_instance_uid)


def store_answer(request: StoreRequest, status: int, comment: str, longest: int) -> bytes:
    """Return the PDUs that answer a request, none longer than the peer takes; ``longest`` 0 is without a limit."""
    elements = (
        (_SOP_CLASS, _padded(request.sop_class_uid, b"\0")),
        (_FIELD, struct.pack("<H", _STORE_ANSWER)),
        (_ANSWERED, struct.pack("<H", request.message_id)),
        (_DATA_SET_TYPE, struct.pack("<H", _NO_DATA_SET)),
        (_STATUS, struct.pack("<H", status)),
        *(((_COMMENT, _padded(comment, b" ")),) if comment else ()),
        (_SOP_INSTANCE, _padded(request.sop_instance_uid, b"\0")),
    )
    content = b"".join(_ELEMENT.pack(0, element, len(value)) + value for element, value in elements)
    command_set = _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(content)) + content
    step = max(longest - _ITEM.size, 2) if longest else len(command_set)
    parts = [command_set[begin : begin + step] for begin in range(0, len(command_set), step)]
    return b"".join(_pdu(request.context_id, part, part is parts[-1]) for part in parts)


def file_head(request: StoreRequest, transfer_syntax: str, implementation: tuple[str, str]) -> bytes:
    """Return preamble, prefix and file meta information of a file that holds the data set of a request."""
    values = (
        (0x0002, b"UI", _padded(request.sop_class_uid, b"\0")),
        (0x0003, b"UI", _padded(request.sop_instance_uid, b"\0")),
        (0x0010, b"UI", _padded(transfer_syntax, b"\0")),
        (0x0012, b"UI", _padded(implementation[0], b"\0")),
        (0x0013, b"SH", _padded(implementation[1], b" ")),
    )
    version = _LONG_META.pack(2, 1, b"OB", 0, 2) + b"\0\1"
    meta = version + b"".join(_META.pack(2, element, vr, len(value)) + value for element, vr, value in values)
    return _PREAMBLE + _META.pack(2, 0, b"UL", 4) + struct.pack("<L", len(meta)) + meta


def _elements(command_set: bytes) -> dict[int, bytes]:
    """Return the values of a command set by their element number; what is damaged is left out, with all behind it."""
    found = {}
    position = 0
    while position + _ELEMENT.size <= len(command_set):
        group, element, length = _ELEMENT.unpack_from(command_set, position)
        position += _ELEMENT.size
        if group or position + length > len(command_set):
            break
        found[element] = command_set[position : position + length]
        position += length
    return found


def _number(value: bytes) -> int:
    return int(struct.unpack("<H", value)[0])


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


def _padded(text: str, filler: bytes) -> bytes:
    value = text.encode("latin-1")
    return value + filler * (len(value) % 2)


def _pdu(context_id: int, content: bytes, is_last: bool) -> bytes:
    control = IS_COMMAND | (IS_LAST if is_last else 0)
    return struct.pack(">BBL", 4, 0, len(content) + _ITEM.size) + _ITEM.pack(len(content) + 2, context_id, control) + content
