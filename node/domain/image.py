"""Pixels with their geometry and the instances that they came from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from node.domain.geometry import ImagePlane, VolumeGeometry
from node.domain.identity import InstanceRef

Pixels = npt.NDArray[np.float32]
"""Stored values after rescale; float32 [row, column]."""

Voxels = npt.NDArray[np.float32]
"""Stored values after rescale; float32 [slice, row, column]."""


@dataclass(frozen=True, slots=True)
class FrameSource:
    """The instance, and for a multi-frame instance the 1-based frame number, that a slice was read from."""

    instance: InstanceRef
    frame_number: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """The slices of one series, ordered along their normal.

    Parameters
    ----------
    voxels
        float32 [slice, row, column]; made read-only.
    geometry
        One plane for each slice.
    sources
        One source for each slice.
    frame_of_reference_uid
        Empty if the series has none.

    Raises
    ------
    ValueError
        If the three do not have the same number of slices or the planes another size than the voxels.
    """

    voxels: Voxels
    geometry: VolumeGeometry
    sources: tuple[FrameSource, ...]
    frame_of_reference_uid: str

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape or len(self.sources) != len(self.geometry.planes):
            raise ValueError(f"voxels {self.voxels.shape}, planes {self.geometry.shape} and {len(self.sources)} sources disagree")
        self.voxels.setflags(write=False)

    @property
    def series_instance_uid(self) -> str:
        """SeriesInstanceUID of the source."""
        return self.sources[0].instance.series_instance_uid

    @property
    def planes(self) -> tuple[ImagePlane, ...]:
        """One plane for each slice."""
        return self.geometry.planes
