"""How a request is answered: the visitor behind it, pages with their session cookie, errors as pages or JSON."""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from node.domain.errors import NodeError, Reason, TransientError
from node.web.guard import SESSION_COOKIE
from node.web.rendering import THEMES, Visitor, render
from node.web.sessions import Session
from node.web.site import Site
from node.web.words import LANGUAGES, WORDS, Wording

_log = logging.getLogger(__name__)

_STATUSES = {
    Reason.STUDY_UNKNOWN: 404,
    Reason.DESTINATION_UNKNOWN: 404,
    Reason.NO_USABLE_SERIES: 404,
    Reason.REPORT_UNREADABLE: 404,
    Reason.NOTHING_TO_RETRY: 409,
}


def site_of(request: Request) -> Site:
    """Return the site of a request."""
    site: Site = request.app.state.site
    return site


def visitor_of(request: Request) -> Visitor:
    """Return how the visitor wants the pages."""
    site, session = site_of(request), request.scope.get("cspine.session")
    language, theme = request.cookies.get("cspine_language", ""), request.cookies.get("cspine_theme", "")
    return Visitor(
        language=language if language in LANGUAGES else site.config.web.language,
        theme=theme if theme in THEMES else "auto",
        form_token=session.form_token if session else "",
        may_log_out=session is not None and session.is_member,
    )


def html(request: Request, template: str, view: object, status: int = 200, **more: object) -> Response:
    """Return a page; a visitor without a session is given one, so that its forms work."""
    site = site_of(request)
    fresh: Session | None = None
    if request.scope.get("cspine.session") is None:
        fresh = request.scope["cspine.session"] = site.sessions.open(is_member=False)
    text = render(template, view, visitor_of(request), path=request.url.path, query=request.url.query, **more)
    answer = HTMLResponse(text, status)
    if fresh is not None:
        set_session(answer, site, fresh)
    return answer


def set_session(answer: Response, site: Site, session: Session) -> None:
    """Put a session into the cookie of an answer."""
    secure = site.config.web.secure_cookie
    answer.set_cookie(SESSION_COOKIE, session.key, httponly=True, samesite="strict", secure=secure)


async def answer_node_error(request: Request, error: Exception) -> Response:
    """Answer with what a stage or the database said no to."""
    if not isinstance(error, NodeError):
        raise TypeError("answers known errors only")
    status = 503 if isinstance(error, TransientError) else _STATUSES.get(error.reason, 400)
    return _problem(request, status, error.reason.value, error.message)


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer for an address or a form that cannot be used."""
    if not isinstance(error, HTTPException):
        raise TypeError("answers refusals only")
    key = error.detail if error.detail in WORDS else "error_unknown" if error.status_code == 404 else ""
    text = Wording(visitor_of(request).language)(key) if key else error.detail
    return _problem(request, error.status_code, "", text)


async def answer_internal_error(request: Request, _error: Exception) -> Response:
    """Answer for a fault of ours; the server logs it."""
    return _problem(request, 500, Reason.INTERNAL_ERROR.value, Wording(visitor_of(request).language)("error_internal"))


def _problem(request: Request, status: int, code: str, message: str) -> Response:
    if request.url.path.endswith(".json"):
        return JSONResponse({"error": message, "code": code}, status)
    return html(request, "error.html", None, status, code=code, message=message)
