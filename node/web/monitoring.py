"""``/metrics``, ``/health/live`` and ``/health/ready``: what monitoring asks."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from node import __version__
from node.domain.errors import NodeError
from node.domain.prediction import ModelIdentity
from node.domain.worklist import StudyQuery, Tally
from node.inference import load_manifest
from node.pipeline import models_dir
from node.web.answering import site_of
from node.web.metrics import CONTENT_TYPE, Facts, metrics_text
from node.web.site import Site


def metrics(request: Request) -> Response:
    """Answer with all metrics; those of the job database are missing while it is away."""
    site = site_of(request)
    return Response(metrics_text(_facts(site), _tally(site), datetime.now(UTC)), media_type=CONTENT_TYPE)


def _tally(site: Site) -> Tally | None:
    try:
        return site.jobs.tally()
    except NodeError:  # told by cspine_database_up
        return None


def _facts(site: Site) -> Facts:
    return Facts(
        version=__version__,
        free_bytes=site.store.free_mb() * 1e6,
        minimum_free_bytes=site.config.reception.minimum_free_disk_mb * 1e6,
        receiving=len(site.store.open_marks()),
        models=tuple(one for one in _models(site).values() if one is not None),
        destinations=tuple(one.name for one in site.config.destinations),
        stalled=_stalled(site),
    )


def _stalled(site: Site) -> int:
    try:
        return len(site.jobs.stalled(site.config.jobs.alarm_s))
    except NodeError:  # told by cspine_database_up
        return 0


def _models(site: Site) -> dict[str, ModelIdentity | None]:
    """Return what the configured models say of themselves; None where a manifest or its weights are not there."""
    section = site.config.inference
    found: dict[str, ModelIdentity | None] = {}
    for name in (section.sagittal_segmentation, section.axial_segmentation, section.keypoints):
        folder = models_dir(section) / name
        try:
            manifest = load_manifest(folder)
            found[name] = manifest.identity if (folder / manifest.file).is_file() else None
        except NodeError:  # told by the check of this model
            found[name] = None
    return found


def live(_request: Request) -> Response:
    """Answer that the process answers."""
    return JSONResponse({"status": "live"})


def ready(request: Request) -> Response:
    """Answer whether studies can be taken and analysed: database, disk, models; 503 if not."""
    site = site_of(request)
    checks = {
        "database": _answers(site),
        "disk": site.store.free_mb() >= site.config.reception.minimum_free_disk_mb,
        "models": all(one is not None for one in _models(site).values()),
    }
    is_ready = all(checks.values())
    words = {name: "ok" if is_fine else "failed" for name, is_fine in checks.items()}
    return JSONResponse({"status": "ready" if is_ready else "not ready", "checks": words}, 200 if is_ready else 503)


def _answers(site: Site) -> bool:
    try:
        site.jobs.find(StudyQuery(limit=1))
    except NodeError:  # told by the check of the database
        return False
    return True
