"""Fields for a peer that speaks DICOMweb (``destinations[].dicomweb``, ``sources[].dicomweb``)."""

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from node.config.section import Section


class DicomwebConfig(Section):
    """Where a DICOMweb service is, and who we are to it; secrets stand in files of their own."""

    url: str = Field(
        ..., max_length=2048, description="Root of the service, as https://pacs.hospital.example/dicom-web, without /studies."
    )
    user: str = Field("", max_length=256, pattern=r"^[^:\x00-\x1f]*$", description="User name (HTTP Basic), with password_file.")
    password_file: Path | None = Field(None, description="File with the password of user.")
    token_file: Path | None = Field(None, description="File with a bearer token, instead of user and password_file.")

    @field_validator("url")
    @classmethod
    def _is_a_root(cls, text: str) -> str:
        try:
            parts = urlsplit(text)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            is_address = False
        if not is_address or any(not "!" <= letter <= "~" for letter in text):
            raise ValueError("write http:// or https://, a host and a path, as https://pacs.hospital.example/dicom-web")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("no user, query or fragment here: set user and password_file, or token_file")
        return text.rstrip("/")

    @model_validator(mode="after")
    def _secrets_fit(self) -> "DicomwebConfig":
        if bool(self.user) != (self.password_file is not None):
            raise ValueError("user and password_file belong together: give both or none")
        if self.user and self.token_file is not None:
            raise ValueError("give user and password_file, or token_file, not both")
        return self

    @property
    def is_encrypted(self) -> bool:
        """Whether it is reached over TLS."""
        return self.url.startswith("https:")

    @property
    def is_exposed(self) -> bool:
        """Whether what is sent can be read on a network: no TLS, and not on this machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            is_here = ip_address(host).is_loopback
        except ValueError:
            is_here = host == "localhost"
        return not self.is_encrypted and not is_here
