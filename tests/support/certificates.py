"""Certificates for the tests, made by the openssl program."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.external import require_tool


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate and its key, PEM."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority of its own in a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self.own = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", str(self.own.key), "-out", str(self.own.certificate)),
        )

    def issue(self, name: str, host: str = "127.0.0.1") -> Certificate:
        """Return a new certificate for a host; one of the same name is replaced."""
        issued = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, extension = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        kind = "IP" if host[0].isdigit() else "DNS"
        extension.write_text(f"subjectAltName={kind}:{host}\n", encoding="ascii")
        _openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(issued.key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-days", "2", "-in", str(request), "-extfile", str(extension), "-out", str(issued.certificate)),
            *("-CA", str(self.own.certificate), "-CAkey", str(self.own.key), "-CAcreateserial"),
        )
        return issued


def _openssl(*arguments: str) -> None:
    subprocess.run([require_tool("openssl"), *arguments], check=True, capture_output=True)
