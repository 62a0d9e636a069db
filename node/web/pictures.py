"""Slices with outlines, and the pictures of a report."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from node.domain.study import SeriesRole
from node.web.answering import site_of
from node.web.pages import study_uid_of
from node.web.reading import read_analysis


def slice_image(request: Request) -> Response:
    """Answer with one slice of a measured series as PNG, numbered from 1; ``?outlines=0`` leaves the outlines out."""
    site = site_of(request)
    current = site.jobs.study(study_uid_of(request)).study.current
    role = str(request.path_params["role"])
    if current is None or role not in list(SeriesRole):
        raise HTTPException(404)
    series = site.browser.series(current, read_analysis(current), SeriesRole(role))
    number = int(request.path_params["number"])
    if not 1 <= number <= len(series):
        raise HTTPException(404)
    with_outlines = request.query_params.get("outlines", "1") != "0"
    return Response(series.picture(number - 1, with_outlines=with_outlines), media_type="image/png")


def report_picture(request: Request) -> Response:
    """Answer with a picture that ``measurements.json`` names; nothing else of the folder is given out."""
    report = read_analysis(site_of(request).jobs.study(study_uid_of(request)).study.current)
    name = str(request.path_params["name"])
    if report.folder is None or report.document is None or name not in report.document.pictures:
        raise HTTPException(404)
    return FileResponse(report.folder / name, media_type="image/png")
