"""Sections ``destinations`` and ``sources``: where results go, and where studies are fetched."""

from typing import Literal

from pydantic import Field, model_validator

from node.config.dicomweb import DicomwebConfig
from node.config.reception import AETitleOrNone, AETitleText
from node.config.section import Section
from node.config.tls import PeerTlsConfig

#: The words of :class:`node.domain.report.ReportKind`; YAML writes plain strings.
ResultKind = Literal["SEG", "SR", "PR", "KO", "SC", "SR_LINES", "SR_VOLUMES"]


class RetryConfig(Section):
    """How long something is tried again that may work later."""

    first_delay_s: float = Field(
        30.0, ge=0.1, le=3600, description="Wait after the first failed attempt, in seconds; doubled each time."
    )
    maximum_delay_s: float = Field(3600.0, ge=0.1, le=86400, description="Longest wait between attempts, in seconds.")
    maximum_attempts: int = Field(180, ge=1, le=10000, description="Attempts before it is parked for `studies retry`.")


class PeerConfig(Section):
    """A peer that we call: over DICOM (host, port, ae_title), or over DICOMweb (dicomweb)."""

    name: str = Field(..., pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Short name used in commands and pages.")
    host: str = Field("", description="Host name or address.")
    port: int = Field(0, ge=0, le=65535, description="TCP port.")
    ae_title: AETitleOrNone = Field("", description="AE title of the peer.")
    calling_ae_title: AETitleText | None = Field(None, description="AE title that we call with; empty: reception.ae_title.")
    dicomweb: DicomwebConfig | None = Field(
        None,
        description="DICOMweb instead of host, port and ae_title: url, and user with password_file or token_file where it asks.",
    )
    timeout_s: float = Field(30.0, ge=1, le=3600, description="Time for a connection or an answer, in seconds.")
    tls: PeerTlsConfig | None = Field(
        None,
        description="TLS: ca_file, certificate_file, key_file, check_host_name, each optional. Empty: no TLS for DICOM; "
        "for an https url the authorities of the system.",
    )

    @model_validator(mode="after")
    def _speaks_one_language(self) -> "PeerConfig":
        missing = [name for name in ("host", "port", "ae_title") if not getattr(self, name)]
        if self.dicomweb is None and missing:
            raise ValueError(f"{', '.join(missing)} is missing; give host, port and ae_title, or dicomweb with its url")
        if self.dicomweb is not None and len(missing) < 3:
            raise ValueError("give host, port and ae_title, or dicomweb, not both")
        if self.dicomweb is not None and self.tls is not None and not self.dicomweb.is_encrypted:
            raise ValueError("tls needs an https url in dicomweb")
        return self

    @property
    def address(self) -> str:
        """Where it is, as a person reads it."""
        return self.dicomweb.url if self.dicomweb is not None else f"{self.ae_title} at {self.host}:{self.port}"

    @property
    def is_encrypted(self) -> bool:
        """Whether it is reached over TLS."""
        return self.tls is not None or (self.dicomweb is not None and self.dicomweb.is_encrypted)


class SourceConfig(PeerConfig):
    """A PACS from which studies are fetched."""

    retrieve: Literal["move", "get"] = Field(
        "move",
        description="move: the PACS sends to our receiver (C-MOVE; it must know our AE title, host and port). "
        "get: over the association that asks (C-GET), then to our receiver; so does DICOMweb, whatever stands here.",
    )
    maximum_studies: int = Field(20, ge=1, le=10000, description="A query that finds more studies than this fetches none.")
    priors: bool = Field(
        False,
        description="Ask here for our earlier reports of the patient of each study, so that its report states the change "
        "(C-FIND with C-MOVE or C-GET, or DICOMweb).",
    )
    priors_timeout_s: float = Field(
        10.0, ge=1, le=120, description="Time for that in all, in seconds; then the report says that no prior was looked up."
    )


class DestinationConfig(PeerConfig):
    """A peer that receives results, over DICOM or by STOW-RS."""

    objects: tuple[ResultKind, ...] = Field(
        ("SEG", "SR", "PR"),
        min_length=1,
        description="Kinds of result object to send: SEG masks, SR measurements, PR lines and text over the images, "
        "KO key images, SC summary page, SR_LINES lines as one SR for each series (for OHIF), SR_VOLUMES segment volumes.",
    )
    storage_commitment: bool = Field(
        False,
        description="Ask for storage commitment where the peer offers it; results then count as delivered when it commits them. "
        "The peer must know our AE title, host and port for its answer.",
    )
    commitment_timeout_s: float = Field(
        3600.0,
        ge=1,
        le=86400,
        description="Time for the answer to a request for commitment, in seconds; then results are sent again.",
    )
    retry: RetryConfig = Field(RetryConfig(), description="How long delivery is tried.")

    @model_validator(mode="after")
    def _can_commit(self) -> "DestinationConfig":
        if self.dicomweb is not None and self.storage_commitment:
            raise ValueError("storage_commitment is of DICOM peers: over DICOMweb the answer says what is stored")
        return self
