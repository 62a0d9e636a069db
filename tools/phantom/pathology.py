"""What disease and surgery add to a synthetic neck; lengths in mm, ``along``, ``behind`` and ``aside`` as in ``spine`` (pure).

Whatever changes the canal, the cord or a corner is drawn into ``Tubes`` and ``Bodies``, where the truth comes from; what stands
here only decides which tissue fills the space.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Spur:
    """An anterior osteophyte: bone before a corner, ``size_mm`` high, fading over ``reach_mm`` along the spine."""

    along_mm: float
    size_mm: float
    reach_mm: float
    half_width_mm: float


@dataclass(frozen=True, slots=True)
class BoneSpot:
    """An ellipsoid of another tissue in the marrow: Modic change, haemangioma, Schmorl node."""

    centre_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    tissue: int


@dataclass(frozen=True, slots=True)
class OssifiedDent:
    """A stretch where what presses on the canal from the front is bone (a tissue) and not disc."""

    start_mm: float
    end_mm: float
    tissue: int


@dataclass(frozen=True, slots=True)
class CordSpot:
    """A spindle of another tissue inside the cord: oedema, gliosis or a syrinx; the radii are shares of the cord's own."""

    along_mm: float
    length_mm: float
    depth_share: float
    across_share: float
    tissue: int


@dataclass(frozen=True, slots=True)
class Fusion:
    """An anterior fusion (ACDF) of the bodies ``first`` to ``last`` (rows): the tissue in the discs, and perhaps a plate.

    ``void_mm`` is how far the signal is lost around the plate; 0 where there is no plate.
    """

    first: int
    last: int
    tissue: int
    void_mm: float


@dataclass(frozen=True, slots=True)
class Laminectomy:
    """Arches ``first`` to ``last`` (rows) that were removed; scar behind the canal, some of it fluid."""

    first: int
    last: int
    scar_mm: float
    fluid_mm: float


@dataclass(frozen=True, slots=True)
class Pathology:
    """All disease of one neck; ``strength`` are factors on the signals of single tissues, by their number."""

    spurs: tuple[Spur, ...] = ()
    bone_spots: tuple[BoneSpot, ...] = ()
    ossified: tuple[OssifiedDent, ...] = ()
    cord_spots: tuple[CordSpot, ...] = ()
    fusion: Fusion | None = None
    laminectomy: Laminectomy | None = None
    strength: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Dent:
    """What narrows the canal at one place: from the front and the back, over a length, flat over ``plateau_mm``."""

    along_mm: float
    front_mm: float
    back_mm: float
    length_mm: float
    aside_mm: float
    half_width_mm: float
    plateau_mm: float = 0.0

    def shape(self, along: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the share 0..1 of the dent along the spine."""
        beyond = np.sign(along - self.along_mm) * np.maximum(0.0, np.abs(along - self.along_mm) - self.plateau_mm / 2)
        return np.asarray(np.exp(-0.5 * (beyond / (self.length_mm / 2)) ** 2))


@dataclass(frozen=True, slots=True, eq=False)
class TubePlan:
    """How canal and cord are changed; profiles as in ``Tubes``.

    Parameters
    ----------
    dents
        What narrows the canal.
    canal_share, cord_share
        Factors on the depth of the canal, and on the depth and width of the cord.
    wider_back_mm
        How far the back of the canal moves where the arches are gone.
    least_gap_mm, film_mm
        Ranges of the least free depth of the canal, and of the CSF left around a compressed cord.
    deepest_share
        Most of the canal's depth that a dent from the front may take.
    """

    dents: tuple[Dent, ...]
    canal_share: float | npt.NDArray[np.float64] = 1.0
    cord_share: float | npt.NDArray[np.float64] = 1.0
    wider_back_mm: float | npt.NDArray[np.float64] = 0.0
    least_gap_mm: tuple[float, float] = (2.8, 4.5)
    film_mm: tuple[float, float] = (0.0, 0.8)
    deepest_share: float = np.inf
