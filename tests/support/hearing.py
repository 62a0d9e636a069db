"""A real HTTP server on loopback that hears messages and answers as it is told."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.certificates import Certificate


@dataclass
class Hearing:
    """What was heard; ``status`` is the next answer, ``drip`` holds it back byte by byte."""

    status: int = 204
    answer: Mapping[str, str] = field(default_factory=dict)
    drips: bool = False
    port: int = 0
    scheme: str = "http"
    messages: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/told?by=node"


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of a peer that did not trust us and hung up."""


def _speak_tls(server: ThreadingHTTPServer, certificate: Certificate) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.certificate, certificate.key)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)


def _answering(heard: Hearing) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            heard.messages.append((self.path, dict(self.headers), self.rfile.read(length).decode()))
            if heard.drips:
                self._drip()
                return
            self.send_response(heard.status)
            for name, value in heard.answer.items():
                self.send_header(name, value)
            self.end_headers()

        def _drip(self) -> None:
            try:
                while not heard.stopped.wait(0.05):
                    self.wfile.write(b"H")
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Answering


@contextmanager
def hearing(certificate: Certificate | None = None) -> Iterator[Hearing]:
    """Hear messages for the time of the block, over TLS where there is a certificate."""
    heard = Hearing(scheme="http" if certificate is None else "https")

    with _Server(("127.0.0.1", 0), _answering(heard)) as server:
        heard.port = server.server_address[1]
        if certificate is not None:
            _speak_tls(server, certificate)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            heard.stopped.set()
            server.shutdown()
            thread.join()
