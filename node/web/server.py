"""The HTTP server of the web role."""

import asyncio
import errno
import logging
import os
import socket
import threading
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from node.config import Config
from node.domain.errors import ConfigError, Reason, TransientError
from node.jobs import open_jobs
from node.store import open_store
from node.web.application import build_application
from node.web.password import load_credentials
from node.web.site import open_site

_log = logging.getLogger(__name__)

_HEADERS_TIMEOUT_S = 10.0
_MOST_CONNECTIONS = 200
_LARGEST_HEADERS_BYTES = 16384
_STOP_TIMEOUT_S = 5
_POLL_S = 0.05


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 in which a peer that does not finish its headers in time is hung up on."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop to wait when a request is whole, and start when the next one begins."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to wait."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(_HEADERS_TIMEOUT_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def run_web(config: Config, environment: dict[str, str], stop: threading.Event, on_ready: Callable[[int], None]) -> None:
    """Serve the pages until ``stop`` is set.

    Parameters
    ----------
    environment
        May hold the password and the token.
    on_ready
        Called once with the port.

    Raises
    ------
    ConfigError
        If a secret cannot be used, or there is no password and other machines could reach the pages.
    TransientError
        ``port_in_use``.
    """
    credentials = load_credentials(config.web, environment)
    jobs, store = open_jobs(config.database), open_store(config.store)
    try:
        application = build_application(open_site(config, jobs, store, credentials))
        with _listening(config.web.host, config.web.port) as listener:
            _serve(uvicorn.Server(_settings(application)), listener, stop, on_ready)
    finally:
        jobs.close()


def _settings(application: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=ImpatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        h11_max_incomplete_event_size=_LARGEST_HEADERS_BYTES,
        timeout_graceful_shutdown=_STOP_TIMEOUT_S,
    )


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"web: another program listens on {host}:{port}; choose another web.port"
            raise TransientError(Reason.PORT_IN_USE, message) from error
        message = f"web: cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}; correct web.host and web.port"
        raise ConfigError(Reason.CONFIG_INVALID, message) from error


def _serve(server: uvicorn.Server, listener: socket.socket, stop: threading.Event, on_ready: Callable[[int], None]) -> None:
    """Run the server in a thread of its own: in the main one it would take the signals over."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web")
    thread.start()
    while thread.is_alive() and not server.started and not stop.wait(_POLL_S):
        continue
    port = int(listener.getsockname()[1])
    if server.started and not stop.is_set():
        _log.info("web started", extra={"port": port})
        on_ready(port)
        stop.wait()
    server.should_exit = True
    thread.join()
