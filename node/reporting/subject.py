"""The patient and the study as the source names them, carried over byte for byte.

Results are filed by name and number, so these must survive in every character set: raw GBK under a wrong declaration, or ISO
2022 escapes, included. Hence nothing is decoded. The stored bytes and the stored Specific Character Set are inherited
together, and every word that we add is ASCII, which all DICOM character sets hold (PS3.3 section C.12.1.1.2).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

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


@dataclass(frozen=True, slots=True)
class Subject:
    """The identifying attributes of one patient and study, as stored."""

    character_sets: tuple[str, ...]
    values: tuple[tuple[str, bytes], ...]

    def identify(self, result: Dataset) -> None:
        """Give a result the patient and the study of its source."""
        result.pop(_CHARACTER_SET, None)
        if self.character_sets:
            # an empty first value is legal (the default repertoire) and must stay in its place
            result.SpecificCharacterSet = list(self.character_sets) if len(self.character_sets) > 1 else self.character_sets[0]
        for keyword, value in self.values:
            tag = Tag(keyword)
            result[tag] = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)


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
    values = [(keyword, _even(_stored(first, keyword))) for keyword in _REQUIRED]
    values += [(keyword, _even(value)) for keyword in _OPTIONAL if (value := _stored(first, keyword))]
    return Subject(_character_sets(first), tuple(values))


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


def _even(value: bytes) -> bytes:
    return value + b" " * (len(value) % 2)
