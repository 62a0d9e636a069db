"""What a compressed image says of its own size: the decoders believe it, whatever the header of the instance says.

Sources: ITU-T T.81 section B.2.2 (JPEG, and T.87 for JPEG-LS), T.800 section A.5.1 (JPEG 2000).
"""

import struct

Size = tuple[int, int]
"""Rows and columns."""

_JPEG_START, _J2K_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
# Start of frame: the SOFn but DHT, JPG and DAC, and that of JPEG-LS.
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7})
# A JPEG 2000 image may be wrapped in the boxes of a file; they are short.
_BOX_BYTES = 4096


def stated_size(encoded: bytes) -> Size | None:
    """Return the size that a JPEG, JPEG-LS or JPEG 2000 stream states; None if it states none that can be read."""
    try:
        if encoded.startswith(_JPEG_START):
            return _jpeg_size(encoded)
        start = encoded.find(_J2K_START, 0, _BOX_BYTES)
        if start < 0:
            return None
        right, bottom, left, top = struct.unpack_from(">4L", encoded, start + 8)
    except struct.error:
        return None
    return bottom - top, right - left


def _jpeg_size(encoded: bytes) -> Size | None:
    at = len(_JPEG_START)
    while True:
        prefix, marker, length = struct.unpack_from(">BBH", encoded, at)
        if prefix != 0xFF:
            return None
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _FRAME_MARKERS:
            rows, columns = struct.unpack_from(">2H", encoded, at + 5)
            return int(rows), int(columns)
        else:
            at += 2 + length
