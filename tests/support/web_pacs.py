"""A DICOMweb service that answers as a test says, and keeps what it was sent."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from node.config import DestinationConfig, SourceConfig

Answer = tuple[int, bytes]


@dataclass(frozen=True)
class WebPacs:
    """The running service."""

    port: int
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def source(self) -> SourceConfig:
        """Return it as a source."""
        return SourceConfig.model_validate(self.destination().model_dump(include={"name", "dicomweb", "timeout_s"}))

    def destination(self, **dicomweb: object) -> DestinationConfig:
        """Return it as a destination."""
        fields = {"url": f"http://127.0.0.1:{self.port}/dicom-web", **dicomweb}
        return DestinationConfig.model_validate({"name": "pacs", "dicomweb": fields, "timeout_s": 1})


@contextmanager
def running_web_pacs(answer: Callable[[bytes], Answer], tls: ssl.SSLContext | None = None) -> Iterator[WebPacs]:
    """Run a service of one path; ``answer`` makes status and body from the body of a request."""

    class Requests(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            pacs.requests.append((f"{self.command} {self.path}", dict(self.headers), body))
            status, content = answer(body)
            self.send_response(status)
            self.send_header("Content-Type", 'multipart/related; type="application/dicom"; boundary=b')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _reply  # noqa: N815 - the names of the standard library

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        pacs = WebPacs(server.server_address[1])
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield pacs
        finally:
            server.shutdown()
            thread.join()
