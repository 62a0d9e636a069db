"""The whole of ``config.yaml``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from node.config.delivery import DestinationConfig, PeerConfig, RetryConfig, SourceConfig
from node.config.inference import InferenceConfig
from node.config.measurement import MeasurementConfig
from node.config.reception import ReceptionConfig
from node.config.reporting import ReportingConfig
from node.config.retention import RetentionConfig
from node.config.section import Section
from node.config.selection import SelectionConfig
from node.config.shadow import ShadowConfig
from node.config.web import WebConfig
from node.config.webhook import WebhookConfig


class JobsConfig(Section):
    """How work is queued."""

    workers: int = Field(1, ge=1, le=64, description="Worker processes that serve starts; each analyses one study at a time.")
    polling_s: float = Field(0.1, ge=0.05, le=60, description="How often a worker looks for work, in seconds.")
    maximum_recovery_attempts: int = Field(
        3, ge=1, le=100, description="An analysis or a delivery that ends its process this often is parked as failed."
    )
    retry: RetryConfig = Field(
        RetryConfig(maximum_delay_s=600.0), description="How long an analysis is tried that cannot run, as on a full disk."
    )
    machine_name: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.-]{0,64}$",
        description="Name of this machine in a shared job database, the same after each restart; empty: the host name.",
    )
    takeover_s: float = Field(
        30.0,
        ge=0.3,
        le=3600,
        description="With a shared job database: the work of a worker that is gone for this long is taken over, in seconds.",
    )
    start_patience_s: float = Field(
        # the server knows after 25 s at the latest that a machine is gone; see node/jobs/place.py
        40.0,
        ge=0.1,
        le=600,
        description="With a shared job database: how long a worker waits for its place, which its end may have left held, "
        "in seconds.",
    )
    alarm_s: float = Field(
        1800.0,
        ge=1,
        le=86400,
        description="Work that runs for longer is logged as an alarm and shown by doctor, in seconds.",
    )
    shutdown_grace_s: float = Field(
        60.0, ge=1, le=3600, description="Time for running work to finish when the node stops, in seconds."
    )


class LogConfig(Section):
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severity that is logged: DEBUG, INFO, WARNING or ERROR."
    )


class Config(Section):
    """The whole of ``config.yaml``; a stage receives its own section, never the whole."""

    store: str = Field(
        "file:var/store",
        pattern=r"^file:.+",
        description="Where DICOM files lie, as a URI; file:PATH is relative to this file's folder.",
    )
    database: str = Field(
        "sqlite:var/jobs.db",
        pattern=r"^(sqlite:.+|postgresql(\+psycopg)?://.+)",
        description="Job database: sqlite:PATH on this machine's own disk, or postgresql://... for several machines.",
    )
    database_file: Path | None = Field(
        None,
        description="File that holds the URL of the job database instead, so that its password does not stand here. "
        "Or leave the password out: PGPASSWORD and PGPASSFILE are used.",
    )
    reception: ReceptionConfig = Field(ReceptionConfig(), description="The Storage and Verification SCP.")
    selection: SelectionConfig = Field(
        SelectionConfig(), description="Which series are used; geometry and timing decide first, text second."
    )
    inference: InferenceConfig = Field(InferenceConfig(), description="Which models run, and where.")
    shadow: ShadowConfig = Field(ShadowConfig(), description="A second set of models beside the first: compared, never sent.")
    measurement: MeasurementConfig = Field(
        MeasurementConfig(), description="The reference method and the limits of the plausibility gate."
    )
    reporting: ReportingConfig = Field(ReportingConfig(), description="How result objects are labelled.")
    destinations: tuple[DestinationConfig, ...] = Field((), description="Where results go; one is independent of the others.")
    sources: tuple[SourceConfig, ...] = Field((), description="Where `fetch` gets studies.")
    jobs: JobsConfig = Field(JobsConfig(), description="How work is queued.")
    retention: RetentionConfig = Field(RetentionConfig(), description="What is deleted on its own, and when.")
    webhooks: tuple[WebhookConfig, ...] = Field((), description="Who is told over HTTP what became of a study.")
    web: WebConfig = Field(WebConfig(), description="The dashboard, its JSON twins, metrics and health.")
    log: LogConfig = Field(LogConfig(), description="What is logged.")

    @field_validator("store", mode="before")
    @classmethod
    def _is_a_folder(cls, uri: object) -> object:
        if isinstance(uri, str) and uri.startswith(("s3:", "gs:", "az:")):
            raise ValueError(
                "object storage is not supported; for several machines use a shared file system, mounted at the same path on "
                "each: file:///shared"
            )
        return uri

    @model_validator(mode="after")
    def _names_differ(self) -> "Config":
        _refuse_doubles("destinations", self.destinations)
        _refuse_doubles("sources", self.sources)
        _refuse_doubles("webhooks", self.webhooks)
        return self


def _refuse_doubles(section: str, peers: Sequence[PeerConfig | WebhookConfig]) -> None:
    names = [peer.name for peer in peers]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"{section} have the same name: {', '.join(doubled)}")
