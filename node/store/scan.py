"""The head of an ordinary instance, found without pydicom, which takes a millisecond for it: what reception can least spare.

Ordinary is little endian, elements in ascending order, each with its length. Anything else is left to pydicom, whose answer
is the same (tests/property/test_hostile_input.py).
"""

import struct
from collections.abc import Callable, Collection, Iterator

from pydicom.uid import AllTransferSyntaxes, DeflatedExplicitVRLittleEndian

#: Returns the tag of the element at a position, where its value begins, and its length.
_Read = Callable[[bytes, int], tuple[int, int, int]]

_START = 132  # preamble and prefix
_TRANSFER_SYNTAX = 0x0002_0010
_META_GROUP = b"\2\0"
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split(),
)
_EXPLICIT, _LONG, _IMPLICIT = struct.Struct("<HH2sH"), struct.Struct("<L"), struct.Struct("<HHL")


def scanned(content: bytes, wanted: Collection[int], last: int) -> dict[int, bytes] | None:
    """Return the values of wanted elements up to a last one, by tag; None where they are not found in the ordinary way.

    Parameters
    ----------
    content
        The beginning of a file.
    wanted, last
        Tags as group << 16 | element; only those behind the file meta information count.
    """
    found: dict[int, bytes] = {}
    try:
        for tag, value in _elements(content, last):
            if tag in wanted:
                found[tag] = value
    except (struct.error, KeyError, ValueError):  # the content ends, a VR is none, or the order is not that of the tags
        return None
    return found if last in found else None


def _elements(content: bytes, last: int) -> Iterator[tuple[int, bytes]]:
    """Yield tags and values up to a last tag; raise at the first thing that is not ordinary."""
    if content[128:_START] != b"DICM":
        raise ValueError("no prefix")
    read: _Read = _explicit
    position, before, transfer_syntax = _START, 0, b""
    while before < last:
        is_meta = content[position : position + 2] == _META_GROUP
        if before >> 16 == 0x0002 and not is_meta:
            read = _READERS[transfer_syntax]
        tag, begin, length = read(content, position)
        position = begin + length
        if tag <= before or position > len(content):
            raise ValueError("not in order")
        before = tag
        if tag == _TRANSFER_SYNTAX:
            transfer_syntax = content[begin:position].strip(b" \0")
        yield tag, content[begin:position]


def _explicit(content: bytes, position: int) -> tuple[int, int, int]:
    group, element, vr, length = _EXPLICIT.unpack_from(content, position)
    if vr in _SHORT_VRS:
        return group << 16 | element, position + 8, length
    if vr in _LONG_VRS:
        return group << 16 | element, position + 12, _LONG.unpack_from(content, position + 8)[0]
    raise KeyError(vr)


def _implicit(content: bytes, position: int) -> tuple[int, int, int]:
    group, element, length = _IMPLICIT.unpack_from(content, position)
    return group << 16 | element, position + 8, length


# What is big endian, deflated or unknown has no reader.
_READERS: dict[bytes, _Read] = {
    uid.encode("ascii"): _implicit if uid.is_implicit_VR else _explicit
    for uid in AllTransferSyntaxes
    if uid.is_little_endian and uid != DeflatedExplicitVRLittleEndian
}
