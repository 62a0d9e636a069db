"""UIDs, AE titles and references to stored instances, the only place that accepts them from outside; and which weights it was."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NewType

from node.domain.errors import PermanentError, Reason

StudyInstanceUID = NewType("StudyInstanceUID", str)
SeriesInstanceUID = NewType("SeriesInstanceUID", str)
SOPInstanceUID = NewType("SOPInstanceUID", str)
SOPClassUID = NewType("SOPClassUID", str)
AETitle = NewType("AETitle", str)

# PS3.5 section 9.1: digits and dots, no empty component, at most 64 characters. Leading zeros are not
# legal but occur in the field and are harmless in a path, so they are accepted.
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_LENGTH = 64
# PS3.5 section 6.2, VR AE: at most 16 characters, no backslash, no control characters.
_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")


def parse_uid(text: str) -> str:
    """Return ``text`` as a UID that is safe in a path.

    Raises
    ------
    PermanentError
        ``uid_invalid`` if it is not a UID in the sense of PS3.5 section 9.1.
    """
    uid = text.rstrip("\0 ")
    if len(uid) > _UID_LENGTH or not _UID.fullmatch(uid):
        raise PermanentError(Reason.UID_INVALID, f"not a DICOM UID: {text[:80]!r}")
    return uid


def parse_ae_title(text: str) -> AETitle:
    """Return ``text`` as an AE title without padding.

    Raises
    ------
    PermanentError
        ``ae_title_invalid`` if it is empty, longer than 16 characters or holds a forbidden character.
    """
    title = text.strip(" \0")
    if not _AE_TITLE.fullmatch(title):
        raise PermanentError(Reason.AE_TITLE_INVALID, f"not an AE title (1 to 16 ASCII characters, no backslash): {text[:32]!r}")
    return AETitle(title)


@dataclass(frozen=True, slots=True, order=True)
class InstanceRef:
    """One stored SOP instance: the same type for what came in and for what we made."""

    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    sop_class_uid: SOPClassUID
    path: Path


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which weights said something."""

    name: str
    version: str
    sha256: str
