"""A real HTTP server on loopback that hears messages and answers as it is told."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hearing:
    """What was heard; ``status`` is the next answer, ``drip`` holds it back byte by byte."""

    status: int = 204
    answer: Mapping[str, str] = field(default_factory=dict)
    drips: bool = False
    port: int = 0
    messages: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/told?by=node"


@contextmanager
def hearing() -> Iterator[Hearing]:
    """Hear messages for the time of the block."""
    heard = Hearing()

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

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        heard.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            heard.stopped.set()
            server.shutdown()
            thread.join()
