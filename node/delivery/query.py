"""Query SCU: which studies a PACS holds, and which of their series are MR (Study Root, PS3.4 section C.6.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from node.config import SourceConfig
from node.delivery.association import lost_connection, open_association
from node.delivery.contexts import NATIVE, contexts_for
from node.domain.errors import PermanentError, Reason

FIND_MODEL = StudyRootQueryRetrieveInformationModelFind
_PENDING = (0xFF00, 0xFF01)
_SUCCESS = 0x0000
# A value with a wildcard would ask for more than what was meant (PS3.4 section C.2.2.2.4); a backslash for a list.
_WILDCARDS = frozenset("*?\\")


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """What a study is looked for by; an empty value is not asked for. None of it is logged."""

    study_instance_uid: str = ""
    accession_number: str = ""
    patient_id: str = ""

    def __post_init__(self) -> None:
        values = (self.study_instance_uid, self.accession_number, self.patient_id)
        if not any(values):
            raise PermanentError(Reason.QUERY_INVALID, "give a Study Instance UID, an accession number or a patient ID")
        if any(_WILDCARDS & set(value) for value in values):
            raise PermanentError(Reason.QUERY_INVALID, "wildcards (* ?) and lists (\\) are not taken: write the whole value")


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that a PACS holds, without patient data; ``mr_series`` are the UIDs of its MR series."""

    study_instance_uid: str
    study_date: str
    mr_series: tuple[str, ...]


def find_studies(source: SourceConfig, calling_ae_title: str, query: StudyQuery) -> tuple[FoundStudy, ...]:
    """Return the studies that match, the newest first.

    Raises
    ------
    TransientError
        ``peer_unreachable`` or ``peer_rejected``.
    PermanentError
        ``sop_class_refused`` if the peer offers no query, ``query_refused`` if it answers with a failure, ``query_invalid`` if
        more studies match than ``maximum_studies``.
    """
    contexts = contexts_for([(str(FIND_MODEL), str(NATIVE[0]))])
    with open_association(source, calling_ae_title, contexts) as association:
        answers = list(_ask(association, source, _study_keys(query)))
        uids = {str(one.StudyInstanceUID): str(one.get("StudyDate", "")) for one in answers if "StudyInstanceUID" in one}
        if len(uids) > source.maximum_studies:
            what = f"{source.name} holds {len(uids)} studies that match, more than maximum_studies ({source.maximum_studies})"
            raise PermanentError(Reason.QUERY_INVALID, f"{what}; ask for one study")
        found = [FoundStudy(uid, date, tuple(_mr_series(association, source, uid))) for uid, date in uids.items()]
    return tuple(sorted(found, key=lambda one: (one.study_date, one.study_instance_uid), reverse=True))


def _study_keys(query: StudyQuery) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = "STUDY"
    keys.StudyInstanceUID = query.study_instance_uid
    keys.AccessionNumber = query.accession_number
    keys.PatientID = query.patient_id
    keys.StudyDate = ""
    return keys


def _mr_series(association: Association, source: SourceConfig, study_instance_uid: str) -> Iterator[str]:
    keys = Dataset()
    keys.QueryRetrieveLevel = "SERIES"
    keys.StudyInstanceUID = study_instance_uid
    keys.SeriesInstanceUID = ""
    keys.Modality = "MR"
    for answer in _ask(association, source, keys):
        # not every PACS matches on the modality that it was asked for
        if answer.get("Modality", "MR") == "MR" and answer.get("SeriesInstanceUID"):
            yield str(answer.SeriesInstanceUID)


def _ask(association: Association, source: SourceConfig, keys: Dataset) -> Iterator[Dataset]:
    for status, answer in association.send_c_find(keys, FIND_MODEL):
        if "Status" not in status:
            raise lost_connection(source)
        if status.Status in _PENDING and answer is not None:
            yield answer
        elif status.Status != _SUCCESS:
            raise PermanentError(Reason.QUERY_REFUSED, f"{source.name} answered status 0x{status.Status:04X} to a query")
