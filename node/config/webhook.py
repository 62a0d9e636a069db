"""Section ``webhooks``: who is told, over HTTP, what became of a study."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from node.config.delivery import RetryConfig
from node.config.section import Section

#: The words of :class:`node.domain.job.NoticeEvent`; YAML writes plain strings.
EventWord = Literal["result", "declined", "failed", "undelivered"]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class WebhookConfig(Section):
    """An address that is told by POST, as Standard Webhooks describes it; the message holds UIDs and codes, no patient."""

    name: str = Field(..., pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Short name used in the audit trail and metrics.")
    url: str = Field(..., max_length=2000, description="https://..., or http:// to this machine itself.")
    events: tuple[EventWord, ...] = Field(
        ("result", "declined", "failed", "undelivered"),
        min_length=1,
        description="result: there is one. declined, failed: there is none. undelivered: a destination did not take all of it, "
        "and nothing more is tried.",
    )
    secret_file: Path | None = Field(
        None,
        description="File with the secret (at least 24 characters, or whsec_ and base64) that signs each message by HMAC-SHA256 "
        "in the header webhook-signature; empty: not signed.",
    )
    ca_file: Path | None = Field(None, description="Certificate authorities of the address, PEM; empty: those of the system.")
    allow_plain_http: bool = Field(
        False, description="Whether http:// may be used to another machine: whoever listens on the way reads the UIDs."
    )
    timeout_s: float = Field(10.0, ge=0.1, le=120, description="Time for one attempt in all, in seconds.")
    retry: RetryConfig = Field(RetryConfig(maximum_attempts=40), description="How long an address is tried.")

    @model_validator(mode="after")
    def _is_an_address(self) -> Self:
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"url: {error}") from error
        is_plain = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if parts.scheme not in ("http", "https") or not host or parts.username is not None or not is_plain or parts.fragment:
            raise ValueError("url must be https://host[:port]/path, in ASCII, without a user, a password or a #")
        if parts.scheme == "http" and host not in _LOOPBACK and not self.allow_plain_http:
            raise ValueError("url: http:// goes to this machine only; use https://, or set allow_plain_http")
        return self
