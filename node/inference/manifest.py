"""Typed ``models/<name>/model.yaml``: what a model does, how its input is made, and which bytes it consists of."""

from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from node.domain.anatomy import Structure
from node.domain.errors import PermanentError, Reason
from node.domain.prediction import BORDER_PROBABILITY, ModelIdentity
from node.inference.chain import channel_names

MANIFEST_NAME = "model.yaml"


class Task(StrEnum):
    """What a model is for."""

    SAGITTAL_SEGMENTATION = "sagittal_segmentation"
    AXIAL_SEGMENTATION = "axial_segmentation"
    KEYPOINTS = "keypoints"


class View(StrEnum):
    """In which direction a model expects rows and columns to grow."""

    SAGITTAL = "sagittal"
    AXIAL = "axial"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FixedSpacingPlan(_Part):
    """Input at a fixed pixel spacing: one model pixel is the same length on every image.

    The rectangle of tissue is cut out, widened to whole multiples and held below a largest size about its centre.
    """

    kind: Literal["fixed_spacing"]
    spacing_mm: float = Field(gt=0, le=5)
    multiple: int = Field(32, ge=1)
    maximum_rows: int = Field(ge=32)
    maximum_columns: int = Field(ge=32)
    minimum_rows: int = Field(32, ge=32, description="Smallest size; equal to the largest for a network of one size.")
    minimum_columns: int = Field(32, ge=32)
    tissue_share: float = Field(0.1, gt=0, lt=1, description="Share of the bright reference above which a pixel is tissue.")


class FixedSizePlan(_Part):
    """Input of a fixed size: the rectangle of tissue is stretched to it, as in Ma et al. 2024."""

    kind: Literal["fixed_size"]
    rows: int = Field(ge=32)
    columns: int = Field(ge=32)
    tissue_share: float = Field(50 / 255, gt=0, lt=1)


Plan = Annotated[FixedSpacingPlan | FixedSizePlan, Field(discriminator="kind")]


class Calibration(_Part):
    """How often a corner lies where it is said to be, by the height of its peak: a monotone polyline, level beyond its ends."""

    heights: tuple[float, ...] = Field(min_length=2)
    probabilities: tuple[float, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _monotone(self) -> Self:
        if len(self.heights) != len(self.probabilities):
            raise ValueError("heights and probabilities differ in number")
        if any(b <= a for a, b in pairwise(self.heights)) or any(b < a for a, b in pairwise(self.probabilities)):
            raise ValueError("heights must ascend and probabilities must not descend")
        if not 0 <= self.probabilities[0] <= self.probabilities[-1] <= 1:
            raise ValueError("probabilities lie between 0 and 1")
        return self

    def at(self, height: float) -> float:
        """Return the probability that belongs to the height of a peak."""
        return float(np.interp(height, self.heights, self.probabilities))


class ModelManifest(_Part):
    """The whole of ``model.yaml``; ``channels`` name the output maps in their order."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    version: str = Field(min_length=1, max_length=64)
    task: Task
    file: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    view: View
    plan: Plan
    reference_percentile: float = Field(99.0, gt=50, le=100, description="Percentile of the signal that counts as bright.")
    reference_over: Literal["volume", "slice"] = Field("volume", description="What the percentile is taken over; as in training.")
    stride: int = Field(1, ge=1, description="Model pixels for one pixel of the output maps.")
    channels: tuple[str, ...] = Field(min_length=1)
    peak_of_certainty: float = Field(1.0, gt=0, le=1, description="Height of a heat-map peak that counts as confidence 1.")
    calibration: Calibration | None = Field(None, description="Confidence of a corner by its peak, instead of peak_of_certainty.")
    witness: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="Folder inside this one of a second network for the corners; names count only where both agree.",
    )
    border_probabilities: dict[str, Annotated[float, Field(gt=0.05, lt=0.95)]] = Field(
        {}, description="By structure, the probability of the network at which its border lies; 0.5 where none is given."
    )
    zooms: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = Field(
        (1.0,),
        min_length=1,
        max_length=8,
        description="How large a slice with cord is shown, of the planned size; the mean counts.",
    )
    licence: str
    training_data: str
    training_people: tuple[str, ...] = Field((), description="Names of the real volumes that the weights have seen.")

    @field_validator("channels")
    @classmethod
    def _complete(cls, channels: tuple[str, ...], validation: ValidationInfo) -> tuple[str, ...]:
        """Return channels that name everything which the task has to find, once each and in any order."""
        if "task" not in validation.data:
            return channels
        needed = set(channel_names()) if validation.data["task"] is Task.KEYPOINTS else {str(one) for one in Structure}
        if needed - set(channels):
            raise ValueError(f"{validation.data['task']} needs also {', '.join(sorted(needed - set(channels)))}")
        if len(set(channels)) < len(channels):
            raise ValueError("a channel is named twice")
        return channels

    @field_validator("border_probabilities")
    @classmethod
    def _of_structures(cls, borders: dict[str, float]) -> dict[str, float]:
        unknown = set(borders) - {str(one) for one in Structure}
        if unknown:
            raise ValueError(f"no structure is called {', '.join(sorted(unknown))}")
        return borders

    @model_validator(mode="after")
    def _witness_of_names(self) -> Self:
        if self.witness is not None and self.task is not Task.KEYPOINTS:
            raise ValueError("only a model for keypoints has names that a witness can agree with")
        return self

    @model_validator(mode="after")
    def _zooms_change_the_spacing(self) -> Self:
        if self.zooms != (1.0,) and not isinstance(self.plan, FixedSpacingPlan):
            raise ValueError("zooms need a plan of a fixed spacing: a plan of a fixed size shows every slice as large")
        return self

    @property
    def zoomed_plans(self) -> list[Plan]:
        """The plan at each zoom: its input shows everything so many times as large."""
        if not isinstance(self.plan, FixedSpacingPlan):
            return [self.plan]
        return [self.plan.model_copy(update={"spacing_mm": self.plan.spacing_mm / zoom}) for zoom in self.zooms]

    def border_of(self, structure: Structure) -> float:
        """Return the probability of the network at which the border of a structure lies."""
        return self.border_probabilities.get(structure, BORDER_PROBABILITY)

    def confidence_at(self, height: float) -> float:
        """Return how sure a peak of this height is, 0..1."""
        return self.calibration.at(height) if self.calibration is not None else min(1.0, height / self.peak_of_certainty)

    @property
    def identity(self) -> ModelIdentity:
        """Name, version and hash as results cite them."""
        return ModelIdentity(self.name, self.version, self.sha256)


# The one in C where it is there: a probe of readiness reads every manifest, at 40 ms each in Python.
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_manifest(folder: Path) -> ModelManifest:
    """Return the manifest of one model.

    Raises
    ------
    PermanentError
        ``model_missing`` if there is none, ``model_corrupt`` if it cannot be understood.
    """
    path = folder / MANIFEST_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"model {folder.name!r} has no readable {MANIFEST_NAME}; check inference.models_dir and the name of the model"
        raise PermanentError(Reason.MODEL_MISSING, message) from error
    try:
        return ModelManifest.model_validate(yaml.load(text, Loader=_LOADER))  # noqa: S506 - a safe one, both
    except (yaml.YAMLError, pydantic.ValidationError) as error:
        message = f"{MANIFEST_NAME} of model {folder.name!r} is not valid: {_first(error)}"
        raise PermanentError(Reason.MODEL_CORRUPT, message) from error


def _first(error: yaml.YAMLError | pydantic.ValidationError) -> str:
    if isinstance(error, pydantic.ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
