"""Retrieve SCU: have a PACS send the series of a study to us (C-MOVE), or take them over our own association (C-GET)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)
from pynetdicom import build_role, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from node.config import SourceConfig
from node.delivery.association import lost_connection, open_association
from node.delivery.contexts import NATIVE, contexts_for
from node.delivery.query import FoundStudy
from node.domain.errors import PermanentError, Reason, TransientError
from node.domain.identity import parse_uid

GET_MODEL, MOVE_MODEL = StudyRootQueryRetrieveInformationModelGet, StudyRootQueryRetrieveInformationModelMove
#: What may come back over C-GET: the images that we analyse, and our reports.
RETRIEVED_CLASSES: tuple[UID, ...] = (
    MRImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
)
_SUCCESS, _WITH_FAILURES = 0x0000, 0xB000
_DESTINATION_UNKNOWN = 0xA801  # PS3.4 table C.4-2
_STORED, _CANNOT_STORE = 0x0000, 0xA700


@dataclass(frozen=True, slots=True)
class Retrieved:
    """How many instances the PACS says that it sent, and how many it could not."""

    completed: int
    failed: int

    def __add__(self, other: "Retrieved") -> "Retrieved":
        """Return both together."""
        return Retrieved(self.completed + other.completed, self.failed + other.failed)


def move_study(source: SourceConfig, calling_ae_title: str, study: FoundStudy, receiving_ae_title: str) -> Retrieved:
    """Have the series of a study sent to an AE title that the peer knows.

    Raises
    ------
    TransientError
        ``peer_unreachable`` or ``peer_rejected``.
    PermanentError
        ``retrieve_refused``, also if the peer does not know the AE title; ``sop_class_refused`` if it offers no C-MOVE.
    """
    with open_association(source, calling_ae_title, contexts_for([(str(MOVE_MODEL), str(NATIVE[0]))])) as association:
        outcomes = [
            _outcome(association.send_c_move(_keys(study, series), receiving_ae_title, MOVE_MODEL), source, receiving_ae_title)
            for series in study.series
        ]
    return sum(outcomes, Retrieved(0, 0))


def get_study(source: SourceConfig, calling_ae_title: str, study: FoundStudy, folder: Path) -> Retrieved:
    """Write what the series of a study hold below a folder that exists, as it was sent.

    Raises
    ------
    TransientError
        ``peer_unreachable``, ``peer_rejected`` or ``disk_full``.
    PermanentError
        ``retrieve_refused``; ``sop_class_refused`` if the peer offers no C-GET.
    """
    roles = [build_role(sop_class, scp_role=True) for sop_class in RETRIEVED_CLASSES]
    landing = _Landing(folder)
    handlers = [(evt.EVT_C_STORE, landing.on_store)]
    with open_association(source, calling_ae_title, _get_contexts(), handlers, roles) as association:
        outcomes = [_outcome(association.send_c_get(_keys(study, series), GET_MODEL), source) for series in study.series]
    if landing.problem:
        raise TransientError(Reason.DISK_FULL, f"cannot write below {folder}: {landing.problem}")
    return sum(outcomes, Retrieved(0, 0))


class _Landing:
    """Writes what arrives over C-GET; remembers why it could not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.problem = ""

    def on_store(self, event: evt.Event) -> int:
        """Write one instance and return its status."""
        name = f"{parse_uid(str(cast(C_STORE, event.request).AffectedSOPInstanceUID))}.dcm"
        try:
            (self._folder / name).write_bytes(event.encoded_dataset())
        except OSError as error:
            self.problem = error.strerror or str(error)
            return _CANNOT_STORE
        return _STORED


def _get_contexts() -> list[PresentationContext]:
    """Return the contexts of C-GET; images in the native encodings, into which every PACS can bring what it keeps."""
    return [build_context(GET_MODEL, list(NATIVE)), *(build_context(one, list(NATIVE)) for one in RETRIEVED_CLASSES)]


def _keys(study: FoundStudy, series_instance_uid: str) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = "SERIES"
    keys.StudyInstanceUID = study.study_instance_uid
    keys.SeriesInstanceUID = series_instance_uid
    return keys


def _outcome(answers: Iterator[tuple[Dataset, Dataset | None]], source: SourceConfig, receiving_ae_title: str = "") -> Retrieved:
    """Return what the last answer counts; ``receiving_ae_title`` is where a C-MOVE goes."""
    unknown = f"{source.name} may not know the AE title {receiving_ae_title}: register it there with our host and port"
    hint = f"; {unknown}, or set retrieve: get" if receiving_ae_title else ""
    status = Dataset()
    for status, _ in answers:
        if "Status" not in status:
            break
    if "Status" not in status:  # Orthanc hangs up on a C-MOVE to an AE title that it does not know
        lost = lost_connection(source)
        raise TransientError(lost.reason, f"{lost.message}{hint}")
    if status.Status not in (_SUCCESS, _WITH_FAILURES):
        hint = hint if status.Status == _DESTINATION_UNKNOWN else ""
        raise PermanentError(Reason.RETRIEVE_REFUSED, f"{source.name} answered status 0x{status.Status:04X} to a retrieval{hint}")
    return Retrieved(
        int(status.get("NumberOfCompletedSuboperations", 0)) + int(status.get("NumberOfWarningSuboperations", 0)),
        int(status.get("NumberOfFailedSuboperations", 0)),
    )
