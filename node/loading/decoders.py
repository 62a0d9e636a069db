"""Which library decodes which transfer syntax, so that no damaged file can end the process.

pydicom tries every installed plugin in turn. That is not safe here: measured on damaged streams, pylibjpeg-rle raises a panic
that is no ``Exception``, and GDCM aborts the process. So each transfer syntax has one decoder that fails as it should, and
what only GDCM can decode is decoded in a child process.
"""

import io
import struct
import subprocess
import sys
import warnings
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from node.dicom_errors import UNREADABLE

Decoded = npt.NDArray[np.integer]

_PLUGINS = {
    RLELossless: "pydicom",
    JPEGBaseline8Bit: "pillow",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
}
_IN_CHILD = frozenset({JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1})
_CHILD = Path(__file__).with_name("gdcm_child.py")


class DecodingError(Exception):
    """Pixel data cannot be decoded; the text names the kind of failure and holds nothing of the file."""


class PixelDecoder:
    """Decodes instances one after another; a context manager that ends the child process, if one was needed."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PixelDecoder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end_child()

    def decode(self, data_set: FileDataset, path: Path, transfer_syntax_uid: UID) -> Decoded:
        """Return the stored values as the decoder gives them, [row, column] or [frame, row, column].

        Raises
        ------
        DecodingError
            If they cannot be decoded.
        """
        if transfer_syntax_uid in _IN_CHILD:
            return self._decode_in_child(path)
        plugin = _PLUGINS.get(transfer_syntax_uid, "")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return np.asarray(pixel_array(data_set, decoding_plugin=plugin, allow_excess_frames=False))
        except (OSError, *UNREADABLE) as error:
            raise DecodingError(type(error).__name__) from error

    def _decode_in_child(self, path: Path) -> Decoded:
        if self._child is None:
            command = [sys.executable, "-P", str(_CHILD)]
            self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding=None
            )
        child = self._child
        if child.stdin is None or child.stdout is None:
            raise DecodingError("no pipe to the decoder")
        try:
            child.stdin.write(f"{path.absolute()}\n".encode())
            child.stdin.flush()
            (length,) = struct.unpack("<Q", child.stdout.read(8))
            array = np.load(io.BytesIO(child.stdout.read(length)), allow_pickle=False)
        except (OSError, ValueError, EOFError, struct.error) as error:
            self._end_child()
            raise DecodingError("the decoder's process ended") from error
        if not array.size:
            raise DecodingError("GDCM cannot decode it")
        return np.asarray(array)

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None
