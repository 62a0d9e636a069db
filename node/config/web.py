"""Section ``web``: the dashboard, its JSON twins, metrics and health."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from node.config.section import Section

#: What a link to the site's viewer must hold.
VIEWER_PLACE = "{study_instance_uid}"


class WebConfig(Section):
    """How people and monitoring look at the node."""

    enabled: bool = Field(True, description="Whether serve starts the web role.")
    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; another than loopback needs a password (password_file)."
    )
    port: int = Field(8105, ge=0, le=65535, description="TCP port to listen on; 0 lets the system choose.")
    host_names: tuple[str, ...] = Field(
        (), description="Names by which browsers may reach it, without port; empty: loopback names, and with a password any."
    )
    language: Literal["en", "zh-CN"] = Field("en", description="Language until a visitor chooses: en or zh-CN.")
    password_file: Path | None = Field(
        None,
        description="File with the password, or with what `cspine-node web --hash-password` prints; the environment variable "
        "CSPINE_WEB_PASSWORD goes before.",
    )
    token_file: Path | None = Field(
        None,
        description="File with the bearer token for the JSON twins and /metrics, at least 32 characters; the environment "
        "variable CSPINE_WEB_TOKEN goes before.",
    )
    session_s: float = Field(28800.0, ge=60, le=604800, description="A login ends after this long without a request, in seconds.")
    secure_cookie: bool = Field(
        False, description="Whether browsers reach it over HTTPS, through a proxy: cookies are then Secure."
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+[^\s?#/])?$",
        description="Where browsers reach these pages, as https://node.example, for links in messages; empty: http://host:port.",
    )
    viewer_url: str = Field(
        "",
        description=f"Link to a study in the site's viewer, with the place {VIEWER_PLACE}, as "
        f"https://pacs.example/viewer?StudyInstanceUIDs={VIEWER_PLACE}; empty: no link.",
    )
    maximum_request_bytes: int = Field(65536, ge=1024, le=16777216, description="Largest request body, in bytes.")
    request_timeout_s: float = Field(30.0, ge=1, le=600, description="Time to send a request and to answer it, in seconds.")

    @field_validator("viewer_url")
    @classmethod
    def _has_its_place(cls, text: str) -> str:
        if text and not (text.startswith(("http://", "https://")) and VIEWER_PLACE in text):
            raise ValueError(f"must begin with http:// or https:// and hold {VIEWER_PLACE}")
        return text
