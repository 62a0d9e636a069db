"""What the pages read: the ledger, the reports and the images of the store; nothing is changed here."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from node.config import Config, DestinationConfig
from node.dicom_errors import UNREADABLE
from node.domain.errors import NodeError, PermanentError, Reason
from node.domain.identity import SeriesInstanceUID, StudyInstanceUID
from node.domain.report import ReportKind, ReportObject
from node.domain.study import ReceivedSeries, SelectedSeries, SeriesRole
from node.domain.worklist import AnalysisEntry
from node.loading import load_volume
from node.reporting import BrowsedSeries, MeasurementsDocument, read_measurements, read_report
from node.store import Store
from node.web.study_view import BrowsedView, Commitment

_KEPT_SERIES = 6
_KEPT_NUMBERS = 5000


@dataclass(frozen=True, slots=True)
class Report:
    """What lies in the results folder of an analysis; ``problem`` says why something is missing."""

    folder: Path | None = None
    document: MeasurementsDocument | None = None
    objects: tuple[ReportObject, ...] = ()
    problem: str = ""


def read_analysis(analysis: AnalysisEntry | None) -> Report:
    """Return the report of an analysis, as far as it can be read."""
    if analysis is None or analysis.folder is None:
        return Report()
    folder = Path(analysis.folder)
    try:
        return Report(folder, read_measurements(folder), read_report(folder))
    except NodeError as error:
        return Report(folder, problem=error.message)


def read_accession_number(store: Store, study_instance_uid: StudyInstanceUID) -> str:
    """Return the AccessionNumber of a stored study, empty where there is none; nothing else of the patient is read."""
    return " ".join(_read_header(store, study_instance_uid, ("AccessionNumber",)))


def read_scanner(store: Store, study_instance_uid: StudyInstanceUID) -> str:
    """Return manufacturer and model of the scanner of a stored study, empty where they are unknown."""
    return " ".join(_read_header(store, study_instance_uid, ("Manufacturer", "ManufacturerModelName")))


def _read_header(store: Store, study_instance_uid: StudyInstanceUID, keywords: tuple[str, ...]) -> list[str]:
    path = store.first_instance(study_instance_uid)
    try:
        header = Dataset() if path is None else dcmread(path, stop_before_pixels=True, specific_tags=list(keywords))
        return [text for keyword in keywords if (text := str(header.get(keyword) or ""))]
    except (OSError, *UNREADABLE):
        return []


def commitments_of(store: Store, folder: Path | None, destinations: Iterable[DestinationConfig]) -> dict[str, Commitment]:
    """Return what is known of the storage commitment of an analysis, by destination."""
    found = {}
    for destination in destinations:
        if not destination.storage_commitment or folder is None:
            continue
        request = store.commitments.pending(folder, destination.name)
        granted = store.commitments.granted(folder, destination.name)
        objects = frozenset() if granted is None else frozenset(granted.objects)
        if request is None and granted is not None:
            at = datetime.fromtimestamp(granted.at, UTC)
            found[destination.name] = Commitment("committed", committed_at=at, objects=objects)
        elif request is None:
            found[destination.name] = Commitment("open")
        else:
            answer = store.commitments.answered(request.transaction_uid)
            found[destination.name] = Commitment(
                "asked" if answer is None else "answered", datetime.fromtimestamp(request.asked_at, UTC), objects=objects
            )
    return found


def wanted_kinds(config: Config) -> dict[str, frozenset[str]]:
    """Return the kinds of object that each destination gets."""
    return {destination.name: frozenset(destination.objects) for destination in config.destinations}


class HeaderTexts:
    """A text of the headers of studies, each read once and kept in memory only."""

    def __init__(self, read: Callable[[StudyInstanceUID], str]) -> None:
        self._read = read
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, study_uids: Iterable[StudyInstanceUID]) -> dict[str, str]:
        """Return the texts of studies; a study without one is read again the next time."""
        return {uid: self._one(uid) for uid in study_uids}

    def _one(self, uid: StudyInstanceUID) -> str:
        with self._lock:
            if uid in self._kept:
                return self._kept[uid]
        number = self._read(uid)
        if number:
            with self._lock:
                self._kept[uid] = number
                while len(self._kept) > _KEPT_NUMBERS:
                    self._kept.popitem(last=False)
        return number


class Browser:
    """The series whose slices people look at now, decoded; a few are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, str], BrowsedSeries] = OrderedDict()
        self._lock = threading.Lock()

    def series(self, analysis: AnalysisEntry, report: Report, role: SeriesRole) -> BrowsedSeries:
        """Return a series that was measured.

        Raises
        ------
        NodeError
            If the analysis has no such series, or its images are gone or damaged.
        """
        # One at a time: decoding is the heaviest thing that a page asks for.
        with self._lock:
            key = (analysis.analysis_id, role.value)
            if key not in self._kept:
                self._kept[key] = self._open(report, role)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT_SERIES:
                self._kept.popitem(last=False)
            return self._kept[key]

    def _open(self, report: Report, role: SeriesRole) -> BrowsedSeries:
        uid = None if report.document is None else _series_uid(report.document, role)
        if report.document is None or uid is None:
            raise PermanentError(Reason.NO_USABLE_SERIES, f"this analysis measured no {role} series")
        study_uid = StudyInstanceUID(report.document.study_instance_uid)
        found = [one for one in self._store.study(study_uid).all_series if one.series_instance_uid == uid]
        if not found:
            raise PermanentError(Reason.NO_USABLE_SERIES, f"the store no longer holds series {uid}")
        volume = load_volume(SelectedSeries(role, ReceivedSeries(SeriesInstanceUID(uid), found[0].instances)))
        segs = [one for one in report.objects if one.kind is ReportKind.SEG and one.instance.path.name == f"seg_{role}.dcm"]
        return BrowsedSeries.open(role, volume, segs[0].instance.path if segs else None)

    def views(self, analysis: AnalysisEntry | None, report: Report) -> tuple[tuple[BrowsedView, ...], str]:
        """Return the series of an analysis that can be browsed, and why others cannot."""
        views: list[BrowsedView] = []
        problem = ""
        for role in SeriesRole if analysis is not None and report.document is not None else ():
            if analysis is None or report.document is None or _series_uid(report.document, role) is None:
                continue
            try:
                series = self.series(analysis, report, role)
            except NodeError as error:
                problem = error.message
                continue
            views.append(BrowsedView(role.value, len(series), _measured(series, report.document) + 1))
        return tuple(views), problem


def _series_uid(document: MeasurementsDocument, role: SeriesRole) -> str | None:
    entries: Mapping[SeriesRole, str | None] = {
        SeriesRole.SAGITTAL_T2: None if document.sagittal is None else document.sagittal.series_instance_uid,
        SeriesRole.AXIAL_T2: None if document.axial is None else document.axial.series_instance_uid,
    }
    return entries[role]


def _measured(series: BrowsedSeries, document: MeasurementsDocument) -> int:
    """Return the index of the decisive slice; of the middle one where none is."""
    entry = document.sagittal if series.role is SeriesRole.SAGITTAL_T2 else document.axial
    wanted = (None, None) if entry is None else (entry.sop_instance_uid, entry.frame_number)
    sources = [(source.instance.sop_instance_uid, source.frame_number) for source in series.volume.sources]
    return sources.index(wanted) if wanted in sources else len(series) // 2
