"""TLS for the SCP: a context that never blocks the thread that accepts, and that takes up a renewed certificate."""

import socket
import ssl
from pathlib import Path
from threading import Lock
from typing import Any

from node.config import TLS_1_2_CIPHERS, ReceptionTlsConfig
from node.domain.errors import ConfigError, Reason


class ReceptionContext(ssl.SSLContext):
    """A server context for pynetdicom, which wraps each connection in the one thread that accepts them.

    The handshake is left to the first read, which happens in the thread of the association: a peer that connects and says
    nothing holds up nobody. Files that changed are read again before a connection; what cannot be read leaves the old in use.
    """

    _config: ReceptionTlsConfig
    _timeout_s: float
    _read_at: tuple[float, ...]
    _lock: Lock

    def wrap_socket(self, sock: socket.socket, *_arguments: Any, **_named: Any) -> ssl.SSLSocket:  # noqa: ANN401 - of SSLContext
        """Return the accepted socket for TLS, its handshake yet to come."""
        with self._lock:
            if self._changed_at() != self._read_at:
                self._read_files()
        sock.settimeout(self._timeout_s)
        return super().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def _changed_at(self) -> tuple[float, ...]:
        return tuple(_modified(path) for path in (self._config.certificate_file, self._config.key_file))

    def _read_files(self) -> None:
        read_at = self._changed_at()
        try:
            self.load_cert_chain(self._config.certificate_file, self._config.key_file)
        except (OSError, ValueError):
            # half renewed: certificate and key do not fit yet; looked at again at the next connection
            return
        self._read_at = read_at


def reception_context(config: ReceptionTlsConfig, timeout_s: float) -> ReceptionContext:
    """Return the server context of the configuration: TLS 1.2 or later, BCP 195 cipher suites, peers verified if it names CAs.

    Parameters
    ----------
    timeout_s
        Time for a peer to go on with its handshake or its message.

    Raises
    ------
    ConfigError
        ``config_invalid`` if a file cannot be read or key and certificate do not belong together.
    """
    context = ReceptionContext(ssl.PROTOCOL_TLS_SERVER)
    context._config, context._timeout_s, context._lock = config, timeout_s, Lock()
    context._read_at = context._changed_at()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS_1_2_CIPHERS)
    try:
        context.load_cert_chain(config.certificate_file, config.key_file)
        if config.ca_file is not None:
            context.load_verify_locations(config.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        what = f"reception.tls: certificate_file, key_file or ca_file cannot be used: {error}"
        raise ConfigError(Reason.CONFIG_INVALID, what) from error
    return context


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
