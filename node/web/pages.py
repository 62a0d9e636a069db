"""The table of pages: each is read from the site, made by a pure function, and shown as HTML or as JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.requests import Request

from node.config import VIEWER_PLACE, WebConfig
from node.domain.errors import PermanentError, Reason
from node.domain.identity import StudyInstanceUID, parse_uid
from node.domain.job import JobState
from node.domain.worklist import StudyQuery
from node.inference import list_manifests
from node.pipeline import models_dir
from node.reporting import MeasurementsDocument
from node.shadow import ShadowReport, read_shadow
from node.web.other_views import DestinationsView, ModelsView, destinations_view, models_view
from node.web.reading import Report, commitments_of, read_analysis, wanted_kinds
from node.web.site import Site
from node.web.statistics import DAYS, StatisticsView, statistics_view
from node.web.study_view import StudyRows, StudyView, study_view
from node.web.views import (
    PAGE_LENGTH,
    QueueView,
    WorklistView,
    parse_filters,
    query_of,
    queue_view,
    worklist_view,
)

_WAITING = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.WAITING})
_ANALYSED = frozenset({JobState.ANALYSED, JobState.DELIVERED})
_LATEST = 100
_CARD = "card.md"


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its JSON twin, whose address ends with ``.json``.

    Parameters
    ----------
    view
        Type of what is shown: the schema of the twin.
    make
        Reads and returns what is shown.
    parameters
        What may stand after the question mark, and what it means.
    """

    path: str
    name: str
    summary: str
    view: type
    make: Callable[[Site, Request], object]
    template: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def study_uid_of(request: Request) -> StudyInstanceUID:
    """Return the study of an address; raise PermanentError ``study_unknown`` where it is no UID."""
    text = str(request.path_params["study_instance_uid"])
    try:
        return StudyInstanceUID(parse_uid(text))
    except PermanentError as error:
        raise PermanentError(Reason.STUDY_UNKNOWN, "no such study here") from error


def _worklist(site: Site, request: Request) -> WorklistView:
    filters = parse_filters(request.query_params)
    found = site.jobs.find(query_of(filters))
    numbers = site.accession_numbers.of(entry.study_instance_uid for entry in found.entries)
    return worklist_view(found, filters, site.jobs.states(), numbers)


def _study(site: Site, request: Request) -> StudyView:
    uid = study_uid_of(request)
    history = site.jobs.study(uid)
    current = history.study.current
    report = read_analysis(current)
    series, problem = site.browser.views(current, report)
    rows = StudyRows(
        history=history,
        accession_number=site.accession_numbers.of([uid])[uid],
        viewer_url=viewer_url(site.config.web, uid),
        document=report.document,
        problem=report.problem or problem,
        objects=report.objects,
        shadow=None if report.folder is None else read_shadow(report.folder),
        series=series,
        wanted=wanted_kinds(site.config),
        commitments=commitments_of(site.store, report.folder, site.config.destinations),
    )
    return study_view(rows)


def viewer_url(config: WebConfig, uid: StudyInstanceUID) -> str:
    """Return the link to a study in the site's viewer, empty where none is configured."""
    return config.viewer_url.replace(VIEWER_PLACE, uid)


def _queue(site: Site, _request: Request) -> QueueView:
    waiting = site.jobs.find(StudyQuery(states=_WAITING, limit=PAGE_LENGTH))
    dead = site.jobs.find(StudyQuery(is_dead=True, limit=PAGE_LENGTH))
    numbers = site.accession_numbers.of(entry.study_instance_uid for entry in (*waiting.entries, *dead.entries))
    return queue_view(waiting, dead, site.jobs.tally(), len(site.store.open_marks()), numbers)


def _statistics(site: Site, _request: Request) -> StatisticsView:
    latest = site.jobs.find(StudyQuery(states=_ANALYSED, limit=_LATEST)).entries
    scanners = site.scanners.of(entry.study_instance_uid for entry in latest)
    found = [(scanners[entry.study_instance_uid], read_analysis(entry.current)) for entry in latest]
    reports = [(scanner, one.document) for scanner, one in found if one.document is not None]
    trail = site.jobs.audit(since=datetime.now(UTC) - timedelta(days=DAYS))
    return statistics_view(site.jobs.tally(), trail, reports, list(_shadows(one for _, one in found)))


def _shadows(reports: Iterable[Report]) -> Iterator[tuple[MeasurementsDocument, ShadowReport]]:
    """Yield what both sets of models say of the studies that the second has measured."""
    for report in reports:
        shadow = None if report.folder is None else read_shadow(report.folder)
        if report.document is not None and shadow is not None:
            yield report.document, shadow


def _destinations(site: Site, _request: Request) -> DestinationsView:
    return destinations_view(site.config.destinations, site.echoes.answers(), site.jobs.tally().deliveries)


def _models(site: Site, _request: Request) -> ModelsView:
    section = site.config.inference
    folder = models_dir(section)
    manifests = list_manifests(folder)
    used = (section.sagittal_segmentation, section.axial_segmentation, section.keypoints)
    return models_view(manifests, used, {name: _card(folder / name) for name in manifests})


def _card(folder: Path) -> str:
    path = folder / _CARD
    return path.read_text(encoding="utf-8") if path.is_file() else ""


_FILTERS = {
    "state": "state of the study: queued, running, waiting, analysed, delivered, declined, failed, cancelled",
    "status": "result: measured, partial, declined, unchanged",
    "delivery": "a delivery in this state: queued, sending, waiting, delivered, incomplete, dead, cancelled",
    "reason": "code that the analysis, a value of it or a delivery of it carries",
    "text": "part of the Study Instance UID",
    "page": "from 1",
}

PAGES: tuple[Page, ...] = (
    Page("/studies", "worklist", "The studies, last changed first.", WorklistView, _worklist, "worklist.html", _FILTERS),
    Page("/studies/{study_instance_uid}", "study", "One study with everything known of it.", StudyView, _study, "study.html"),
    Page("/queue", "queue", "What waits, what runs, what was given up.", QueueView, _queue, "queue.html"),
    Page("/destinations", "destinations", "Where results go.", DestinationsView, _destinations, "destinations.html"),
    Page("/statistics", "statistics", "Counts by day, reasons, values.", StatisticsView, _statistics, "statistics.html"),
    Page("/models", "models", "The installed models and their cards.", ModelsView, _models, "models.html"),
)
