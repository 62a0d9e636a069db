"""Section ``shadow``: a second set of models that runs beside the first and sends nothing."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from node.config.inference import InferenceConfig
from node.config.section import Section

_NAMES = ("sagittal_segmentation", "axial_segmentation", "keypoints")


class ShadowConfig(Section):
    """A second set of models, in a process of its own with the lowest priority, after the first results were delivered."""

    enabled: bool = Field(
        False, description="Whether studies are analysed with these models too; nothing is sent, pages show the agreement."
    )
    models_dir: Path | None = Field(
        None, description="Folder that holds one folder for each of these models; empty: that of inference."
    )
    sagittal_segmentation: str = Field("", description="Folder name of the model; empty: the name in inference.")
    axial_segmentation: str = Field("", description="Folder name of the model; empty: the name in inference.")
    keypoints: str = Field("", description="Folder name of the model; empty: the name in inference.")
    providers: tuple[str, ...] = Field(
        ("cpu",), description="Execution providers in order of preference; a GPU would be shared with the first models."
    )
    threads: int = Field(1, ge=1, le=256, description="Threads for one model on the CPU.")
    timeout_s: float = Field(1800.0, ge=1, le=86400, description="An analysis that takes longer is ended, in seconds.")

    @model_validator(mode="after")
    def _is_another_set(self) -> Self:
        if self.enabled and self.models_dir is None and not any(getattr(self, name) for name in _NAMES):
            raise ValueError("name another models_dir, or another folder for at least one of the models: this is the first set")
        return self

    def beside(self, first: InferenceConfig) -> InferenceConfig:
        """Return this set as the section ``inference`` of a node of its own."""
        names = {name: getattr(self, name) or getattr(first, name) for name in _NAMES}
        own = {"models_dir": self.models_dir or first.models_dir, "providers": self.providers, "threads": self.threads}
        return first.model_copy(update=names | own)
