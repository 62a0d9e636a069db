"""The few attributes at the head of an instance that say where it belongs, read without its pixels."""

import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from node.dicom_errors import UNREADABLE
from node.domain.errors import PermanentError, Reason
from node.domain.identity import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID, parse_uid
from node.store.scan import scanned

#: The SOP classes that hold the images we analyse; only these open a study. PS3.4 annex B.5.
MR_IMAGE_SOP_CLASSES: frozenset[SOPClassUID] = frozenset(
    SOPClassUID(str(uid)) for uid in (MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)
)

StopWhen = Callable[[BaseTag, str | None, int], bool]

_CHARACTER_SET = 0x0008_0005
_SOP_CLASS = 0x0008_0016
_SOP_INSTANCE = 0x0008_0018
_MODALITY = 0x0008_0060
_SERIES_DESCRIPTION = 0x0008_103E
_STUDY = 0x0020_000D
_SERIES = 0x0020_000E
_HEAD_TAGS = frozenset((_CHARACTER_SET, _SOP_CLASS, _SOP_INSTANCE, _MODALITY, _SERIES_DESCRIPTION, _STUDY, _SERIES))
_MEDIA_SOP_CLASS = 0x0002_0002
_TRANSFER_SYNTAX = 0x0002_0010
# Most heads end within this: they are looked at without pydicom.
_SCANNED_BYTES = 1 << 14
# No head is longer: bounds on what a hostile file makes us parse, or inflate to gigabytes.
_HEAD_BYTES = 4 << 20
_DEFLATED_BYTES = 1 << 18
_INFLATED_BYTES = 1 << 20
# Images deflate to a half, empty ones to a hundredth or less, a bomb to a thousandth.
_LEAST_BOMB_BYTES, _GREATEST_INFLATION = 1 << 26, 64


@dataclass(frozen=True, slots=True)
class InstanceHead:
    """Where an instance belongs; ``series_description`` is for matching only and must not be logged."""

    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    sop_class_uid: SOPClassUID
    modality: str
    series_description: str

    @property
    def is_mr_image(self) -> bool:
        """Whether the instance holds MR images, so that it can open a study."""
        return self.sop_class_uid in MR_IMAGE_SOP_CLASSES


def read_head(path: Path, beginning: bytes = b"") -> InstanceHead:
    """Return the head of a DICOM file; reads a few kilobytes and never the pixels.

    Parameters
    ----------
    beginning
        The first bytes of the file, by one who has just written it: mostly it need not be opened then.

    Raises
    ------
    PermanentError
        ``not_dicom``, ``file_truncated`` (it ends before its Series Instance UID) or ``uid_invalid``.
    """
    values = scanned(beginning, _HEAD_TAGS, _SERIES)
    if values is not None:
        return _head_of(values)
    with path.open("rb") as file:
        values = scanned(file.read(_SCANNED_BYTES), _HEAD_TAGS, _SERIES)
        if values is not None:
            return _head_of(values)
        file.seek(0)
        return parse_head(file, lambda tag, _vr, _length: tag > _SERIES or file.tell() > _HEAD_BYTES)


def parse_head(file: BinaryIO, stop_when: StopWhen) -> InstanceHead:
    """Return the head of an open DICOM file, reading until ``stop_when``; raise as :func:`read_head` does."""
    try:
        transfer_syntax = _text(_read_meta(file), _TRANSFER_SYNTAX)
        if not transfer_syntax:
            raise EOFError("no transfer syntax")
        return _head_of(_values(_read_dataset(file, UID(transfer_syntax), stop_when)))
    except InvalidDicomError as error:
        raise PermanentError(Reason.NOT_DICOM, "not a DICOM file: the prefix DICM is missing") from error
    except (EOFError, struct.error, zlib.error) as error:
        raise PermanentError(Reason.FILE_TRUNCATED, "the file ends inside its header; send it again") from error
    except UNREADABLE as error:
        raise PermanentError(Reason.NOT_DICOM, f"the header cannot be parsed ({type(error).__name__})") from error


def read_sop_class(path: Path) -> SOPClassUID:
    """Return the SOP class that the file meta information of a stored instance names."""
    with path.open("rb") as file:
        return SOPClassUID(_text(_read_meta(file), _MEDIA_SOP_CLASS))


