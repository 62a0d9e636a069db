"""Points in the coordinates of a synthetic spine, with what every painter asks of them (pure)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.phantom.profile import Places
from tools.phantom.shape import Anatomy

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Points in spine coordinates, mm, each of shape (n,); ``level`` is the row of the nearest vertebra."""

    along: Array
    behind: Array
    aside: Array
    level: npt.NDArray[np.int32]
    noise: Array
    fine_noise: Array
    places: Places

    @classmethod
    def of(cls, anatomy: Anatomy, points: Array) -> "Cloud":
        """Return patient points (LPS mm), shape (..., 3), as a cloud."""
        found = anatomy.curve.from_patient(points.astype(np.float64))
        along, behind, aside = (np.asarray(part, dtype=np.float32).ravel() for part in found)
        bodies, tubes = anatomy.bodies, anatomy.tubes
        discs = (bodies.bottom[:-1] + bodies.top[1:]) / 2
        slope = np.float32((bodies.top_drop / bodies.top_depth).mean())
        level = np.searchsorted(discs, along - slope * np.clip(-behind, 0, 22)).astype(np.int32)
        coarse, fine = (_noise(anatomy.surroundings.texture, points, *size_mm) for size_mm in ((2.2, 0.9), (0.8, 0.45)))
        places = Places.of(along, tubes.start_mm, len(tubes.canal_front))
        return cls(along, behind, aside, level, coarse, fine, places)

    def at(self, chosen: npt.NDArray[np.intp]) -> "Cloud":
        """Return some of the points."""
        along, behind, aside = self.along[chosen], self.behind[chosen], self.aside[chosen]
        noise, fine_noise = self.noise[chosen], self.fine_noise[chosen]
        return Cloud(along, behind, aside, self.level[chosen], noise, fine_noise, self.places.at(chosen))

    def of_level(self, values: Floats) -> Array:
        """Return per-vertebra values, shape (10,), at the points."""
        return np.asarray(values.astype(np.float32).take(self.level))

    def read(self, profile: Floats) -> Array:
        """Return a profile along the spine at the points."""
        return np.asarray(self.places.read(profile))


def _noise(texture: Array, points: Array, length_mm: float, width_mm: float) -> Array:
    """Return noise 0..1, constant in cells of the given size along and across the patient."""
    count = len(texture)
    x, y, z = ((points[..., i] / size).astype(np.int32) % count for i, size in enumerate((width_mm, width_mm, length_mm)))
    return np.asarray(texture.take((x * count + y) * count + z)).ravel()
