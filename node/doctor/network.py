"""Our port, and the destinations: whether they answer, and whether they would take what we are to send."""

import errno
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from node.config import Config, DestinationConfig
from node.delivery import EchoReport, echo, sop_classes_of
from node.doctor.certificates import expiry
from node.doctor.check import Check, CheckResult, checks_of, verdict
from node.domain.errors import NodeError, Reason
from node.domain.report import ReportKind

_CONNECT_TIMEOUT_S = 5.0
#: What is reached from this machine only; and where a node that listens on every address is reached from it.
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared, not bound


def port_check(config: Config) -> Check:
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


def peers_check(config: Config) -> Check:
    """Say who may send studies. AE titles keep out what is misconfigured, and no stranger."""
    reception = config.reception
    is_restricted = bool(
        reception.bind_address in LOCAL
        or reception.allowed_networks
        or reception.allowed_calling_ae_titles
        or (reception.tls and reception.tls.ca_file)
    )
    who = ", ".join((*reception.allowed_networks, *reception.allowed_calling_ae_titles)) or "all that reach the port"
    advice = "name the PACS and scanners: reception.allowed_networks, allowed_calling_ae_titles or tls.ca_file"
    return verdict("peers", is_restricted, f"admitted: {who}", advice)


def _own_port(config: Config, where: str) -> Check:
    reception = config.reception
    host = LOOPBACK.get(reception.bind_address, reception.bind_address)
    ourselves = DestinationConfig(
        name="self", host=host, port=reception.port, ae_title=reception.ae_title, timeout_s=_CONNECT_TIMEOUT_S
    )
    calling = (*reception.allowed_calling_ae_titles, reception.ae_title)[0]
    try:
        echo(ourselves, calling)
    except NodeError as error:
        if error.reason is Reason.PEER_REJECTED:
            hint = "a node of ours does so whose allowed_networks or AE titles leave out this machine"
            return Check("reception", CheckResult.OK, f"what listens on {where} speaks DICOM and rejects us: {hint}")
        return Check(
            "reception", CheckResult.FAILED, f"another program listens on {where}; choose another port ({error.message})"
        )
    return Check("reception", CheckResult.OK, f"a node with our AE title {reception.ae_title} runs on {where}")


def destination_checks(config: Config) -> Iterator[Check]:
    """Return the checks of every destination."""
    if not config.destinations:
        yield Check("destinations", CheckResult.WARNING, "none configured: results stay in the store")
    for destination in config.destinations:
        check = partial(_destination, destination, config.reception.ae_title)
        yield from checks_of(f"destination {destination.name}", check)


def _destination(destination: DestinationConfig, calling_ae_title: str) -> Sequence[Check]:
    """Say whether a peer answers and would take what we are to send it."""
    report = echo(destination, calling_ae_title)
    name = f"destination {destination.name}"
    if report.accepted is None:
        return [_service(name, destination, report)]
    checks = [_contexts(name, destination, report.accepted, report)]
    if destination.storage_commitment and not report.offers_storage_commitment:
        advice = "results then count as delivered when it stores them: switch it on there, or storage_commitment off here"
        checks.append(Check(name, CheckResult.WARNING, f"it offers no storage commitment; {advice}"))
    if report.certificate_ends_at_s is not None:
        checks.append(expiry(name, report.certificate_ends_at_s, "its certificate", time.time()))
    return checks


def _service(name: str, destination: DestinationConfig, report: EchoReport) -> Check:
    message = f"answers DICOMweb in {report.ms:.0f} ms; what it takes shows only when results are sent"
    is_exposed = destination.dicomweb is not None and destination.dicomweb.is_exposed
    return verdict(name, not is_exposed, message, "results and secrets cross the network in the clear: use an https url")


def _contexts(name: str, destination: DestinationConfig, classes: Mapping[str, tuple[str, ...]], report: EchoReport) -> Check:
    accepted = [name for name, syntaxes in classes.items() if syntaxes]
    refused = [name for name, syntaxes in classes.items() if not syntaxes]
    kinds_refused = [
        kind for kind in destination.objects if not any(one.name in accepted for one in sop_classes_of(ReportKind(kind)))
    ]
    message = f"answers in {report.ms:.0f} ms; accepts {', '.join(accepted) or 'no result class'}"
    message += "; offers storage commitment" if report.offers_storage_commitment else "; offers no storage commitment"
    if refused:
        message += f"; refuses {', '.join(refused)}"
    if kinds_refused:
        message += f"; it cannot receive {', '.join(kinds_refused)}: enable the class there, or remove it from objects"
    return Check(name, CheckResult.FAILED if kinds_refused else CheckResult.OK, message)