def content_digest(path: Path) -> str:
    """Return SHA-256, hexadecimal, of the transfer syntax and the data set of a stored instance.

    The file meta information is ours, not the sender's, and does not count.
    """
    with path.open("rb") as file:
        transfer_syntax = _text(_read_meta(file), _TRANSFER_SYNTAX)
        digest = hashlib.file_digest(file, lambda: hashlib.sha256(transfer_syntax.encode("latin-1")))
    return digest.hexdigest()


def _read_meta(file: BinaryIO) -> Dataset:
    """Return the file meta information and leave the file at the data set."""
    read_preamble(file, force=False)
    return read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)


def _read_dataset(file: BinaryIO, transfer_syntax: UID, stop_when: StopWhen) -> Dataset:
    implicit, little = transfer_syntax.is_implicit_VR, transfer_syntax.is_little_endian
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        inflated = _inflated_start(file)
        # The positions that a caller's stop_when may look at are those of the file, so it is not asked here.
        return read_dataset(BytesIO(inflated), False, True, stop_when=lambda t, _v, _l: t > _SERIES, specific_tags=[*_HEAD_TAGS])
    return read_dataset(file, implicit, little, stop_when=stop_when, specific_tags=[*_HEAD_TAGS])


def _inflated_start(file: BinaryIO) -> bytes:
    """Return the first megabyte of a deflated data set, after a look at how much all of it would be: others inflate it whole.

    Raises
    ------
    PermanentError
        ``not_dicom`` for one that inflates out of all proportion.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    start = b""
    deflated, inflated = 0, 0
    waiting = b""
    while not stream.eof and (part := waiting or file.read(_DEFLATED_BYTES)):
        deflated += 0 if waiting else len(part)
        piece = stream.decompress(part, _INFLATED_BYTES)
        waiting = stream.unconsumed_tail
        start = start or piece
        inflated += len(piece)
        if inflated > _LEAST_BOMB_BYTES + _GREATEST_INFLATION * deflated:
            raise PermanentError(Reason.NOT_DICOM, f"{deflated} deflated bytes become more than {inflated}: not an image")
    return start


def _values(dataset: Dataset) -> dict[int, bytes]:
    return {tag: _raw(dataset, tag) for tag in _HEAD_TAGS if tag in dataset}


def _head_of(values: Mapping[int, bytes]) -> InstanceHead:
    """Return the head that the values of ``_HEAD_TAGS`` make."""
    missing = [tag for tag in (_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES) if tag not in values]
    if missing:
        raise PermanentError(
            Reason.FILE_TRUNCATED, f"the header lacks {', '.join(str(Tag(one)) for one in missing)}: damaged, or not an instance"
        )
    return InstanceHead(
        study_instance_uid=StudyInstanceUID(parse_uid(_plain(values[_STUDY]))),
        series_instance_uid=SeriesInstanceUID(parse_uid(_plain(values[_SERIES]))),
        sop_instance_uid=SOPInstanceUID(parse_uid(_plain(values[_SOP_INSTANCE]))),
        sop_class_uid=SOPClassUID(parse_uid(_plain(values[_SOP_CLASS]))),
        modality=_plain(values.get(_MODALITY, b"")),
        series_description=_description(values),
    )


def _raw(dataset: Dataset, tag: int) -> bytes:
    """Return the bytes of an element as they stand in the file: no conversion, so no warning about a bad value."""
    element = dataset.get_item(tag)
    value = None if element is None else element.value
    return value if isinstance(value, bytes) else b""


def _text(dataset: Dataset, tag: int) -> str:
    return _plain(_raw(dataset, tag))


def _plain(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


def _description(values: Mapping[int, bytes]) -> str:
    """Return SeriesDescription in its character set; one that is unknown is read as Latin-1."""
    value = values.get(_SERIES_DESCRIPTION, b"")
    terms = [term.strip() for term in _plain(values.get(_CHARACTER_SET, b"")).split("\\")]
    if not all(term in python_encoding for term in terms):
        return value.decode("latin-1").strip(" \0")
    return decode_bytes(value, convert_encodings(terms), set()).strip(" \0")
