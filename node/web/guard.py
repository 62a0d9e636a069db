"""What stands before every page: name, size, time and origin of a request; who asks; the headers of every answer."""

import asyncio
import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.config import WebConfig
from node.web.password import Credentials, is_loopback
from node.web.sessions import Session, Sessions

_log = logging.getLogger(__name__)

SESSION_COOKIE = "cspine_session"
#: Open to everyone who reaches the port: they say nothing of a study.
_OPEN_PATHS = ("/health/live", "/health/ready", "/login", "/preferences", "/static/")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """Who is let in."""

    config: WebConfig
    credentials: Credentials
    sessions: Sessions

    def is_known_name(self, host: str) -> bool:
        """Return whether a request was sent to a name of ours: a foreign one that resolves to us must not read the pages."""
        name = (urlsplit(f"//{host}").hostname or "").lower()
        if self.config.host_names:
            return name in {one.lower() for one in self.config.host_names} or is_loopback(name)
        return is_loopback(name) or self.credentials.password is not None

    def session_of(self, connection: HTTPConnection) -> Session | None:
        """Return the session of a request's cookie."""
        return self.sessions.find(connection.cookies.get(SESSION_COOKIE))

    def admits(self, connection: HTTPConnection, session: Session | None) -> bool:
        """Return whether a request may see pages: logged in, or with the token, or where no password is asked."""
        if self.credentials.password is None or (session is not None and session.is_member):
            return True
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.credentials.fits_token(token.strip())


class Guard:
    """The outermost part of the application."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(scope, send)
        try:
            async with asyncio.timeout(self._gate.config.request_timeout_s):
                answer = self._refusal(scope)
                bounded = _bounded(receive, self._gate.config.maximum_request_bytes)
                await (answer or self._app)(scope, bounded, guarded)
        except TimeoutError:
            _log.warning("request took too long", extra={"path": _kind_of(scope["path"])})
            if not scope.get("cspine.is_answered"):
                await PlainTextResponse("the request took too long", 503)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return why a request is not answered; its session is noted where it is."""
        connection = HTTPConnection(scope)
        headers = connection.headers
        if not self._gate.is_known_name(headers.get("host", "")):
            return PlainTextResponse("this name is not one of ours: see web.host_names in the configuration", 421)
        if _declared_length(headers) > self._gate.config.maximum_request_bytes:
            return PlainTextResponse("the request is too large", 413)
        if scope["method"] not in ("GET", "HEAD") and not _is_of_our_pages(headers):
            return PlainTextResponse("this request comes from a page that is not ours", 403)
        session = self._gate.session_of(connection)
        scope["cspine.session"] = session
        path = scope["path"]
        if path.startswith(_OPEN_PATHS) or self._gate.admits(connection, session):
            return None
        if path.endswith(".json") or path == "/metrics":
            return JSONResponse({"error": "log in, or send the token"}, 401, {"www-authenticate": "Bearer"})
        return RedirectResponse("/login", 303)


def _declared_length(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isdecimal() else 0


def _is_of_our_pages(headers: Headers) -> bool:
    """Return whether a browser says that a form was sent from a page of this very site; other programs say nothing."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def _bounded(receive: Receive, maximum_bytes: int) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > maximum_bytes:
            raise HTTPException(413, "the request is too large")
        return message

    return bounded


def _with_headers(scope: Scope, send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            scope["cspine.is_answered"] = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return guarded


def _kind_of(path: str) -> str:
    """Return the first part of a path: what follows may be anything that somebody typed."""
    return "/" + path.strip("/").partition("/")[0][:20]
