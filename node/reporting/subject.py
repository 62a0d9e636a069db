"""The patient and the study as the source names them, carried over byte for byte.

Results are filed by name and number, so these must survive in every character set: raw GBK under a wrong declaration, or ISO
2022 escapes, included. Hence nothing is decoded. The stored bytes and the stored Specific Character Set are inherited
together, and every word that we add is ASCII, which all DICOM character sets hold (PS3.3 section C.12.1.1.2).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.charset import default_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from node.dicom_errors import UNREADABLE
from node.domain.errors import PermanentError, Reason

_CHARACTER_SET = "SpecificCharacterSet"
#: Attributes of the Patient and General Study modules that must be present, empty where the source has none.
_REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
_OPTIONAL = (
    "IssuerOfPatientID",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyDescription",
    "TimezoneOffsetFromUTC",
)
#: What an attribute must look like to be carried over (PS3.5 section 6.2); scanners write worse, and readers choke on it.
_FORMS: dict[str, re.Pattern[bytes]] = {
    "PatientBirthDate": re.compile(rb"[12]\d{3}[01]\d[0-3]\d"),
    "StudyDate": re.compile(rb"[12]\d{3}[01]\d[0-3]\d"),
    "StudyTime": re.compile(rb"[0-2]\d([0-5]\d([0-6]\d(\.\d{1,6})?)?)?"),
    "PatientSex": re.compile(rb"[MFO]"),
    "PatientAge": re.compile(rb"\d{3}[DWMY]"),
    "PatientSize": re.compile(rb"\d{0,4}\.?\d{1,8}"),
    "PatientWeight": re.compile(rb"\d{0,4}\.?\d{1,8}"),
    "TimezoneOffsetFromUTC": re.compile(rb"[+-]\d{4}"),
}
#: Sequences that say who gave a number out, with what is kept of an item (PS3.3 sections C.2.2 and C.7.2.1).
_ISSUERS = {
    "IssuerOfPatientIDQualifiersSequence": ("UniversalEntityID", "UniversalEntityIDType"),
    "IssuerOfAccessionNumberSequence": ("LocalNamespaceEntityID", "UniversalEntityID", "UniversalEntityIDType"),
}
_CODE = ("CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning")
_CODE_REQUIRED = frozenset({"CodeValue", "CodingSchemeDesignator", "CodeMeaning"})
#: Only documents (SR, Key Object Selection) refer to the request that they answer (PS3.3 section C.17.2).
_DOCUMENTS = ("SR", "KO")
#: Attributes of a referenced request, all of type 2 but the first, with the sequence or level of the image that has them.
_REQUEST = ("AccessionNumber", "RequestedProcedureID", "RequestedProcedureDescription")
_ORDER = ("PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest")

Stored = tuple[tuple[str, "bytes | tuple[Stored, ...]"], ...]
"""Attributes by keyword: their stored bytes, or the items of a sequence."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The identifying attributes of one patient and study, as stored, and the requests that the images answer."""

    character_sets: tuple[str, ...]
    values: Stored
    requests: tuple[Stored, ...]

    def identify(self, result: Dataset) -> None:
        """Give a result the patient and the study of its source."""
        result.pop(_CHARACTER_SET, None)
        if self.character_sets:
            # an empty first value is legal (the default repertoire) and must stay in its place
            result.SpecificCharacterSet = list(self.character_sets) if len(self.character_sets) > 1 else self.character_sets[0]
        _fill(result, self.values)
        if self.requests and result.Modality in _DOCUMENTS:
            _fill(result, (("ReferencedRequestSequence", self.requests),))


def subject_of(headers: Iterable[Dataset]) -> Subject:
    """Return the patient and study that all headers name alike.

    Raises
    ------
    PermanentError
        ``patient_mixed`` if they name several.
    """
    headers = tuple(headers)
    identities = {(_stored(header, "PatientID"), _stored(header, "StudyInstanceUID")) for header in headers}
    if len(identities) != 1:
        what = "the images name more than one patient or study; send each study on its own"
        raise PermanentError(Reason.PATIENT_MIXED, what)
    first = headers[0]
    values: list[tuple[str, bytes | tuple[Stored, ...]]] = [(keyword, _even(_stored(first, keyword))) for keyword in _REQUIRED]
    values += _present(first, _OPTIONAL)
    issuers = {keyword: tuple(_present(item, parts) for item in _items(first, keyword)) for keyword, parts in _ISSUERS.items()}
    sequences = {**issuers, "ProcedureCodeSequence": _codes(first, "ProcedureCodeSequence")}
    values += [(keyword, kept) for keyword, items in sequences.items() if (kept := tuple(item for item in items if item))]
    return Subject(_character_sets(first), tuple(values), tuple(_requests(first)))


def _requests(header: Dataset) -> Iterator[Stored]:
    """Yield the requests that an image answers, as items of a Referenced Request Sequence; one without an ID is left out."""
    order = [(keyword, _even(_stored(header, keyword))) for keyword in _ORDER]
    study = ("StudyInstanceUID", _even(_stored(header, "StudyInstanceUID"), b"\0"))
    for item in _items(header, "RequestAttributesSequence"):
        if not _stored(item, "RequestedProcedureID"):
            continue
        own = [(keyword, _even(_stored(item, keyword) or _stored(header, keyword))) for keyword in _REQUEST]
        code = ("RequestedProcedureCodeSequence", _codes(item, "RequestedProcedureCodeSequence"))
        yield (study, ("ReferencedStudySequence", ()), *own, *order, code)


def _codes(header: Dataset, keyword: str) -> tuple[Stored, ...]:
    """Return the whole codes of a sequence."""
    found = (_present(item, _CODE) for item in _items(header, keyword))
    return tuple(code for code in found if {part for part, _ in code} >= _CODE_REQUIRED)


def _present(header: Dataset, keywords: Iterable[str]) -> Stored:
    return tuple((keyword, _even(value)) for keyword in keywords if (value := _stored(header, keyword)))


def _items(header: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence, unread; a damaged one counts as absent."""
    try:
        value = header[keyword].value if keyword in header else ()
    except (OSError, *UNREADABLE):
        return ()
    return tuple(value) if isinstance(value, Items) else ()


def _fill(result: Dataset, values: Stored) -> None:
    for keyword, value in values:
        tag = Tag(keyword)
        if isinstance(value, bytes):
            result[tag] = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)
        else:
            result[tag] = DataElement(tag, "SQ", Items([_item(one) for one in value]))


def _item(values: Stored) -> Dataset:
    item = Dataset()
    # says that the bytes are as they are to be written; pydicom would decode them without the character set of the whole
    item.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=default_encoding)
    _fill(item, values)
    return item


def _stored(header: Dataset, keyword: str) -> bytes:
    """Return the stored bytes of an attribute without padding; empty if it is absent or not in its form."""
    element = header.get_item(Tag(keyword)) if keyword in header else None
    if element is not None and not isinstance(element, RawDataElement):
        raise TypeError(f"{keyword} has been decoded already; its stored bytes are gone")
    stripped = bytes((element.value if element is not None else None) or b"").strip(b" \0")
    form = _FORMS.get(keyword)
    return stripped if form is None or form.fullmatch(stripped) else b""


def _character_sets(header: Dataset) -> tuple[str, ...]:
    value = header.get(_CHARACTER_SET)
    if value is None or isinstance(value, str):
        return (value,) if value else ()
    return tuple(str(term) for term in value)


def _even(value: bytes, padding: bytes = b" ") -> bytes:
    return value + padding * (len(value) % 2)
