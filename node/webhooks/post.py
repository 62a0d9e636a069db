"""One POST to one address: signed, in bounded time; redirects are not followed, and the body of an answer is not read.

Source: Standard Webhooks, https://www.standardwebhooks.com: headers ``webhook-id``, ``-timestamp``, ``-signature``.
"""

import base64
import binascii
import hashlib
import hmac
import socket
import ssl
import threading
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from node.config import WebhookConfig
from node.domain.errors import ConfigError, Reason, TransientError

_SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with
_SHORTEST_SECRET = 24


def read_secret(path: Path) -> bytes:
    """Return the secret in a file.

    Raises
    ------
    ConfigError
        ``config_invalid`` if it cannot be read or is too short; the message does not quote it.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
        encoded = text.removeprefix(_SECRET_PREFIX)
        secret = text.encode() if encoded == text else base64.b64decode(encoded, validate=True)
    except (OSError, UnicodeDecodeError, binascii.Error) as error:
        why = getattr(error, "strerror", None) or "is no text, or no base64 after whsec_"
        raise ConfigError(Reason.CONFIG_INVALID, f"webhooks: secret_file {path}: {why}") from error
    if len(secret) < _SHORTEST_SECRET:
        what = f"webhooks: secret_file {path}: a secret needs at least {_SHORTEST_SECRET} characters"
        raise ConfigError(Reason.CONFIG_INVALID, what)
    return secret


def post(webhook: WebhookConfig, event_id: str, body: str, now_s: float) -> None:
    """Tell an address; it has taken the message when it answers 2xx.

    Raises
    ------
    TransientError
        ``peer_unreachable`` if it does not answer in time, ``peer_rejected`` if it answers something else.
    ConfigError
        ``config_invalid`` if the secret or the authorities cannot be read.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "cspine-node", **_signed(webhook, event_id, body, now_s)}
    parts = urlsplit(webhook.url)
    context = _context(webhook) if parts.scheme == "https" else None
    try:
        status = _answer(parts, context, webhook.timeout_s, body.encode(), headers)
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or type(error).__name__
        what = f"webhook {webhook.name} cannot be reached: TLS failed: {why}; check url and ca_file"
        raise TransientError(Reason.PEER_UNREACHABLE, what) from error
    except (OSError, HTTPException, UnicodeError) as error:
        what = f"webhook {webhook.name} cannot be reached: {type(error).__name__}"
        raise TransientError(Reason.PEER_UNREACHABLE, what) from error
    if not 200 <= status < 300:
        hint = "; redirects are not followed" if 300 <= status < 400 else ""
        raise TransientError(Reason.PEER_REJECTED, f"webhook {webhook.name} answered {status}{hint}")


def _signed(webhook: WebhookConfig, event_id: str, body: str, now_s: float) -> dict[str, str]:
    timestamp = str(int(now_s))
    headers = {"webhook-id": event_id, "webhook-timestamp": timestamp}
    if webhook.secret_file is not None:
        content = f"{event_id}.{timestamp}.{body}".encode()
        digest = hmac.new(read_secret(webhook.secret_file), content, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode('ascii')}"
    return headers


def _context(webhook: WebhookConfig) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=webhook.ca_file)
    except (OSError, ValueError) as error:
        what = f"webhook {webhook.name}: ca_file {webhook.ca_file} cannot be used: {error}"
        raise ConfigError(Reason.CONFIG_INVALID, what) from error


def _answer(parts: SplitResult, context: ssl.SSLContext | None, timeout_s: float, body: bytes, headers: dict[str, str]) -> int:
    """Return the status of the answer. The timer ends what a socket's own limit does not: a peer that drips bytes."""
    host, port = parts.hostname or "", parts.port or (80 if context is None else 443)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with socket.create_connection((host, port), timeout_s) as plain, closing(plain.dup()) as handle:
        deadline = threading.Timer(timeout_s, _shut, [handle])
        deadline.daemon = True
        deadline.start()
        try:
            with closing(HTTPConnection(host, port)) as connection:
                connection.sock = plain if context is None else context.wrap_socket(plain, server_hostname=host)
                connection.request("POST", target, body, {"Host": parts.netloc, **headers})
                with connection.getresponse() as answer:
                    return answer.status
        finally:
            deadline.cancel()


def _shut(handle: socket.socket) -> None:
    try:
        handle.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the peer was faster
