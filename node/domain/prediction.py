"""What a model said, in coordinates of the source image."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import Landmark, Structure
from node.domain.geometry import PixelPoint
from node.domain.identity import ModelIdentity

# ModelIdentity is defined where no numpy is needed: a job names it too, and with it the process that starts all others
__all__ = ["BORDER_PROBABILITY", "Keypoint", "Keypoints", "Masks", "ModelIdentity", "Probabilities"]

Probabilities = npt.NDArray[np.float16]
"""Probability 0..1 that a pixel belongs to a structure; float16 [slice, row, column] on the source grid."""

#: Probability at which the border of a structure lies.
BORDER_PROBABILITY = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """Probability maps by structure for all slices of one volume, all of one shape; made read-only."""

    probabilities: Mapping[Structure, Probabilities]
    model: ModelIdentity
    _binary: dict[Structure, npt.NDArray[np.bool_]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for probabilities in self.probabilities.values():
            probabilities.setflags(write=False)

    def binary(self, structure: Structure) -> npt.NDArray[np.bool_]:
        """Return where a structure is present, bool [slice, row, column]; the same array each time, read-only."""
        if structure not in self._binary:
            self._binary[structure] = np.asarray(self.probabilities[structure] >= BORDER_PROBABILITY)
            self._binary[structure].setflags(write=False)
        return self._binary[structure]


@dataclass(frozen=True, slots=True)
class Keypoint:
    """Where the model sees a landmark in one slice, and how sure it is (0..1)."""

    landmark: Landmark
    point: PixelPoint
    confidence: float


@dataclass(frozen=True, slots=True)
class Keypoints:
    """The landmarks found in one slice; a landmark that was not found is absent.

    Parameters
    ----------
    model, witness
        What placed the landmarks, and what else had to agree with their names.
    """

    slice_index: int
    by_landmark: Mapping[Landmark, Keypoint]
    model: ModelIdentity
    witness: ModelIdentity | None = None

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        """Every network that had a say."""
        return (self.model,) if self.witness is None else (self.model, self.witness)
