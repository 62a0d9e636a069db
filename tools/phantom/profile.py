"""Values sampled every half millimetre along the spine, and how they are read in between (pure)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floating = npt.NDArray[np.floating]

STEP_MM = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where points lie among the samples of profiles: found once, used for every profile of that start and length."""

    index: npt.NDArray[np.int32]
    rest: Floating

    @classmethod
    def of(cls, along: Floating, start_mm: float, count: int) -> "Places":
        """Return the places of points at ``along`` (mm) in profiles of ``count`` samples from ``start_mm``; the ends hold."""
        position = np.minimum(np.maximum((along - start_mm) / STEP_MM, 0), count - 1.001)
        index = position.astype(np.int32)
        return cls(index, position - index.astype(position.dtype))

    def read(self, values: npt.NDArray[np.float64]) -> Floating:
        """Return a profile at the places, linearly interpolated."""
        table = values.astype(self.rest.dtype)
        return np.asarray(table.take(self.index) * (1 - self.rest) + table.take(self.index + 1) * self.rest)

    def at(self, chosen: npt.NDArray[np.intp]) -> "Places":
        """Return some of the places."""
        return Places(self.index[chosen], self.rest[chosen])
