"""What one synthetic neck is: its curve, its vertebrae, its canal and cord, and the truth that follows from them (pure)."""

from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import VERTEBRAE, Corner, Landmark, Level, Structure, Vertebra
from node.domain.geometry import PatientPoint
from tools.phantom.pathology import Pathology
from tools.phantom.profile import Places
from tools.phantom.spine import SpineCurve

Floats = npt.NDArray[np.float64]

#: Names of the modelled vertebrae, from head to feet; rows of every per-vertebra array.
NAMES = ("C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2", "T3", "T4")
_FIRST = NAMES.index("C3")


class Tissue(IntEnum):
    """What a point consists of."""

    AIR = 0
    MUSCLE = 1
    FAT = 2
    MARROW = 3
    CORTEX = 4
    NUCLEUS = 5
    ANNULUS = 6
    CSF = 7
    WHITE_MATTER = 8
    GREY_MATTER = 9
    EPIDURAL_FAT = 10
    LESION = 11
    VESSEL = 12
    MUCOSA = 13
    BRAIN = 14
    LIGAMENT = 15
    ROOT = 16
    SKIN_FAT = 17
    GLAND = 18
    # of disease and surgery only
    MODIC_BRIGHT = 19
    MODIC_DARK = 20
    HAEMANGIOMA = 21
    OSSIFICATION = 22
    CAGE = 23
    METAL = 24
    SIGNAL_RIM = 25
    SCAR = 26
    FLUID = 27
    SYRINX = 28


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """The vertebral bodies in spine coordinates, mm, each array of shape (10,), in the order of ``NAMES``.

    ``top`` and ``bottom`` are where the endplates meet the posterior wall, ``top_drop`` and ``bottom_drop`` how much lower they
    meet the anterior wall; ``top_depth`` and ``bottom_depth`` are the lengths of the endplates, ``width`` the transverse size,
    ``slip`` the displacement backwards (listhesis), ``degeneration`` 0..1 that of the disc below, ``marrow`` a factor on the
    signal.
    """

    top: Floats
    bottom: Floats
    top_drop: Floats
    bottom_drop: Floats
    top_depth: Floats
    bottom_depth: Floats
    width: Floats
    slip: Floats
    degeneration: Floats
    marrow: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Tubes:
    """Canal and cord as functions of ``along``, sampled every 0.5 mm from ``start_mm``; mm.

    ``canal_front`` and ``canal_back`` are the undisturbed borders on the midline (``behind``), ``canal_half_width`` the half
    transverse axis. ``front_dent`` and ``back_dent`` push the borders in; they are greatest at ``dent_aside`` and fall off
    sideways with ``dent_half_width``. The cord is an ellipse about ``cord_centre``, cut where the dents reach it.
    """

    start_mm: float
    canal_front: Floats
    canal_back: Floats
    canal_half_width: Floats
    front_dent: Floats
    back_dent: Floats
    dent_aside: Floats
    dent_half_width: Floats
    cord_centre: Floats
    cord_half_depth: Floats
    cord_half_width: Floats
    cord_aside: Floats

    @property
    def along(self) -> Floats:
        """Where the samples lie."""
        return np.asarray(self.start_mm + 0.5 * np.arange(len(self.canal_front)), dtype=np.float64)

    def dent_share(self, aside: npt.ArrayLike = 0.0) -> Floats:
        """Return the share of the greatest dent that is felt at ``aside``."""
        return np.asarray(np.exp(-(((np.asarray(aside) - self.dent_aside) / self.dent_half_width) ** 2)))

    def midline_borders(self, structure: Structure) -> tuple[Floats, Floats]:
        """Return ``behind`` of the anterior and posterior border on the midline."""
        share = self.dent_share()
        front = self.canal_front + self.front_dent * share
        back = self.canal_back - self.back_dent * share
        if structure is Structure.SPINAL_CANAL:
            return front, back
        reach = np.sqrt(np.maximum(0.0, 1 - (self.cord_aside / self.cord_half_width) ** 2)) * self.cord_half_depth
        return np.maximum(self.cord_centre - reach, front), np.minimum(self.cord_centre + reach, back)


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """The true size of a structure in the plane perpendicular to the spine."""

    area_mm2: float
    ap_mm: float
    transverse_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The 20 landmarks, and the borders on the midline as polylines in patient space (LPS mm), shape (n, 3)."""

    landmarks: dict[Landmark, PatientPoint]
    anterior: dict[Structure, Floats]
    posterior: dict[Structure, Floats]

    def width_mm(self, structure: Structure, point: npt.ArrayLike, direction: npt.ArrayLike) -> float:
        """Return the width along the sagittal line through ``point`` with ``direction`` (LPS)."""
        front = _crossing(self.anterior[structure][:, 1:], np.asarray(point)[1:], np.asarray(direction)[1:])
        back = _crossing(self.posterior[structure][:, 1:], np.asarray(point)[1:], np.asarray(direction)[1:])
        return float(np.hypot(*(back - front)))

    def widths_mm(self, structure: Structure, count: int = 9) -> dict[Level, Floats]:
        """Return ``count`` widths for each level, perpendicular to its piece of the posterior wall, evenly spread inside it."""
        return {level: self._level_widths(structure, start, end, count) for level, (start, end) in self._wall().items()}

    def _wall(self) -> dict[Level, tuple[Floats, Floats]]:
        points = [
            np.array(self.landmarks[Landmark(vertebra, corner)])
            for vertebra in VERTEBRAE
            for corner in (Corner.POSTERIOR_SUPERIOR, Corner.POSTERIOR_INFERIOR)
        ]
        return dict(zip(Level, pairwise(points), strict=True))

    def _level_widths(self, structure: Structure, start: Floats, end: Floats, count: int) -> Floats:
        wall = end - start
        across = np.array([0.0, -wall[2], wall[1]])
        fractions = (np.arange(count) + 0.5) / count
        return np.array([self.width_mm(structure, start + fraction * wall, across) for fraction in fractions])


def _crossing(line: Floats, point: Floats, direction: Floats) -> Floats:
    """Return where a polyline, shape (n, 2), crosses the straight line through ``point``, nearest to it."""
    side = (line - point) @ np.array([-direction[1], direction[0]]) / np.linalg.norm(direction)
    starts = np.flatnonzero(np.sign(side[:-1]) != np.sign(side[1:]))
    share = side[starts] / (side[starts] - side[starts + 1])
    crossings = line[starts] + share[:, None] * (line[starts + 1] - line[starts])
    nearest = int(np.argmin(np.linalg.norm(crossings - point, axis=1)))
    return np.asarray(crossings[nearest])


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What lies around the spine; lengths in mm, per-vertebra arrays of shape (10,)."""

    spinous_length: Floats
    spinous_drop: Floats
    foramen_magnum_along: float
    dens_height: float
    dens_depth: float
    skin_back: float
    skin_front: float
    neck_half_width: float
    prevertebral: float
    airway: float
    epidural_fat: float
    lesion_along: float
    lesion_length: float
    texture: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """One synthetic neck in patient space (LPS mm)."""

    curve: SpineCurve
    bodies: Bodies
    tubes: Tubes
    surroundings: Surroundings
    pathology: Pathology = field(default_factory=Pathology)

    def corner(self, name: str, corner: Corner) -> PatientPoint:
        """Return one corner of one body."""
        k, bodies = NAMES.index(name), self.bodies
        superior = corner in (Corner.ANTERIOR_SUPERIOR, Corner.POSTERIOR_SUPERIOR)
        edge = bodies.top if superior else bodies.bottom
        drop = bodies.top_drop if superior else bodies.bottom_drop
        depth = bodies.top_depth if superior else bodies.bottom_depth
        anterior = corner in (Corner.ANTERIOR_SUPERIOR, Corner.ANTERIOR_INFERIOR)
        point = self.curve.to_patient(edge[k] + drop[k] * anterior, bodies.slip[k] - depth[k] * anterior)
        return PatientPoint(*map(float, point))

    def centre(self, name: str) -> PatientPoint:
        """Return the centre of one body."""
        return PatientPoint(*map(float, np.mean([self.corner(name, corner) for corner in Corner], axis=0)))

    def truth(self) -> Truth:
        """Return landmarks and borders on the midline."""
        landmarks = {Landmark(v, c): self.corner(v.value, c) for v in Vertebra for c in Corner}
        along = self.tubes.along
        below_skull = along >= self.surroundings.foramen_magnum_along
        borders = {s: self.tubes.midline_borders(s) for s in Structure}
        lines = {s: [self.curve.to_patient(along, b)[below_skull] for b in pair] for s, pair in borders.items()}
        return Truth(landmarks, {s: pair[0] for s, pair in lines.items()}, {s: pair[1] for s, pair in lines.items()})

    def along_of(self, point: npt.ArrayLike) -> float:
        """Return the position along the spine of a patient point."""
        return float(self.curve.from_patient(np.asarray(point, dtype=np.float64)[None])[0][0])

    def section(self, structure: Structure, along: float) -> Section:
        """Return the true size of a structure in the plane perpendicular to the spine at ``along``."""
        aside, behind = np.meshgrid(np.arange(-20, 20, 0.05), np.arange(-5, 35, 0.05))
        places = Places.of(np.full_like(behind, along), self.tubes.start_mm, len(self.tubes.canal_front))
        canal, cord = inside_tubes(self.tubes, places, behind, aside)
        inside = cord if structure is Structure.SPINAL_CORD else canal
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        return Section(inside.sum() * 0.05**2, float(len(rows)) * 0.05, float(len(columns)) * 0.05)


def inside_tubes(
    tubes: Tubes, places: Places, behind: npt.NDArray[np.floating], aside: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which points, given by their places in the profiles, lie in the canal (cord included) and in the cord."""
    at = places.read
    front, back = at(tubes.canal_front), at(tubes.canal_back)
    share = np.exp(-(((aside - at(tubes.dent_aside)) / at(tubes.dent_half_width)) ** 2))
    depth = (behind - (front + back) / 2) / ((back - front) / 2)
    across = aside / at(tubes.canal_half_width)
    not_dented = (behind > front + at(tubes.front_dent) * share) & (behind < back - at(tubes.back_dent) * share)
    canal = (np.abs(depth) ** 2.4 + np.abs(across) ** 2.4 < 1) & not_dented
    cord_depth = (behind - at(tubes.cord_centre)) / at(tubes.cord_half_depth)
    cord_across = (aside - at(tubes.cord_aside)) / at(tubes.cord_half_width)
    return canal, canal & (cord_depth**2 + cord_across**2 < 1)
