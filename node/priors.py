"""Earlier reports of a patient: in the store, and at the archives that are asked for them.

An archive that is down, slow or full of something else must neither fail an analysis nor hold it up: it is asked once, within a
time, and what did not answer is said in the report.
"""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydicom import dcmread

from node.config import SourceConfig
from node.delivery import Archive, FoundStudy, StudyQuery
from node.dicom_errors import UNREADABLE
from node.domain.analysis import PriorLookup, PriorReport
from node.domain.errors import Finding, NodeError, Reason, Severity, TransientError
from node.domain.identity import StudyInstanceUID
from node.reporting import measurement_report, read_prior
from node.store import PatientStudy, Store, identify_patient

_log = logging.getLogger(__name__)

_NEWEST = 5
_VERSION = ["SOPInstanceUID", "ContentDate", "ContentTime", "PredecessorDocumentsSequence"]


@dataclass(frozen=True, slots=True)
class FoundPrior:
    """The prior of a study, and the archives that did not answer when they were asked for a later one."""

    prior: PriorReport | None = None
    unanswered: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the report says of archives that did not answer: the same words for every cause, so that a repeat is equal."""
        where = ", ".join(self.unanswered)
        message = f"{where} did not answer when it was asked for an earlier report of the patient: look for a prior there"
        return (Finding(Reason.PRIOR_NOT_LOOKED_UP, Severity.FLAG, message),) if self.unanswered else ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A report of a patient, and when its study was performed."""

    path: Path
    performed: str


class PriorDesk:
    """Finds the latest report of an earlier study of a patient.

    Parameters
    ----------
    sources
        Of the configuration; those with ``priors`` are asked.
    ae_title
        Ours: what we call with, and where an archive is to send reports.
    """

    def __init__(self, store: Store, sources: Sequence[SourceConfig] = (), ae_title: str = "") -> None:
        self._store = store
        self._ae_title = ae_title
        self._archives = tuple(Archive(_bounded(one), ae_title) for one in sources if one.priors)

    def find(self, who: PatientStudy, study_instance_uid: StudyInstanceUID, analysis_id: str) -> FoundPrior:
        """Return the prior of a study; an analysis that is done again is given the same answer of the archives."""
        candidates = [*self._own(who, study_instance_uid)]
        look = self._look(who, study_instance_uid, analysis_id)
        if look.report is not None and (from_archive := _accepted(look.report, who, study_instance_uid)) is not None:
            candidates.append(from_archive)
        candidates.sort(key=lambda one: one.performed, reverse=True)
        priors = (read_prior(one.path) for one in candidates)
        return FoundPrior(next((prior for prior in priors if prior is not None), None), look.unanswered)

    def _own(self, who: PatientStudy, study_instance_uid: StudyInstanceUID) -> Iterator[_Candidate]:
        for folder in self._store.earlier_results(who, study_instance_uid):
            report = measurement_report(folder)
            then = None if report is None else identify_patient(report.instance.path)
            if report is not None and then is not None:
                yield _Candidate(report.instance.path, then.performed)

    def _look(self, who: PatientStudy, study_instance_uid: StudyInstanceUID, analysis_id: str) -> PriorLookup:
        if not self._archives:
            return PriorLookup(who.key)
        kept = self._store.priors.kept(study_instance_uid, analysis_id)
        if kept is not None and kept.key == who.key:
            return kept
        beside = self._store.priors.folder(study_instance_uid)
        with tempfile.TemporaryDirectory(prefix=".look-", dir=beside, ignore_cleanup_errors=True) as folder:
            look = self._ask_all(who, study_instance_uid, Path(folder))
            if look.unanswered and look.report is None:  # what an analysis before was told is better than nothing
                look = self._store.priors.latest_answered(study_instance_uid, who.key) or look
            return self._store.priors.keep(study_instance_uid, analysis_id, look)

    def _ask_all(self, who: PatientStudy, study_instance_uid: StudyInstanceUID, folder: Path) -> PriorLookup:
        found: list[_Candidate] = []
        unanswered: list[str] = []
        for archive in self._archives:
            landing = folder / archive.source.name
            landing.mkdir()
            try:
                found += _in_time(partial(self._ask, archive, who, study_instance_uid, landing), archive.source)
            except (NodeError, OSError, *UNREADABLE) as error:
                unanswered.append(archive.source.name)
                what = error.message if isinstance(error, NodeError) else type(error).__name__
                _log.warning("prior not looked up", extra={"source": archive.source.name, "explanation": what})
        latest = max(found, key=lambda one: one.performed, default=None)
        return PriorLookup(who.key, tuple(unanswered), None if latest is None else latest.path)

    def _ask(
        self, archive: Archive, who: PatientStudy, study_instance_uid: StudyInstanceUID, folder: Path
    ) -> tuple[_Candidate, ...]:
        """Return the report of the latest earlier study of a patient of which an archive holds one."""
        query = StudyQuery(
            patient_id=who.patient_id,
            issuer_of_patient_id=who.issuer_of_patient_id,
            modality="SR",
            until=who.performed[:8],
            newest=_NEWEST + 1,  # this study may be among them
        )
        for study in archive.find(query):
            if study.study_instance_uid == study_instance_uid or not study.series:
                continue
            files = self._fetched(archive, study, folder)
            accepted = (_accepted(path, who, study_instance_uid) for path in current_first(files))
            report = next((one for one in accepted if one is not None), None)
            if report is not None:
                return (report,)
        return ()

    def _fetched(self, archive: Archive, study: FoundStudy, folder: Path) -> list[Path]:
        """Return the files of the series that were found; over C-MOVE they come to our receiver, and lie in the store then."""
        if archive.can_move:
            archive.move(study, self._ae_title)
            stored = self._store.study(StudyInstanceUID(study.study_instance_uid)).all_series
            return [i.path for series in stored if series.series_instance_uid in study.series for i in series.instances]
        landing = folder / study.study_instance_uid
        landing.mkdir()
        archive.get(study, landing)
        return sorted(landing.glob("*.dcm"))


