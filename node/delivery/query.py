"""Query SCU: which studies a PACS holds, and which of their series are of a modality (Study Root, PS3.4 section C.6.2)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from node.config import SourceConfig
from node.delivery.association import lost_connection, open_association
from node.delivery.contexts import NATIVE, contexts_for
from node.domain.errors import PermanentError, Reason
from node.domain.identity import parse_uid

FIND_MODEL = StudyRootQueryRetrieveInformationModelFind
_PENDING = (0xFF00, 0xFF01)
_SUCCESS = 0x0000
# A value with a wildcard would ask for more than what was meant (PS3.4 section C.2.2.2.4); a backslash for a list.
_WILDCARDS = frozenset("*?\\")


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """What a study is looked for by; an empty value is not asked for. None of it is logged.

    Parameters
    ----------
    modality
        Of the series that are wanted.
    until
        The last date of the study, YYYYMMDD.
    newest
        So many studies are taken, the newest; 0: all, up to ``maximum_studies`` of the source.
    """

    study_instance_uid: str = ""
    accession_number: str = ""
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    modality: str = "MR"
    until: str = ""
    newest: int = 0

    def __post_init__(self) -> None:
        values = (self.study_instance_uid, self.accession_number, self.patient_id, self.issuer_of_patient_id)
        if not any(values[:3]):
            raise PermanentError(Reason.QUERY_INVALID, "give a Study Instance UID, an accession number or a patient ID")
        if any(_WILDCARDS & set(value) for value in values):
            raise PermanentError(Reason.QUERY_INVALID, "wildcards (* ?) and lists (\\) are not taken: write the whole value")


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that a PACS holds, without patient data; ``series`` are the UIDs of its series of the modality asked for."""

    study_instance_uid: str
    study_date: str
    series: tuple[str, ...]


def wanted_studies(source: SourceConfig, query: StudyQuery, answers: Iterable[Dataset]) -> dict[str, str]:
    """Return the dates of the studies that a query is for, the newest first, by their UIDs.

    Raises
    ------
    PermanentError
        ``query_invalid`` if they are more than ``maximum_studies``, or ``uid_invalid``.
    """
    dated = {parse_uid(str(one.StudyInstanceUID)): str(one.get("StudyDate") or "") for one in answers if _may_hold(one, query)}
    newest_first = sorted(dated.items(), key=lambda one: (one[1], one[0]), reverse=True)
    if query.newest:
        return dict(newest_first[: query.newest])
    if len(dated) > source.maximum_studies:
        what = f"{source.name} holds more studies that match than maximum_studies ({source.maximum_studies}); ask for one study"
        raise PermanentError(Reason.QUERY_INVALID, what)
    return dict(newest_first)


def _may_hold(answer: Dataset, query: StudyQuery) -> bool:
    """Return whether a study may be one that was asked for: a peer may pass over the keys of date and modality."""
    if not answer.get("StudyInstanceUID") or (query.until and str(answer.get("StudyDate") or "") > query.until):
        return False
    modalities = answer.get("ModalitiesInStudy") or ()
    return not modalities or query.modality in ([modalities] if isinstance(modalities, str) else modalities)


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
        dates = wanted_studies(source, query, answers)
        return tuple(
            FoundStudy(uid, date, tuple(_series(association, source, uid, query.modality))) for uid, date in dates.items()
        )


def _study_keys(query: StudyQuery) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = "STUDY"
    keys.StudyInstanceUID = query.study_instance_uid
    keys.AccessionNumber = query.accession_number
    keys.PatientID = query.patient_id
    keys.StudyDate = f"-{query.until}" if query.until else ""
    if query.issuer_of_patient_id:
        keys.IssuerOfPatientID = query.issuer_of_patient_id
    if query.newest:  # many studies of a patient hold none
        keys.ModalitiesInStudy = query.modality
    if not (query.patient_id + query.issuer_of_patient_id).isascii():  # else what has no code becomes a wildcard
        keys.SpecificCharacterSet = "ISO_IR 192"
    return keys


def _series(association: Association, source: SourceConfig, study_instance_uid: str, modality: str) -> Iterator[str]:
    keys = Dataset()
    keys.QueryRetrieveLevel = "SERIES"
    keys.StudyInstanceUID = study_instance_uid
    keys.SeriesInstanceUID = ""
    keys.Modality = modality
    for answer in _ask(association, source, keys):
        # not every PACS matches on the modality that it was asked for
        if answer.get("Modality", modality) == modality and answer.get("SeriesInstanceUID"):
            yield parse_uid(str(answer.SeriesInstanceUID))


def _ask(association: Association, source: SourceConfig, keys: Dataset) -> Iterator[Dataset]:
    for status, answer in association.send_c_find(keys, FIND_MODEL):
        if "Status" not in status:
            raise lost_connection(source)
        if status.Status in _PENDING and answer is not None:
            yield answer
        elif status.Status != _SUCCESS:
            raise PermanentError(Reason.QUERY_REFUSED, f"{source.name} answered status 0x{status.Status:04X} to a query")
