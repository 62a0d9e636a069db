"""Named anatomy of the cervical spine."""

from dataclasses import dataclass
from enum import StrEnum


class Vertebra(StrEnum):
    """The vertebrae whose body corners are found, from head to feet."""

    C3 = "C3"
    C4 = "C4"
    C5 = "C5"
    C6 = "C6"
    C7 = "C7"


class Corner(StrEnum):
    """The four corners of a vertebral body in a sagittal plane, in the order of the paper's points."""

    ANTERIOR_SUPERIOR = "anterior_superior"
    ANTERIOR_INFERIOR = "anterior_inferior"
    POSTERIOR_SUPERIOR = "posterior_superior"
    POSTERIOR_INFERIOR = "posterior_inferior"


class Structure(StrEnum):
    """What a mask depicts. The spinal canal includes the spinal cord."""

    SPINAL_CORD = "spinal_cord"
    SPINAL_CANAL = "spinal_canal"


class Level(StrEnum):
    """Vertebral and disc levels along the posterior wall, from head to feet."""

    C3 = "C3"
    C3_C4 = "C3/C4"
    C4 = "C4"
    C4_C5 = "C4/C5"
    C5 = "C5"
    C5_C6 = "C5/C6"
    C6 = "C6"
    C6_C7 = "C6/C7"
    C7 = "C7"

    @property
    def is_disc(self) -> bool:
        """Whether the level lies between two vertebrae."""
        return "/" in self.value

    @property
    def order(self) -> int:
        """Position from head to feet, C3 = 0; vertebrae are even, discs are odd."""
        return LEVELS.index(self)


LEVELS: tuple[Level, ...] = tuple(Level)
VERTEBRAE: tuple[Vertebra, ...] = tuple(Vertebra)
CORNERS: tuple[Corner, ...] = tuple(Corner)


@dataclass(frozen=True, slots=True, order=True)
class Landmark:
    """A named anatomical point: one corner of one vertebral body."""

    vertebra: Vertebra
    corner: Corner


#: The 20 landmarks in heat-map channel order: C3 to C7, and within a vertebra the order of :class:`Corner`.
LANDMARKS: tuple[Landmark, ...] = tuple(Landmark(vertebra, corner) for vertebra in VERTEBRAE for corner in CORNERS)
