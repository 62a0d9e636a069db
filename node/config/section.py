"""What every section of the configuration has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen section that refuses unknown fields; every field carries a description, a unit suffix and bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
