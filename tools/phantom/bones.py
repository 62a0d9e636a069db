"""The bones and discs of a synthetic neck (pure, vectorised)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.phantom.cloud import Cloud, Labels
from tools.phantom.profile import Floating
from tools.phantom.shape import Anatomy, Tissue


def paint_posterior_elements(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint laminae, spinous processes, flaval ligaments and epidural fat."""
    bodies, around = anatomy.bodies, anatomy.surroundings
    behind_canal = cloud.behind - cloud.read(anatomy.tubes.canal_back)
    half_width = cloud.read(anatomy.tubes.canal_half_width)
    # the arch follows the round back of the canal; the epidural fat fills the gap on the midline
    arch = behind_canal + 0.35 * half_width * (cloud.aside / half_width) ** 2
    middle = (bodies.top + bodies.bottom) / 2 + 0.25 * (bodies.bottom - bodies.top)
    drop = around.spinous_drop
    lowered = cloud.along - drop[cloud.level].astype(np.float32) * np.clip(behind_canal, 0, 40)
    which = np.searchsorted((middle[:-1] + middle[1:]) / 2, lowered).astype(np.int32)
    offset = np.abs(lowered - middle[which].astype(np.float32))
    length = around.spinous_length[which].astype(np.float32)
    half_height = np.where(behind_canal < 4, 5.5, 4.0 + 1.5 * (behind_canal / length))
    fat = (arch > -2) & (behind_canal < 2 + 3 * around.epidural_fat) & (np.abs(cloud.aside) < 4.5)
    labels[fat] = Tissue.EPIDURAL_FAT
    between = (behind_canal > 4) & (behind_canal < length * 0.9) & (np.abs(cloud.aside) < 3)
    labels[between & (cloud.fine_noise > 0.55)] = Tissue.FAT
    flavum = (arch > 0.2) & (arch < 3.2) & (np.abs(cloud.aside) < half_width + 2) & ~fat
    labels[flavum] = Tissue.LIGAMENT
    spine = (behind_canal > 2.5) & (behind_canal < length) & (np.abs(cloud.aside) < 3.2 + 2 * (behind_canal > length - 5))
    lamina = (arch > 0.8) & (arch < 6.0) & (np.abs(cloud.aside) < half_width + 5)
    bone = (spine | lamina) & (offset < half_height)
    labels[bone] = Tissue.CORTEX
    labels[bone & (offset < half_height - 0.9) & ((arch > 1.8) & (arch < 5.2) | spine)] = Tissue.MARROW


