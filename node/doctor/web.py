"""The web role and the webhooks: who reaches the pages and how, and whether those who are told can be."""

import errno
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from node.config import Config, WebhookConfig
from node.doctor.certificates import authorities_check
from node.doctor.check import Check, CheckResult, checks_of, verdict
from node.doctor.network import LOCAL, LOOPBACK
from node.webhooks import read_secret

_TIMEOUT_S = 5.0
_MOST_BYTES = 4096


def web_checks(config: Config, credentials: Callable[[], object]) -> Sequence[Check]:
    """Return what is to be said of section ``web``.

    Parameters
    ----------
    credentials
        Reads password and token as the web role does; raises ConfigError where that would refuse to start.
    """
    web = config.web
    if not web.enabled:
        return [Check("web", CheckResult.OK, "switched off")]
    credentials()
    checks = [_port(config)]
    if web.host not in LOCAL and not web.secure_cookie:
        advice = "put a proxy with TLS before it and set web.secure_cookie, or set web.host to 127.0.0.1"
        checks.append(verdict("web access", is_well=False, message=f"passwords travel in clear to {web.host}", advice=advice))
    return checks


def _port(config: Config) -> Check:
    host, port = config.web.host, config.web.port
    where = f"{host}:{port}"
    if port == 0:
        return Check("web", CheckResult.OK, f"the system chooses a port of {host}")
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return Check("web", CheckResult.OK, f"{where} is free")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return Check("web", CheckResult.FAILED, f"cannot listen on {where}: {error.strerror or error}; see web.host")
    if _is_ours(LOOPBACK.get(host, host), port):
        return Check("web", CheckResult.OK, f"a node's web role runs on {where}")
    return Check("web", CheckResult.FAILED, f"another program listens on {where}; choose another web.port")


def _is_ours(host: str, port: int) -> bool:
    try:
        with closing(HTTPConnection(host, port, timeout=_TIMEOUT_S)) as connection:
            connection.request("GET", "/health/live", headers={"Host": "localhost"})
            answer = json.loads(connection.getresponse().read(_MOST_BYTES))
    except (OSError, HTTPException, ValueError):
        return False
    return bool(answer == {"status": "live"})


def webhook_checks(config: Config) -> Iterator[Check]:
    """Return what is to be said of each webhook; nothing is sent to it."""
    for webhook in config.webhooks:
        yield from checks_of(f"webhook {webhook.name}", partial(_webhook, webhook))


def _webhook(webhook: WebhookConfig) -> Sequence[Check]:
    name, parts, checks = f"webhook {webhook.name}", urlsplit(webhook.url), list[Check]()
    if webhook.secret_file is None:
        what = "messages are not signed; set secret_file, and check the signature there"
        checks.append(Check(name, CheckResult.WARNING, what))
    else:
        read_secret(webhook.secret_file)
    if webhook.ca_file is not None:
        checks.append(authorities_check(f"{name} authorities", webhook.ca_file))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), min(webhook.timeout_s, _TIMEOUT_S)).close()
    except OSError as error:
        what = f"{parts.hostname}:{port} does not answer ({error.strerror or error}); messages wait and are tried again"
        return [*checks, Check(name, CheckResult.WARNING, what)]
    return [*checks, Check(name, CheckResult.OK, f"{parts.hostname}:{port} answers; told of {', '.join(webhook.events)}")]
