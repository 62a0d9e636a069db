"""Section ``retention``: how long studies, and the record of what was done with them, are kept."""

from pydantic import Field

from node.config.section import Section


class RetentionConfig(Section):
    """What is deleted on its own; a study that is received, analysed or delivered at the moment never is."""

    delivered_days: float | None = Field(
        30.0,
        ge=0,
        le=36500,
        description="Studies whose results every destination has are deleted after so many days; null: never.",
    )
    declined_days: float | None = Field(
        7.0,
        ge=0,
        le=36500,
        description="The same for studies that were declined or cancelled, and for objects that belong to no analysed study.",
    )
    failed_days: float | None = Field(
        None,
        ge=0,
        le=36500,
        description="The same for studies that failed, and for those whose results are not everywhere, or only here.",
    )
    minimum_free_disk_mb: int = Field(
        4096,
        ge=0,
        description="Below this free space delivered, declined and cancelled studies are deleted, longest unchanged first, "
        "whatever their age, in megabytes; 0: never. Should exceed reception.minimum_free_disk_mb.",
    )
    audit_days: float | None = Field(
        3650.0, ge=0, le=36500, description="Lines of the audit trail are deleted after so many days; null: never."
    )
    job_days: float = Field(
        7.0,
        ge=0,
        le=36500,
        description="Rows of finished jobs in the job engine are deleted so many days after they were queued.",
    )
    interval_minutes: int = Field(15, ge=1, le=59, description="How often this is looked at, in minutes.")
