"""A DICOMweb service: bounded requests to it; its refusals become our errors."""

import base64
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from node.config import DicomwebConfig, PeerConfig
from node.delivery.tls import destination_context
from node.domain.errors import PermanentError, Reason, TransientError

JSON = "application/dicom+json"
#: An answer to one of our requests takes some kilobytes; what is longer is none.
MAXIMUM_ANSWER_BYTES = 8 * 1024 * 1024
_PART_BYTES = 65536
_LONGEST_SECRET = 65536
_REDIRECTS = range(300, 400)
_OUR_RIGHTS = (401, 403)
_NO_SUCH_SERVICE = (404, 405, 501)
# Too Many Requests, and what a server or a proxy says while it cannot.
_LATER = (408, 429, 500, 502, 503, 504, 507)


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """A status that is no refusal of the service as such, and the whole body."""

    status: int
    body: bytes


class WebPeer:
    """A DICOMweb service, over connections that are kept; ``address`` is for messages."""

    def __init__(self, peer: PeerConfig, service: DicomwebConfig, pool: urllib3.PoolManager) -> None:
        self.name = peer.name
        self.address = f"{peer.name} ({peer.address})"
        self._url = service.url
        self._pool = pool
        self._timeout_s = peer.timeout_s
        self._rights = _authorization(peer.name, service)

    def get(self, path: str, fields: Mapping[str, str]) -> WebAnswer:
        """Ask for JSON."""
        with self._answered("GET", path, {"Accept": JSON}, fields=fields) as answer:
            return self._read(answer, Reason.QUERY_REFUSED)

    def streamed(self, path: str, accept: str) -> AbstractContextManager[urllib3.BaseHTTPResponse]:
        """Ask for what is too large to be kept; who reads it bounds it. No wait for more of it is longer than the timeout."""
        return self._answered("GET", path, {"Accept": accept})

    def post(self, path: str, headers: Mapping[str, str], body: Iterable[bytes]) -> WebAnswer:
        """Send a body in parts; the answer is to be JSON."""
        with self._answered("POST", path, {"Accept": JSON, **headers}, body=body) as answer:
            return self._read(answer, Reason.STORE_FAILED)

    @contextmanager
    def _answered(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        fields: Mapping[str, str] | None = None,
        body: Iterable[bytes] | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        try:
            answer = self._pool.request(
                method,
                self._url + path,
                headers={**headers, **self._rights},
                fields=dict(fields) if fields else None,
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=self._timeout_s, read=self._timeout_s),
            )
            try:
                self._require_service(answer.status)
                yield answer
            finally:
                answer.close()
        except SSLError as error:
            what = f"cannot reach {self.address}: TLS failed: {error}; check the certificates and `tls`"
            raise TransientError(Reason.PEER_UNREACHABLE, what) from error
        except (HTTPError, OSError) as error:
            what = f"{self.address} cannot be reached or did not answer within {self._timeout_s:g} s ({type(error).__name__})"
            raise TransientError(Reason.PEER_UNREACHABLE, f"{what}; check url, the network and that it runs") from error

    def _read(self, answer: urllib3.BaseHTTPResponse, reason: Reason) -> WebAnswer:
        """Return the whole answer; each part, all of it and its length are bounded, the latter with a reason."""
        body, ends_at_s = bytearray(), time.monotonic() + self._timeout_s
        while part := answer.read1(_PART_BYTES):
            body += part
            if len(body) > MAXIMUM_ANSWER_BYTES:
                what = f"{self.address} answered with more than {MAXIMUM_ANSWER_BYTES} bytes"
                raise PermanentError(reason, what)
            if time.monotonic() > ends_at_s:
                what = f"{self.address} did not finish its answer within {self._timeout_s:g} s"
                raise TransientError(Reason.PEER_UNREACHABLE, what)
        return WebAnswer(answer.status, bytes(body))

    def _require_service(self, status: int) -> None:
        """Raise what an administrator of the peer can change, or what passes."""
        if status in _OUR_RIGHTS:
            what = "it does not let us in: check user and password_file, or token_file, and our rights there"
        elif status in _NO_SUCH_SERVICE:
            what = "there is no such DICOMweb service: check url in dicomweb"
        elif status in _REDIRECTS:
            what = "it redirects, which is not followed: write the url that it redirects to"
        elif status in _LATER:
            raise TransientError(
                Reason.PEER_OUT_OF_RESOURCES, f"{self.address} cannot take this now (HTTP {status}); see its log"
            )
        else:
            return
        raise TransientError(Reason.PEER_REJECTED, f"{self.address} answered HTTP {status}: {what}")


@contextmanager
def open_web(peer: PeerConfig) -> Iterator[WebPeer]:
    """Return a DICOMweb service; nothing is sent yet. Proxies of the environment are not used: a PACS is near.

    Raises
    ------
    PermanentError
        ``config_invalid`` if a file of TLS, password or token cannot be used.
    """
    if peer.dicomweb is None:
        raise PermanentError(Reason.CONFIG_INVALID, f"{peer.name} has no dicomweb in the configuration")
    tls = destination_context(peer)
    with urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=tls) as pool:
        yield WebPeer(peer, peer.dicomweb, pool)


def _authorization(name: str, service: DicomwebConfig) -> dict[str, str]:
    """Return the header that says who we are; the files are read each time, so a new secret is used at once."""
    if service.token_file is not None:
        return {"Authorization": f"Bearer {_secret(name, service.token_file)}"}
    if service.password_file is not None:
        pair = f"{service.user}:{_secret(name, service.password_file)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"}
    return {}


def _secret(name: str, path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            secret = file.read(_LONGEST_SECRET).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentError(Reason.CONFIG_INVALID, f"{name}: cannot read {path} of dicomweb: {type(error).__name__}") from error
    if not secret or not secret.isprintable():
        raise PermanentError(Reason.CONFIG_INVALID, f"{name}: {path} of dicomweb must hold one line of printable characters")
    return secret
