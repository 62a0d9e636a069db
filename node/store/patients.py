"""Which studies of a patient were analysed, so that a follow-up finds its prior.

::

    <root>/patients/<key>/<study>       performed and analysis, as JSON
    <root>/results/<study>/.patient     the key, to find the entry when the study is deleted

The key is a digest: neither a path nor an entry names the patient.
"""

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from node.dicom_errors import UNREADABLE
from node.domain.identity import StudyInstanceUID, parse_uid
from node.store.entry import write_entry

# All of them, as stored: anonymised studies share a number, and a comparison of two people is worse than none.
_IDENTITY = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientName")
_REQUIRED = ("PatientID", "PatientBirthDate")
_MOMENT = re.compile(r"[12]\d{7}([0-2]\d([0-5]\d([0-5]\d)?)?)?")
_BACK_REFERENCE = ".patient"


@dataclass(frozen=True, slots=True)
class PatientStudy:
    """A study of a patient: the digest of his identity, and when it was performed, YYYYMMDDHHMMSS.

    Number and issuer are for asking an archive only: they are neither kept nor logged.
    """

    key: str
    performed: str
    patient_id: str = field(default="", compare=False, repr=False)
    issuer_of_patient_id: str = field(default="", compare=False, repr=False)


def identify_patient(path: Path) -> PatientStudy | None:
    """Return whose study a DICOM file belongs to; None where it lacks a number, a birth date or the date of the study."""
    wanted = [*_IDENTITY, "StudyDate", "StudyTime", "SpecificCharacterSet"]
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=wanted)
        identity = {keyword: _stored(header, keyword) for keyword in _IDENTITY}
        performed = (_stored(header, "StudyDate") + _stored(header, "StudyTime")[:6]).decode("latin-1")
        number, issuer = (str(header.get(keyword) or "") for keyword in ("PatientID", "IssuerOfPatientID"))
    except (OSError, *UNREADABLE):  # elements are parsed when they are first asked for
        return None
    if not all(identity[keyword] for keyword in _REQUIRED) or not _MOMENT.fullmatch(performed):
        return None
    return PatientStudy(hashlib.sha256(b"\n".join(identity.values())).hexdigest(), performed.ljust(14, "0"), number, issuer)


def _stored(header: Dataset, keyword: str) -> bytes:
    element = header.get_item(Tag(keyword)) if keyword in header else None
    return bytes(element.value or b"").strip(b" \0") if element is not None and isinstance(element.value, bytes) else b""


class PatientIndex:
    """The analysed studies by patient, under the root of a store; safe to use from several processes."""

    def __init__(self, root: Path) -> None:
        self._patients = root / "patients"
        self._results = root / "results"

    def note(self, who: PatientStudy, study_instance_uid: StudyInstanceUID, analysis_id: str) -> None:
        """Note the latest analysis of a study of a patient."""
        study = parse_uid(study_instance_uid)
        folder = self._patients / who.key
        folder.mkdir(parents=True, exist_ok=True)
        write_entry(folder / study, json.dumps({"performed": who.performed, "analysis": analysis_id}))
        write_entry(self._results / study / _BACK_REFERENCE, who.key)

    def earlier_results(self, who: PatientStudy, study_instance_uid: StudyInstanceUID) -> tuple[Path, ...]:
        """Return the results folders of the studies of a patient that were performed before this one, latest first."""
        folder = self._patients / who.key
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
        known = [(json.loads(path.read_text(encoding="ascii")), path.name) for path in entries if not path.name.startswith(".")]
        earlier = [
            (str(entry["performed"]), self._results / name / str(entry["analysis"]))
            for entry, name in known
            if name != study_instance_uid and str(entry["performed"]) < who.performed
        ]
        return tuple(path for _, path in sorted(earlier, reverse=True))

    def release(self, study_instance_uid: StudyInstanceUID, who: PatientStudy | None) -> None:
        """Remove the entry of a study under every patient but this: a corrected study is no prior of the wrong one."""
        results = self._results / parse_uid(study_instance_uid)
        if who is None or _key_in(results) != who.key:
            self.forget(study_instance_uid, results)

    def forget(self, study_instance_uid: StudyInstanceUID, results: Path) -> None:
        """Remove the entry of a study, whose folder of results is there still."""
        study = parse_uid(study_instance_uid)
        key = _key_in(results)
        if key is not None:
            folder = self._patients / key
            (folder / study).unlink(missing_ok=True)
            with suppress(OSError):  # another study of the patient is there
                folder.rmdir()


def _key_in(results: Path) -> str | None:
    reference = results / _BACK_REFERENCE
    return reference.read_text(encoding="ascii") if reference.is_file() else None