def paint_lateral_parts(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint articular pillars, pedicles, foramina with their roots, and vertebral arteries."""
    bodies, level = anatomy.bodies, cloud.level
    half_width = cloud.read(anatomy.tubes.canal_half_width)
    out = np.abs(cloud.aside) - half_width
    beside = (out > 0.3) & (out < 16) & (cloud.behind > -6) & (cloud.behind < 17)
    slanted = cloud.along - 0.6 * cloud.behind
    middle = ((bodies.top + bodies.bottom) / 2).astype(np.float32)[level]
    height = (bodies.bottom - bodies.top).astype(np.float32)[level]
    offset = np.abs(slanted - middle + 4) / height
    pillar = beside & (out > 1.5) & (cloud.behind > 2)
    labels[pillar] = Tissue.CORTEX
    labels[pillar & (offset < 0.52) & (out > 2.4) & (out < 14)] = Tissue.MARROW
    foramen = beside & (cloud.behind <= 9) & (cloud.along - middle > 0.18 * height) & (out < 9)
    labels[foramen] = Tissue.FAT
    root_centre = middle + 0.62 * height + 0.4 * out
    labels[foramen & ((cloud.along - root_centre) ** 2 + (cloud.behind - 4) ** 2 < 2.6**2)] = Tissue.ROOT
    pedicle = beside & (cloud.behind <= 9) & ~foramen & (np.abs(cloud.along - middle + 2) < 0.38 * height) & (out < 7)
    labels[pedicle] = Tissue.MARROW
    artery = (out - 4.5) ** 2 + (cloud.behind + 5) ** 2 < 2.1**2
    labels[artery] = Tissue.VESSEL


@dataclass(frozen=True, slots=True, eq=False)
class BodyFrame:
    """How far points lie inside the column of bodies and discs, mm; negative outside.

    Parameters
    ----------
    below_top, above_bottom
        From the endplates of the nearest vertebra.
    part
        Share of its height, 0 at the upper endplate.
    behind_front, before_wall, edge
        From the anterior and the posterior wall, and from the nearest of all walls.
    """

    below_top: Floating
    above_bottom: Floating
    part: Floating
    behind_front: Floating
    before_wall: Floating
    edge: Floating

    @classmethod
    def of(cls, anatomy: Anatomy, cloud: Cloud) -> "BodyFrame":
        """Return the frame of points."""
        bodies, of = anatomy.bodies, cloud.of_level
        depth_behind = cloud.behind - of(bodies.slip)
        half_width = of(bodies.width) / 2
        share = -depth_behind / of(bodies.top_depth)
        cup = np.clip(4 * share * (1 - share), 0, 1) * 0.9
        below_top = cloud.along - of(bodies.top) - of(bodies.top_drop) * share - cup
        above_bottom = of(bodies.bottom) + of(bodies.bottom_drop) * share - cup - cloud.along
        part = np.clip(below_top / np.maximum(below_top + above_bottom, 1), 0, 1)
        waist = 4 * part * (1 - part)
        across = np.abs(cloud.aside) / (half_width * (1.06 - 0.06 * waist))
        curved = np.sqrt(np.clip(1.15 - across**2, 0.02, 1))
        depth = (of(bodies.top_depth) * (1 - part) + of(bodies.bottom_depth) * part - 1.0 * waist) * curved
        behind_front, before_wall = depth + depth_behind, -depth_behind - 0.4 * waist
        edge = np.minimum(np.minimum(behind_front, before_wall), (1 - across) * half_width)
        return cls(below_top, above_bottom, part, behind_front, before_wall, edge)

    @property
    def to_endplate(self) -> Floating:
        """Distance from the nearer endplate, positive in bone."""
        return np.asarray(np.minimum(self.below_top, self.above_bottom))

    def disc(self, cloud: Cloud) -> npt.NDArray[np.int32]:
        """Return the row of the vertebra above the nearest disc; -1 above C2."""
        return np.where(self.above_bottom < self.below_top, cloud.level, cloud.level - 1)


def paint_bodies(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint bodies, discs and the ligaments around them."""
    bodies, frame = anatomy.bodies, BodyFrame.of(anatomy, cloud)
    edge, to_endplate = frame.edge, frame.to_endplate
    in_block = (cloud.along > bodies.top[0] - 2) & (edge > -1.3)
    labels[in_block & (edge <= 0)] = Tissue.LIGAMENT
    inside = in_block & (edge > 0)
    labels[inside] = Tissue.ANNULUS
    wet = bodies.degeneration.astype(np.float32)[np.clip(frame.disc(cloud), 0, None)] < 0.62
    labels[inside & (edge > 3.0) & (to_endplate < -1.0) & wet] = Tissue.NUCLEUS
    bone = inside & (to_endplate > 0)
    labels[bone] = Tissue.CORTEX
    labels[bone & (np.minimum(edge, to_endplate) > 0.7)] = Tissue.MARROW
    vein = bone & (frame.before_wall < 4.5) & (np.abs(cloud.aside) < 3) & (np.abs(frame.part - 0.5) < 0.07)
    labels[vein] = Tissue.FAT


def paint_dens_and_atlas(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint the dens and C1."""
    bodies, around = anatomy.bodies, anatomy.surroundings
    base = np.float32(bodies.top[0])
    up = base - cloud.along
    tip = np.float32(around.dens_height)
    taper = np.where(up < 0.55 * tip, 1.0, np.sqrt(np.clip(1 - ((up - 0.55 * tip) / (0.45 * tip)) ** 2, 0, 1)))
    depth = np.float32(around.dens_depth)
    centre = -1.2 - depth / 2
    radius = np.hypot((cloud.behind - centre) / (depth / 2), cloud.aside / 5.2)
    dens = (up > -2.5) & (up < tip) & (radius < taper)
    around_dens = (up > 0) & (up < tip + 3) & (np.abs(cloud.aside) < 9) & (cloud.behind < 0) & (cloud.behind > -depth - 5)
    labels[around_dens] = Tissue.LIGAMENT
    labels[around_dens & (cloud.fine_noise > 0.7)] = Tissue.FAT
    labels[dens] = Tissue.CORTEX
    labels[dens & (radius < taper - 0.14)] = Tissue.MARROW
    labels[dens & (np.abs(up) < 0.7) & (np.abs(cloud.behind - centre) < depth * 0.35)] = Tissue.CORTEX
    # the atlas: an anterior arch before the dens, lateral masses, a posterior arch behind the canal
    atlas = base - 0.62 * tip
    ring_front = np.hypot((cloud.behind + depth + 4.8) / 3.2, (cloud.along - atlas) / 5.5)
    arch = (np.abs(cloud.aside) < 9) & (ring_front < 1)
    labels[arch] = Tissue.CORTEX
    labels[arch & (ring_front < 0.72)] = Tissue.MARROW
    back = cloud.behind - cloud.read(anatomy.tubes.canal_back) - 4.5 + 0.02 * cloud.aside**2
    ring_back = np.hypot(back / 3.6, (cloud.along - atlas - 2) / 4.2)
    posterior = (np.abs(cloud.aside) < 18) & (ring_back < 1)
    labels[posterior] = Tissue.CORTEX
    labels[posterior & (ring_back < 0.7)] = Tissue.MARROW
    out = np.abs(cloud.aside)
    mass = (out > 7.5) & (out < 20) & (np.abs(cloud.along - atlas) < 8 + 0.2 * (out - 8)) & (np.abs(cloud.behind + 3) < 7)
    labels[mass] = Tissue.MARROW
