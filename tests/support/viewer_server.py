"""The built OHIF viewer on a loopback port, in front of an Orthanc: one origin for the application and DICOMweb."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CONFIG = Path(__file__).parent / "javascript" / "app-config.js"


@contextmanager
def serving_viewer(application: Path, pacs_port: int) -> Iterator[str]:
    """Serve a built OHIF until the block is left; yield its address."""
    handler = partial(_Viewer, directory=str(application), pacs_port=pacs_port)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="viewer under test")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Viewer(SimpleHTTPRequestHandler):
    """Answers with files of the application, its page for every unknown address, and what the PACS says to DICOMweb."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, pacs_port: int, **named: object) -> None:
        self._pacs = f"http://127.0.0.1:{pacs_port}"
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:
        if self.path.startswith(("/dicom-web", "/wado")):
            self._pass_on()
        elif self.path == "/app-config.js":
            self._answer(200, "text/javascript", _CONFIG.read_bytes())
        elif self.path == "/init-service-worker.js":
            self._answer(200, "text/javascript", b"")
        else:
            if not Path(self.translate_path(self.path)).is_file():
                self.path = "/index.html"
            super().do_GET()

    def end_headers(self) -> None:
        # shared memory, which the volume viewports need, exists on isolated pages only
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _pass_on(self) -> None:
        accepted = {"Accept": self.headers.get("Accept", "*/*")}
        request = urllib.request.Request(self._pacs + self.path, headers=accepted)  # noqa: S310 - the PACS of the test, on loopback
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
                self._answer(answer.status, answer.headers["Content-Type"], answer.read())
        except urllib.error.HTTPError as error:
            with error:
                self._answer(error.code, error.headers.get("Content-Type", "text/plain"), error.read())

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
