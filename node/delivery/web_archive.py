"""Query and retrieval over DICOMweb (QIDO-RS and WADO-RS, PS3.18 sections 10.6 and 10.4), as :mod:`query` and :mod:`retrieve`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from urllib3 import BaseHTTPResponse

from node.config import SourceConfig
from node.delivery.query import FoundStudy, StudyQuery, wanted_studies
from node.delivery.retrieve import Retrieved
from node.delivery.web import WebPeer, open_web
from node.dicom_errors import UNREADABLE
from node.domain.errors import NodeError, PermanentError, Reason, TransientError, disk_refused
from node.domain.identity import parse_uid

_OK, _NO_CONTENT = 200, 204
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_PART_BYTES = 1 << 16
# A series of MR takes some hundred megabytes.
_MAXIMUM_SERIES_BYTES = 16 << 30


def find_studies_web(source: SourceConfig, query: StudyQuery) -> tuple[FoundStudy, ...]:
    """Return the studies that match, the newest first; errors as :func:`~node.delivery.query.find_studies`."""
    asked = {
        "StudyInstanceUID": query.study_instance_uid,
        "AccessionNumber": query.accession_number,
        "PatientID": query.patient_id,
    }
    asked = {key: value for key, value in asked.items() if value}
    with open_web(source) as peer:
        answers = [one for one in _ask(peer, "/studies", asked | _bounds(source, query)) if _matches(one, asked)]
        dates = wanted_studies(source, query, answers)
        return tuple(FoundStudy(uid, date, _series(peer, uid, query.modality)) for uid, date in dates.items())


def _bounds(source: SourceConfig, query: StudyQuery) -> dict[str, str]:
    """Return the fields that leave out studies that are not wanted; their order is the service's own, so all dates are seen."""
    if not query.newest:
        return {"limit": str(source.maximum_studies + 1)}
    issuer = {"IssuerOfPatientID": query.issuer_of_patient_id} if query.issuer_of_patient_id else {}
    return {**issuer, "ModalitiesInStudy": query.modality, "StudyDate": f"-{query.until}"}


def _matches(answer: Dataset, asked: Mapping[str, str]) -> bool:
    """Return whether a study is one that was asked for: a service may pass over a key that it does not know."""
    return all(str(answer.get(key) or "").strip() == value.strip() for key, value in asked.items())


def _series(peer: WebPeer, study_instance_uid: str, modality: str) -> tuple[str, ...]:
    answers = _ask(peer, f"/studies/{study_instance_uid}/series", {"Modality": modality})
    return tuple(parse_uid(str(one.SeriesInstanceUID)) for one in answers if one.get("Modality", modality) == modality)


def _ask(peer: WebPeer, path: str, fields: Mapping[str, str]) -> list[Dataset]:
    answer = peer.get(path, fields)
    if answer.status == _NO_CONTENT:
        return []
    try:
        if answer.status != _OK:
            raise ValueError
        return [Dataset.from_json(one) for one in json.loads(answer.body)]
    except UNREADABLE as error:
        what = f"{peer.address} answered HTTP {answer.status} to a query, without a list that can be read"
        raise PermanentError(Reason.QUERY_REFUSED, what) from error


def get_study_web(source: SourceConfig, study: FoundStudy, folder: Path) -> Retrieved:
    """Write what the series of a study hold below a folder that exists, as the service keeps them.

    Raises
    ------
    TransientError
        ``peer_unreachable``, also for an answer that ends too soon; ``peer_rejected`` or ``disk_full``.
    PermanentError
        ``retrieve_refused``.
    """
    outcome = Retrieved(0, 0)
    with open_web(source) as peer:
        for series in study.series:
            with peer.streamed(f"/studies/{study.study_instance_uid}/series/{series}", _AS_STORED) as answer:
                outcome += _write_parts(peer, answer, folder)
    return outcome


def _write_parts(peer: WebPeer, answer: BaseHTTPResponse, folder: Path) -> Retrieved:
    """Write each part of an answer to a file of its own while it arrives."""
    kind, options = parse_options_header(answer.headers.get("Content-Type", ""))
    if answer.status != _OK or kind != b"multipart/related" or b"boundary" not in options:
        what = f"{peer.address} answered HTTP {answer.status} to a retrieval, and not with the whole series"
        raise PermanentError(Reason.RETRIEVE_REFUSED, what)
    landing, length = _Landing(folder), 0
    try:
        parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": landing.begin,
                "on_part_data": landing.write,
                "on_part_end": landing.end,
                "on_end": landing.finish,
            },
        )
        while part := answer.read1(_PART_BYTES):
            length += len(part)
            if length > _MAXIMUM_SERIES_BYTES:
                raise PermanentError(Reason.RETRIEVE_REFUSED, f"{peer.address} sends a series without end")
            parser.write(part)
    except FormParserError as error:
        raise PermanentError(Reason.RETRIEVE_REFUSED, f"{peer.address} sent a series in parts that cannot be read") from error
    finally:
        landing.close()
    if not landing.is_whole:
        raise TransientError(Reason.PEER_UNREACHABLE, f"{peer.address} ended a series before it was whole")
    return landing.outcome


class _Landing:
    """Writes the parts of one answer; a part that is no DICOM file counts as failed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._draft = folder / ".part"
        self._file: BinaryIO | None = None
        self.outcome = Retrieved(0, 0)
        self.is_whole = False

    def begin(self) -> None:
        """Open a file for a part."""
        try:
            self._file = self._draft.open("wb")
        except OSError as error:
            raise disk_refused(f"write below {self._folder}", error) from error

    def write(self, received: bytes, start: int, end: int) -> None:
        """Write some of a part."""
        try:
            if self._file is not None:
                self._file.write(received[start:end])
        except OSError as error:
            raise disk_refused(f"write below {self._folder}", error) from error

    def end(self) -> None:
        """Give a part that is whole its name."""
        try:
            self.close(keep=True)
            uid = parse_uid(str(read_file_meta_info(self._draft).MediaStorageSOPInstanceUID))
            self._draft.replace(self._folder / f"{uid}.dcm")
        except OSError as error:
            raise disk_refused(f"write below {self._folder}", error) from error
        except (NodeError, *UNREADABLE):
            self._draft.unlink(missing_ok=True)
            self.outcome += Retrieved(0, 1)
        else:
            self.outcome += Retrieved(1, 0)

    def finish(self) -> None:
        """Note that the last boundary came."""
        self.is_whole = True

    def close(self, *, keep: bool = False) -> None:
        """Close the file of a part, and delete it unless it is kept."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if not keep:
            self._draft.unlink(missing_ok=True)
