"""One stored instance as a parsed data set and its decoded stored values."""

import warnings

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag
from pydicom.uid import UID, RLELossless

from node.dicom_errors import UNREADABLE
from node.domain.errors import PermanentError, Reason
from node.domain.identity import InstanceRef
from node.loading.codestream import stated_size
from node.loading.decoders import DecodingError, PixelDecoder

StoredValues = npt.NDArray[np.float32]
"""Stored values before rescale, high is bright; float32 (exact up to 24 bits) [frame, row, column]."""

_PIXEL_DATA = 0x7FE00010
#: Most pixels of one series (1 GiB as float32); more is refused before anything is decoded.
MAXIMUM_PIXELS = 2**28
# As many at 32 bits; and what offset tables, fragments and headers of streams may add to compressed pixels.
_LARGEST_FILE_BYTES = 4 * MAXIMUM_PIXELS
_OVERHEAD_BYTES = 1 << 16


def open_instance(instance: InstanceRef) -> FileDataset:
    """Return the data set of an instance, pixel data still encoded.

    Raises
    ------
    PermanentError
        ``not_dicom``, ``no_pixels``, ``file_truncated``, or ``pixels_undecodable`` if it is too large.
    """
    try:
        if instance.path.stat().st_size > _LARGEST_FILE_BYTES:
            raise _fault(Reason.PIXELS_UNDECODABLE, instance, f"is larger than {_LARGEST_FILE_BYTES} bytes and is not read")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data_set = dcmread(instance.path)
            absent = "PixelData" not in data_set
            started = absent and _reaches_pixels(instance)
    except (OSError, *UNREADABLE) as error:
        raise unreadable(instance, error) from error
    if absent:
        reason = Reason.FILE_TRUNCATED if started else Reason.NO_PIXELS
        raise _fault(reason, instance, "ends inside its pixel data" if started else "has no pixel data")
    return data_set


def unreadable(instance: InstanceRef, error: Exception) -> PermanentError:
    """Return ``not_dicom`` for an instance that cannot be parsed."""
    return _fault(Reason.NOT_DICOM, instance, f"cannot be read as DICOM ({type(error).__name__})")


def pixel_count(data_set: FileDataset, instance: InstanceRef) -> int:
    """Return rows x columns x frames as the header states them.

    Raises
    ------
    PermanentError
        ``no_pixels`` if the header states no size, ``pixels_undecodable`` for colour.
    """
    try:
        rows, columns = int(data_set.Rows), int(data_set.Columns)
        frames = int(data_set.get("NumberOfFrames") or 1)
        samples = int(data_set.get("SamplesPerPixel") or 1)
    except (AttributeError, TypeError, ValueError) as error:
        raise _fault(Reason.NO_PIXELS, instance, "states no Rows, Columns or NumberOfFrames") from error
    if min(rows, columns, frames) < 1:
        raise _fault(Reason.NO_PIXELS, instance, f"has no pixels: {frames} x {rows} x {columns}")
    if samples != 1:
        raise _fault(Reason.PIXELS_UNDECODABLE, instance, "is a colour image; only monochrome MR is read")
    return rows * columns * frames


def decode(data_set: FileDataset, instance: InstanceRef, decoder: PixelDecoder) -> StoredValues:
    """Return the stored values of every frame, float32 [frame, row, column]; MONOCHROME1 is turned so that high is bright.

    Raises
    ------
    PermanentError
        ``file_truncated`` or ``pixels_undecodable``, naming the SOP Instance UID.
    """
    count = pixel_count(data_set, instance)
    syntax = UID(str(data_set.file_meta.get("TransferSyntaxUID", "")))
    native = not syntax.is_transfer_syntax or not syntax.is_encapsulated
    try:
        expected = count * int(data_set.get("BitsAllocated") or 16) // 8
        stored = len(data_set.PixelData)
        if native and stored < expected:
            raise _fault(Reason.FILE_TRUNCATED, instance, f"has {stored} bytes of pixel data instead of {expected}")
        if not native:
            _require_proportion(data_set, instance, syntax, expected)
        values = decoder.decode(data_set, instance.path, syntax)
        if values.size != count:
            raise _fault(Reason.PIXELS_UNDECODABLE, instance, f"decodes to {values.size} pixels instead of {count}")
        frames = values.reshape(-1, int(data_set.Rows), int(data_set.Columns))
        return _bright_high(_stored_bits(frames, data_set, native), data_set)
    except (DecodingError, ValueError, TypeError, OverflowError) as error:
        how = f"cannot be decoded from {syntax.name or 'an unknown transfer syntax'} ({_kind(error)})"
        raise _fault(Reason.PIXELS_UNDECODABLE, instance, how) from error


def _require_proportion(data_set: FileDataset, instance: InstanceRef, syntax: UID, expected: int) -> None:
    """Refuse what would decode to something else, perhaps to gigabytes, before it is decoded."""
    stored = len(data_set.PixelData)
    if stored > 2 * expected + _OVERHEAD_BYTES:
        raise _fault(Reason.PIXELS_UNDECODABLE, instance, f"has {stored} bytes of compressed data for {expected} bytes of pixels")
    if syntax == RLELossless:
        return
    size = int(data_set.Rows), int(data_set.Columns)
    for frame in generate_frames(data_set.PixelData, number_of_frames=int(data_set.get("NumberOfFrames") or 1)):
        stated = stated_size(frame)
        if stated is not None and stated != size:
            what = f"holds an image of {stated[0]} x {stated[1]} pixels and says {size[0]} x {size[1]}"
            raise _fault(Reason.PIXELS_UNDECODABLE, instance, what)


def _stored_bits(values: npt.NDArray[np.integer], data_set: FileDataset, native: bool) -> StoredValues:
    """Return the values without what old systems keep in the bits above BitsStored, such as overlays."""
    width = values.dtype.itemsize * 8
    stored = int(data_set.get("BitsStored") or width)
    highest = int(data_set.get("HighBit", stored - 1)) if native else stored - 1
    up, down = max(width - 1 - highest, 0), max(width - stored, 0)
    # a right shift of signed integers repeats the sign
    return ((values << up) >> down).astype(np.float32)


def _bright_high(values: StoredValues, data_set: FileDataset) -> StoredValues:
    if data_set.get("PhotometricInterpretation") != "MONOCHROME1":
        return values
    bits = int(data_set.get("BitsStored") or 16)
    signed = int(data_set.get("PixelRepresentation") or 0) == 1
    return (-1 if signed else 2**bits - 1) - values


def _reaches_pixels(instance: InstanceRef) -> bool:
    reached = False

    def at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        nonlocal reached
        reached = reached or int(tag) == _PIXEL_DATA
        return reached

    with instance.path.open("rb") as file:
        read_partial(file, stop_when=at_pixels)
    return reached


def _kind(error: Exception) -> str:
    return str(error) if isinstance(error, DecodingError) else type(error).__name__


def _fault(reason: Reason, instance: InstanceRef, what: str) -> PermanentError:
    return PermanentError(reason, f"instance {instance.sop_instance_uid} {what}; send it again from its source")