def current_first(reports: Iterable[Path]) -> list[Path]:
    """Return reports of one study, the latest first, without those that another of them replaces."""
    heads = {path: head for path in reports if (head := _head(path)) is not None}
    replaced = {uid for head in heads.values() for uid in head.replaced}
    current = {path: head for path, head in heads.items() if head.sop_instance_uid not in replaced}
    return sorted(current, key=lambda path: (current[path].moment, current[path].sop_instance_uid), reverse=True)


@dataclass(frozen=True, slots=True)
class _Head:
    sop_instance_uid: str
    moment: str
    replaced: tuple[str, ...]


def _head(path: Path) -> _Head | None:
    """Return what tells versions of a report apart; None for what is none."""
    try:
        report = dcmread(path, stop_before_pixels=True, specific_tags=_VERSION)
        studies = report.get("PredecessorDocumentsSequence") or ()
        replaced = [
            str(one.ReferencedSOPInstanceUID)
            for study in studies
            for series in study.ReferencedSeriesSequence
            for one in series.ReferencedSOPSequence
        ]
        return _Head(str(report.SOPInstanceUID), f"{report.ContentDate}{report.ContentTime}", tuple(replaced))
    except (OSError, *UNREADABLE):
        return None


def _accepted(report: Path, who: PatientStudy, study_instance_uid: StudyInstanceUID) -> _Candidate | None:
    """Return a report if it is ours, has a value, and is of an earlier study of this very patient."""
    then = identify_patient(report)
    if then is None or then.key != who.key or then.performed >= who.performed:
        return None
    prior = read_prior(report)
    is_other = prior is not None and prior.report.study_instance_uid != study_instance_uid
    return _Candidate(report, then.performed) if is_other else None


def _bounded(source: SourceConfig) -> SourceConfig:
    return source.model_copy(update={"timeout_s": min(source.timeout_s, source.priors_timeout_s)})


def _in_time(ask: Callable[[], tuple[_Candidate, ...]], source: SourceConfig) -> tuple[_Candidate, ...]:
    """Return what an archive answers; what takes longer is left to end by itself, as each of its waits is bounded too.

    Raises
    ------
    TransientError
        ``peer_unreachable`` if it takes longer than ``priors_timeout_s``, and what ``ask`` raises.
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prior")
    try:
        return pool.submit(ask).result(source.priors_timeout_s)
    except FutureTimeoutError as error:
        what = f"{source.name} did not answer within priors_timeout_s ({source.priors_timeout_s:g} s)"
        raise TransientError(Reason.PEER_UNREACHABLE, what) from error
    finally:
        pool.shutdown(wait=False)
