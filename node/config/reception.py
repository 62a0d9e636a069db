"""Section ``reception``: the Storage and Verification SCP, and when a study is complete."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from node.config.section import Section
from node.config.tls import ReceptionTlsConfig
from node.domain.errors import NodeError
from node.domain.identity import parse_ae_title


def _ae_title(text: str) -> str:
    try:
        return parse_ae_title(text)
    except NodeError as error:
        raise ValueError(error.message) from error


AETitleText = Annotated[str, AfterValidator(_ae_title)]
AETitleOrNone = Annotated[str, AfterValidator(lambda text: _ae_title(text) if text else text)]


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(f"{error}; write an address or a network, for example 10.1.2.0/24 or fd00::/8") from error


NetworkText = Annotated[str, AfterValidator(_network)]


class CompletionConfig(Section):
    """When a study counts as completely received."""

    quiet_s: float = Field(
        30.0, ge=0.1, le=3600, description="A study is complete when nothing of it arrived for this long, in seconds."
    )
    required_series: tuple[str, ...] = Field(
        (),
        description="Regular expressions on SeriesDescription. When each has a series that was quiet for required_quiet_s, "
        "the study is complete early. Empty: off.",
    )
    required_quiet_s: float = Field(5.0, ge=0.1, le=3600, description="Quiet time of each required series, in seconds.")
    maximum_s: float = Field(
        3600.0,
        ge=1,
        le=86400,
        description="A study is taken as complete this long after its first instance even if more arrive, in seconds.",
    )

    @field_validator("required_series")
    @classmethod
    def _are_expressions(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return patterns

    @model_validator(mode="after")
    def _maximum_not_below_quiet(self) -> "CompletionConfig":
        if self.maximum_s < self.quiet_s:
            raise ValueError(f"maximum_s ({self.maximum_s:g}) must not be below quiet_s ({self.quiet_s:g})")
        return self


class ReceptionConfig(Section):
    """How studies come in."""

    ae_title: AETitleText = Field("CSPINE", description="AE title of this node, 1 to 16 characters.")
    bind_address: str = Field("0.0.0.0", description="Address to listen on; 127.0.0.1 admits this machine only.")  # noqa: S104 - a PACS must reach us
    port: int = Field(11112, ge=0, le=65535, description="TCP port to listen on; 0 lets the system choose.")
    require_called_ae_title: bool = Field(True, description="Reject associations that call another AE title than ae_title.")
    allowed_calling_ae_titles: tuple[AETitleText, ...] = Field((), description="AE titles that may connect; empty admits all.")
    allowed_networks: tuple[NetworkText, ...] = Field(
        (), description="Addresses or networks (CIDR) that may connect, for example 10.1.2.0/24; empty admits all."
    )
    maximum_associations: int = Field(20, ge=1, le=500, description="Associations served at the same time.")
    maximum_associations_per_peer: int = Field(
        10, ge=1, le=500, description="Associations served at the same time for one address."
    )
    maximum_pdu_bytes: int = Field(131072, ge=4096, le=16777216, description="Largest PDU that we accept, in bytes.")
    association_timeout_s: float = Field(30.0, ge=1, le=3600, description="Time for a peer to finish negotiating, in seconds.")
    idle_timeout_s: float = Field(
        120.0,
        ge=1,
        le=86400,
        description="An association without traffic, or whose PDU is not whole by then, is closed after this time, in seconds.",
    )
    message_timeout_s: float = Field(
        1800.0, ge=1, le=86400, description="Time for one message with its whole data set to arrive, in seconds."
    )
    minimum_free_disk_mb: int = Field(
        2048, ge=0, description="Associations are rejected while the store has less free space, in megabytes."
    )
    tls: ReceptionTlsConfig | None = Field(
        None, description="DICOM TLS: certificate_file and key_file, and ca_file to admit only known peers. Empty: no TLS."
    )
    completion: CompletionConfig = Field(CompletionConfig(), description="When a study counts as completely received.")
