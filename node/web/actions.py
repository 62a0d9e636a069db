"""What a person may do: log in and out, choose language and appearance, retry, cancel, send again, check a destination.

Each is a POST with the token of the visitor's session in its form, and ends with a redirect.
"""

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from node.domain.errors import PermanentError, Reason
from node.domain.identity import StudyInstanceUID
from node.web.answering import html, set_session, site_of, visitor_of
from node.web.pages import study_uid_of
from node.web.rendering import THEMES
from node.web.sessions import Session
from node.web.words import LANGUAGES

_log = logging.getLogger(__name__)

_YEAR_S = 31_536_000
Action = Callable[[Request, FormData], Awaitable[Response]]


def _post(path: str, action: Action) -> Route:
    """Return the route of an action; its form must carry the token of the session."""

    async def checked(request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=20)
        session: Session | None = request.scope["cspine.session"]
        given = str(form.get("form_token", ""))
        if session is None or not session.is_form(given):
            raise HTTPException(403, "error_expired")
        return await action(request, form)

    return Route(path, checked, methods=["POST"])


async def _log_in(request: Request, form: FormData) -> Response:
    site, client = site_of(request), request.client.host if request.client else ""
    wait_s = site.limiter.wait_s(client)
    if wait_s > 0:
        answer = html(request, "login.html", None, 429, problem="password_wait", wait_s=round(wait_s) + 1)
        answer.headers["retry-after"] = str(round(wait_s) + 1)
        return answer
    if not await run_in_threadpool(_fits, request, str(form.get("password", ""))):
        site.limiter.failed(client)
        _log.warning("login failed", extra={"address": client})
        return html(request, "login.html", None, 401, problem="password_wrong", wait_s=0)
    site.limiter.succeeded(client)
    site.sessions.close(request.scope["cspine.session"])
    _log.info("login", extra={"address": client})
    answer = RedirectResponse("/studies", 303)
    set_session(answer, site, site.sessions.open(is_member=True))
    return answer


def _fits(request: Request, password: str) -> bool:
    site = site_of(request)
    with site.login_lock:
        return site.credentials.password is not None and site.credentials.password.fits(password)


async def _log_out(request: Request, _form: FormData) -> Response:
    site_of(request).sessions.close(request.scope["cspine.session"])
    return RedirectResponse("/login", 303)


async def _prefer(request: Request, form: FormData) -> Response:
    answer = RedirectResponse(_own_path(str(form.get("next", ""))), 303)
    secure = site_of(request).config.web.secure_cookie
    for name, allowed in (("language", LANGUAGES), ("theme", THEMES)):
        value = str(form.get(name, ""))
        if value in allowed:
            answer.set_cookie(f"cspine_{name}", value, _YEAR_S, samesite="strict", secure=secure, httponly=True)
    return answer


def _own_path(text: str) -> str:
    """Return a path of this site, whatever was given."""
    parts = urlsplit(text)
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc and "\\" not in text
    return text if is_own and text.isprintable() else "/studies"


async def _retry(request: Request, _form: FormData) -> Response:
    return await _change(request, "retry", site_of(request).jobs.retry)


async def _cancel(request: Request, _form: FormData) -> Response:
    return await _change(request, "cancel", site_of(request).jobs.cancel)


async def _resend(request: Request, form: FormData) -> Response:
    names = [one.name for one in site_of(request).config.destinations]
    to = str(form.get("destination", ""))
    return await _change(request, "resend", lambda uid, actor: site_of(request).jobs.resend(uid, names, actor, to))


async def _change(request: Request, verb: str, what: Callable[[StudyInstanceUID, str], object]) -> Response:
    uid = study_uid_of(request)
    actor = f"a page, from {request.client.host if request.client else 'unknown'}"
    done = await run_in_threadpool(what, uid, actor)
    _log.info("asked on a page", extra={"action": verb, "study_instance_uid": uid, "done": str(done)})
    return RedirectResponse(f"/studies/{uid}", 303)


async def _echo(request: Request, _form: FormData) -> Response:
    site, name = site_of(request), request.path_params["name"]
    destination = next((one for one in site.config.destinations if one.name == name), None)
    if destination is None:
        raise PermanentError(Reason.DESTINATION_UNKNOWN, "no such destination in the configuration")
    await run_in_threadpool(site.echoes.ask, destination)
    return RedirectResponse("/destinations", 303)


async def login_page(request: Request) -> Response:
    """Show the form of the password."""
    if site_of(request).credentials.password is None or visitor_of(request).may_log_out:
        return RedirectResponse("/studies", 303)
    return html(request, "login.html", None, problem="", wait_s=0)


ACTIONS = (
    _post("/login", _log_in),
    _post("/logout", _log_out),
    _post("/preferences", _prefer),
    _post("/studies/{study_instance_uid}/retry", _retry),
    _post("/studies/{study_instance_uid}/cancel", _cancel),
    _post("/studies/{study_instance_uid}/resend", _resend),
    _post("/destinations/{name}/echo", _echo),
)
