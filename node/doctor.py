"""Finds out what is wrong here: each check says what it found and, if something is wrong, what to do."""

import errno
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from node.config import Config, DestinationConfig
from node.delivery import echo, sop_classes_of
from node.domain.errors import NodeError
from node.domain.report import ReportKind
from node.store import open_store

# 2026-01-01: a clock that says less was never set.
_EARLIEST_S = 1767225600
_CONNECT_TIMEOUT_S = 5.0
# Where a node that listens on every address is reached from this machine.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared, not bound


class CheckResult(StrEnum):
    """How a check ended; only ``failed`` makes the exit code 1."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what was found."""

    name: str
    result: CheckResult
    message: str


def run_checks(config: Config, model_checks: Callable[[], Sequence[Check]]) -> tuple[Check, ...]:
    """Return the checks of a configuration that was already read, in the order of the data.

    Parameters
    ----------
    model_checks
        Checks of models and execution provider; a NodeError that it raises becomes a failed check.
    """
    return (
        *_checks_of("store", lambda: _store(config)),
        *_checks_of("database", lambda: _database(config.database)),
        *_checks_of("clock", lambda: [_clock(time.time())]),
        *_checks_of("reception", lambda: [_port(config)]),
        *_checks_of("models", model_checks),
        *_destinations(config),
    )


def _checks_of(name: str, checks: Callable[[], Sequence[Check]]) -> Sequence[Check]:
    """Return the checks, or one failed check if they end with an error."""
    try:
        return checks()
    except NodeError as error:
        return [Check(name, CheckResult.FAILED, error.message)]
    except OSError as error:
        return [Check(name, CheckResult.FAILED, f"{error.filename or name}: {error.strerror}")]


def _store(config: Config) -> Sequence[Check]:
    store = open_store(config.store)
    with TemporaryFile(dir=store.incoming) as probe:
        probe.write(b"probe")
    free_mb, minimum_mb = store.free_mb(), config.reception.minimum_free_disk_mb
    enough = free_mb >= minimum_mb
    hint = "" if enough else "; associations are rejected: free space or lower reception.minimum_free_disk_mb"
    return [
        Check("store", CheckResult.OK, f"{store.root} is writable"),
        Check("disk", CheckResult.OK if enough else CheckResult.FAILED, f"{free_mb:.0f} MB free, minimum {minimum_mb} MB{hint}"),
    ]


def _database(uri: str) -> Sequence[Check]:
    if not uri.startswith("sqlite:"):
        return [_database_server(uri)]
    folder = Path(uri.removeprefix("sqlite:").removeprefix("///")).parent
    existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    with TemporaryFile(dir=existing) as probe:
        probe.write(b"probe")
    return [Check("database", CheckResult.OK, f"{folder} is writable")]


def _database_server(uri: str) -> Check:
    parts = urlsplit(uri)
    host, port = parts.hostname or "localhost", parts.port or 5432
    try:
        socket.create_connection((host, port), _CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return Check("database", CheckResult.FAILED, f"{host}:{port} does not answer ({error}); check that the server runs")
    return Check("database", CheckResult.OK, f"{host}:{port} answers")


def _clock(now_s: float) -> Check:
    if now_s < _EARLIEST_S:
        return Check("clock", CheckResult.FAILED, "the clock is years behind; results would carry wrong dates: set it")
    return Check("clock", CheckResult.OK, time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now_s)))


def _port(config: Config) -> Check:
    """Say whether the port is free, or already ours: then our AE title answers there."""
    reception = config.reception
    where = f"{reception.bind_address}:{reception.port}"
    try:
        family = socket.AF_INET6 if ":" in reception.bind_address else socket.AF_INET
        with socket.create_server((reception.bind_address, reception.port), family=family):
            return Check("reception", CheckResult.OK, f"{where} is free")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return Check("reception", CheckResult.FAILED, f"cannot listen on {where}: {error.strerror}")
    return _own_port(config, where)


def _own_port(config: Config, where: str) -> Check:
    reception = config.reception
    host = _LOOPBACK.get(reception.bind_address, reception.bind_address)
    ourselves = DestinationConfig(
        name="self", host=host, port=reception.port, ae_title=reception.ae_title, timeout_s=_CONNECT_TIMEOUT_S
    )
    calling = (*reception.allowed_calling_ae_titles, reception.ae_title)[0]
    try:
        echo(ourselves, calling)
    except NodeError as error:
        return Check(
            "reception", CheckResult.FAILED, f"another program listens on {where}; choose another port ({error.message})"
        )
    return Check("reception", CheckResult.OK, f"a node with our AE title {reception.ae_title} runs on {where}")


def _destinations(config: Config) -> Iterator[Check]:
    if not config.destinations:
        yield Check("destinations", CheckResult.WARNING, "none configured: results stay in the store")
    for destination in config.destinations:
        check = partial(_destination, destination, config.reception.ae_title)
        yield from _checks_of(f"destination {destination.name}", check)


def _destination(destination: DestinationConfig, calling_ae_title: str) -> Sequence[Check]:
    """Say whether a peer answers and would take what we are to send it."""
    report = echo(destination, calling_ae_title)
    accepted = [name for name, syntaxes in report.accepted.items() if syntaxes]
    refused = [name for name, syntaxes in report.accepted.items() if not syntaxes]
    kinds_refused = [
        kind for kind in destination.objects if not any(one.name in accepted for one in sop_classes_of(ReportKind(kind)))
    ]
    message = f"answers in {report.ms:.0f} ms; accepts {', '.join(accepted) or 'no result class'}"
    if refused:
        message += f"; refuses {', '.join(refused)}"
    if kinds_refused:
        message += f"; it cannot receive {', '.join(kinds_refused)}: enable the class there, or remove it from objects"
    return [Check(f"destination {destination.name}", CheckResult.FAILED if kinds_refused else CheckResult.OK, message)]
