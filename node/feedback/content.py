"""What decides about one object: whom it names, what it measures, how it is titled; read without its texts."""

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info

from node.dicom_errors import UNREADABLE
from node.domain.errors import PermanentError, Reason

_TRACKING_UNIQUE_IDENTIFIER = "112040"  # DCM, PS3.16 TID 1501
# An SR of thousands of groups has a megabyte, a SEG of hundreds of slices some tens. The reception refuses what inflates out of
# all proportion, so that these bound the memory and the time of a worker too.
_LARGEST_BYTES, _LARGEST_SEG_BYTES = 8 << 20, 64 << 20

#: A measured value: Tracking Unique Identifier of its group, code of its name.
NumberKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """What an object says as far as it can concern a result of ours.

    Parameters
    ----------
    named
        SOP Instance UIDs that it refers to anywhere.
    tracked
        Tracking Unique Identifiers that it carries, in content items or (0062,0021).
    title
        Code value and scheme of the document title.
    assessments
        Meaning of each coded value whose concept is an assessment, in lower case; only to be matched.
    summary
        AssessmentSummary (0082,0001) of a content assessment.
    """

    sop_instance_uid: str
    modality: str
    named: frozenset[str] = frozenset()
    tracked: frozenset[str] = frozenset()
    numbers: Mapping[NumberKey, float] = field(default_factory=dict)
    title: tuple[str, str] = ("", "")
    is_verified: bool = False
    assessments: tuple[str, ...] = ()
    summary: str = ""
    pixel_digest: str = ""


def read_content(path: Path) -> Content:
    """Return what an object says.

    Raises
    ------
    PermanentError
        ``not_dicom`` if it is damaged or larger than any result.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values, which may be a patient's
            most = _most_bytes(read_file_meta_info(path))
            if path.stat().st_size > most:
                raise PermanentError(Reason.NOT_DICOM, f"larger than {most >> 20} MiB: not a result")
            return _content(dcmread(path))
    except (OSError, *UNREADABLE) as error:
        raise PermanentError(Reason.NOT_DICOM, f"cannot be read ({type(error).__name__})") from error


def _most_bytes(meta: Dataset) -> int:
    is_native_seg = "66" in str(meta.MediaStorageSOPClassUID).split(".") and not meta.TransferSyntaxUID.is_deflated
    return _LARGEST_SEG_BYTES if is_native_seg else _LARGEST_BYTES


def _content(document: Dataset) -> Content:
    elements = list(document.iterall())
    modality = str(document.get("Modality") or "")
    return Content(
        sop_instance_uid=str(document.SOPInstanceUID),
        modality=modality,
        named=frozenset(str(one.value) for one in elements if one.keyword == "ReferencedSOPInstanceUID"),
        tracked=frozenset(str(one.value) for one in elements if one.keyword == "TrackingUID") | frozenset(_tracked(document)),
        numbers=dict(_numbers(document, "")),
        title=_code(document.get("ConceptNameCodeSequence")),
        is_verified=document.get("VerificationFlag") == "VERIFIED",
        assessments=tuple(_assessments(document)),
        summary=str(document.get("AssessmentSummary") or "").upper(),
        pixel_digest=_pixel_digest(document) if modality == "SEG" else "",
    )


def _pixel_digest(document: Dataset) -> str:
    """Return the SHA-256 of the masks of a SEG; raise EOFError if a part of them is missing."""
    is_native = not document.file_meta.TransferSyntaxUID.is_compressed
    pixels = document.Rows * document.Columns * int(document.NumberOfFrames)
    if is_native and len(document.PixelData) * 8 < pixels * document.BitsAllocated:
        raise EOFError("the masks are cut off")
    return hashlib.sha256(document.PixelData).hexdigest()


def _items(dataset: Dataset, keyword: str = "ContentSequence") -> Iterable[Dataset]:
    return dataset.get(keyword) or ()


def _code(sequence: Iterable[Dataset] | None) -> tuple[str, str]:
    item = next(iter(sequence or ()), None)
    return ("", "") if item is None else (str(item.get("CodeValue") or ""), str(item.get("CodingSchemeDesignator") or ""))


def _tracking_uid(group: Dataset) -> str:
    """Return the Tracking Unique Identifier of a measurement group, empty where it has none."""
    found = (one for one in _items(group) if one.get("ValueType") == "UIDREF")
    return next(
        (str(one.UID) for one in found if _code(one.get("ConceptNameCodeSequence"))[0] == _TRACKING_UNIQUE_IDENTIFIER), ""
    )


def _tracked(dataset: Dataset) -> Iterator[str]:
    if (uid := _tracking_uid(dataset)) != "":
        yield uid
    for item in _items(dataset):
        yield from _tracked(item)


def _numbers(dataset: Dataset, tracking_uid: str) -> Iterator[tuple[NumberKey, float]]:
    tracking_uid = _tracking_uid(dataset) or tracking_uid
    for item in _items(dataset):
        if item.get("ValueType") == "NUM" and tracking_uid:
            for measured in _items(item, "MeasuredValueSequence"):
                yield (tracking_uid, _code(item.get("ConceptNameCodeSequence"))[0]), float(measured.NumericValue)
        yield from _numbers(item, tracking_uid)


def _assessments(dataset: Dataset) -> Iterator[str]:
    for item in _items(dataset):
        if item.get("ValueType") == "CODE" and "assess" in _meaning(item.get("ConceptNameCodeSequence")):
            yield _meaning(item.get("ConceptCodeSequence"))
        yield from _assessments(item)


def _meaning(sequence: Iterable[Dataset] | None) -> str:
    item = next(iter(sequence or ()), None)
    return "" if item is None else str(item.get("CodeMeaning") or "").lower()
