"""What pydicom raises on what is no DICOM, or damaged."""

import struct
import zlib

from pydicom.errors import BytesLengthException, InvalidDicomError

#: On a damaged file or data set, when it is read and when an element is first looked at. A disk that refuses is none of it.
UNREADABLE = (
    InvalidDicomError, BytesLengthException, EOFError, ValueError, TypeError, AttributeError, LookupError, NotImplementedError,
    RuntimeError, ArithmeticError, MemoryError, StopIteration, struct.error, zlib.error,
)  # fmt: skip
