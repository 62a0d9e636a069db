"""The child process of :mod:`node.loading.decoders`: reads paths from stdin, writes decoded arrays to stdout.

GDCM ends the whole process on some damaged streams (an uncaught C++ exception), so it only ever runs here. The file imports
nothing of the node and is started by path. An empty array answers for an instance that cannot be decoded.
"""

import io
import os
import resource
import struct
import sys
import warnings

import numpy as np
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array

_MEMORY_BYTES = 6 << 30


def main() -> None:
    """Answer every line of stdin, a path, with the length (8 bytes) and content of a .npy file."""
    warnings.simplefilter("ignore")
    # a header that lies about its size ends this process, not the machine
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    answers = os.fdopen(os.dup(1), "wb")
    # whatever the library prints must not get among the answers
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            array = pixel_array(dcmread(line.rstrip("\n")), decoding_plugin="gdcm", allow_excess_frames=False)
        except (RuntimeError, ValueError, AttributeError, NotImplementedError, TypeError, LookupError, ArithmeticError, EOFError,
                MemoryError, OSError, struct.error):  # fmt: skip
            array = np.empty(0, dtype=np.uint8)
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        answers.write(struct.pack("<Q", content.tell()) + content.getbuffer())
        answers.flush()


if __name__ == "__main__":
    main()
