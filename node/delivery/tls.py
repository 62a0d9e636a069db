"""TLS for the SCU."""

import ssl

from node.config import TLS_1_2_CIPHERS, PeerConfig, PeerTlsConfig
from node.domain.errors import PermanentError, Reason


class DestinationContext(ssl.SSLContext):
    """A client context that keeps why its last handshake failed, which pynetdicom only logs."""

    problem: str = ""


class _Connection(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        """Shake hands; keep the reason of a failure in the context."""
        try:
            super().do_handshake(block)
        except ssl.SSLError as error:
            if isinstance(self.context, DestinationContext):
                self.context.problem = getattr(error, "verify_message", "") or error.reason or str(error)
            raise


def destination_context(destination: PeerConfig) -> DestinationContext | None:
    """Return the client context of a destination; None without TLS.

    The files are read each time, so a renewed certificate is used at once.

    Raises
    ------
    PermanentError
        ``config_invalid`` if a file cannot be read or key and certificate do not belong together.
    """
    if not destination.is_encrypted:
        return None
    tls = destination.tls or PeerTlsConfig()
    context = DestinationContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _Connection
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS_1_2_CIPHERS)
    context.check_hostname = tls.check_host_name
    try:
        if tls.ca_file is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            context.load_verify_locations(tls.ca_file)
        if tls.certificate_file is not None:
            context.load_cert_chain(tls.certificate_file, tls.key_file)
    except (OSError, ValueError) as error:
        what = f"{destination.name}: the files of tls cannot be used: {error}"
        raise PermanentError(Reason.CONFIG_INVALID, what) from error
    return context
