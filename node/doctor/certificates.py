"""How long the certificates in the configured files are valid."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from node.config import Config
from node.doctor.check import Check, CheckResult

#: A certificate that ends sooner is worth a warning.
WARN_DAYS = 30
_DAY_S = 86400.0
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED


def certificate_checks(config: Config) -> Iterator[Check]:
    """Return a check for each certificate of ours, and for the authorities that we trust."""
    sections = [("reception", config.reception.tls), *((f"destination {one.name}", one.tls) for one in config.destinations)]
    for name, tls in sections:
        if tls is None:
            continue
        if tls.certificate_file is not None and tls.key_file is not None:
            yield _checked(
                f"{name} certificate", tls.certificate_file, own_certificate_ends_at(tls.certificate_file, tls.key_file)
            )
        if tls.ca_file is not None:
            yield authorities_check(f"{name} authorities", tls.ca_file)


def authorities_check(name: str, path: Path) -> Check:
    """Return what is to be said of a file of authorities that we trust."""
    return _checked(name, path, authorities_end_at(path))


def expiry(name: str, ends_at_s: float, where: str, now_s: float) -> Check:
    """Return what is to be said of a certificate that ends at a moment, in seconds since the epoch."""
    days = (ends_at_s - now_s) / _DAY_S
    ends = time.strftime("%Y-%m-%d", time.gmtime(ends_at_s))
    if days <= 0:
        return Check(name, CheckResult.FAILED, f"{where} has expired: renew it")
    result = CheckResult.OK if days >= WARN_DAYS else CheckResult.WARNING
    return Check(name, result, f"{where} ends on {ends}, in {days:.0f} days" + ("" if days >= WARN_DAYS else ": renew it"))


def _checked(name: str, path: Path, ends_at_s: float | str) -> Check:
    if isinstance(ends_at_s, str):
        return Check(name, CheckResult.FAILED, f"{path}: {ends_at_s}")
    return expiry(name, ends_at_s, str(path), time.time())


def own_certificate_ends_at(certificate: Path, key: Path) -> float | str:
    """Return when a certificate with its key ends, in seconds since the epoch, or what is wrong with it.

    Python reads certificates only in a handshake; so two ends shake hands in memory, and the certificate is its own anchor.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    try:
        server.load_cert_chain(certificate, key)
        client.load_verify_locations(certificate)
        found = _shake_hands(client, server)
    except ssl.SSLCertVerificationError as error:
        return 0.0 if error.verify_code == _EXPIRED else error.verify_message
    except (OSError, ValueError) as error:
        return f"cannot be used: {error}"
    return ssl.cert_time_to_seconds(str(found["notAfter"]))


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, object]:
    """Return the certificate of the server as the client sees it."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    found = ours.getpeercert()
    if not found:
        raise ValueError("no certificate came back")
    return dict(found)


def authorities_end_at(path: Path) -> float | str:
    """Return when the first of the authorities in a file ends, in seconds since the epoch, or what is wrong with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError) as error:
        return f"cannot be used: {error}"
    ends = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in context.get_ca_certs()]
    return min(ends) if ends else "holds no certificate authority"
