"""Which tissue lies at a point of a synthetic neck (pure, vectorised)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.phantom.shape import Anatomy, Bodies, Tissue, inside_tubes, sample

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Points in spine coordinates, mm, each of one shape; ``level`` is the row of the nearest vertebra."""

    along: Array
    behind: Array
    aside: Array
    level: npt.NDArray[np.int32]
    noise: Array
    fine_noise: Array


@dataclass(frozen=True, slots=True, eq=False)
class Tissues:
    """Labels of :class:`Tissue`, and which points lie in the canal (cord included) and in the cord."""

    labels: Labels
    canal: Mask
    cord: Mask
    level: npt.NDArray[np.int32]


def tissue_at(anatomy: Anatomy, points: npt.NDArray[np.floating]) -> Tissues:
    """Return the tissue at patient points (LPS mm), shape (..., 3)."""
    cloud = _cloud(anatomy, points.astype(np.float32))
    labels = np.full(cloud.along.shape, Tissue.MUSCLE, dtype=np.uint8)
    _paint_soft_parts(anatomy, cloud, labels)
    _paint_front(anatomy, cloud, labels)
    _paint_posterior_elements(anatomy, cloud, labels)
    _paint_lateral_parts(anatomy, cloud, labels)
    _paint_bodies(anatomy, cloud, labels)
    _paint_dens_and_atlas(anatomy, cloud, labels)
    canal, cord = inside_tubes(anatomy.tubes, cloud.along, cloud.behind, cloud.aside)
    _paint_canal(anatomy, cloud, labels, canal, cord)
    outside_skull = cloud.along >= anatomy.surroundings.foramen_magnum_along
    _paint_head(anatomy, cloud, labels, ~outside_skull)
    return Tissues(labels, canal & outside_skull, cord & outside_skull, cloud.level)


def _cloud(anatomy: Anatomy, points: Array) -> Cloud:
    along, behind, aside = (np.asarray(part, dtype=np.float32) for part in anatomy.curve.from_patient(points.astype(np.float64)))
    bodies = anatomy.bodies
    discs = (bodies.bottom[:-1] + bodies.top[1:]) / 2
    slope = np.float32((bodies.top_drop / bodies.top_depth).mean())
    level = np.searchsorted(discs, along - slope * np.clip(-behind, 0, 22)).astype(np.int32)
    texture = anatomy.surroundings.texture
    return Cloud(along, behind, aside, level, _noise(texture, points, 2.2, 0.9), _noise(texture, points, 0.8, 0.45))


def _noise(texture: Array, points: Array, length_mm: float, width_mm: float) -> Array:
    """Return noise 0..1, constant in cells of the given size along and across the patient."""
    x, y, z = ((points[..., i] / size).astype(np.int32) % len(texture) for i, size in enumerate((width_mm, width_mm, length_mm)))
    return np.asarray(texture[x, y, z])


def _skin(anatomy: Anatomy, cloud: Cloud) -> Array:
    """Return the squared relative distance from the axis of the neck: 1 at the skin."""
    around = anatomy.surroundings
    head = np.clip(-(cloud.along - 15) / 30, 0, 1)
    shoulder = np.clip((cloud.along - 75) / 40, 0, 1)
    back = around.skin_back + 12 * head**2 + 14 * shoulder
    front = around.skin_front + 40 * head + 25 * shoulder
    half_width = around.neck_half_width + 18 * head + 110 * shoulder**2
    depth = np.where(cloud.behind > 0, cloud.behind / back, cloud.behind / front)
    return np.asarray(np.abs(depth) ** 3 + np.abs(cloud.aside / half_width) ** 2.4)


def _paint_soft_parts(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    labels[cloud.noise > 0.86] = Tissue.FAT
    # planes of fat between the muscles of the neck, and the nuchal ligament
    planes = np.abs(np.sin((cloud.behind + 0.25 * cloud.along) / 6.5 + 3 * np.sin(cloud.aside / 14))) < 0.13
    labels[planes & (cloud.behind > 18) & (cloud.fine_noise > 0.3)] = Tissue.FAT
    labels[(np.abs(cloud.aside) < 1.2) & (cloud.behind > 30)] = Tissue.LIGAMENT
    skin = _skin(anatomy, cloud)
    labels[(skin > 0.55) & (cloud.behind > 0)] = Tissue.SKIN_FAT
    labels[(skin > 0.82) & (cloud.behind <= 0)] = Tissue.SKIN_FAT
    labels[skin > 1] = Tissue.AIR


def _paint_front(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    around, depth = anatomy.surroundings, np.float32(anatomy.bodies.top_depth[3])
    ahead = -cloud.behind - depth - around.prevertebral - 4 * np.clip((cloud.along - 30) / 20, 0, 1)
    near = np.abs(cloud.aside) < 22
    inner = (labels != Tissue.AIR) & near
    labels[inner & (ahead > 0) & (ahead < around.airway + 8) & (cloud.noise > 0.4)] = Tissue.MUCOSA
    tongue = inner & (ahead > around.airway + 6) & (cloud.along < 25)
    labels[tongue & (cloud.fine_noise > 0.5)] = Tissue.GLAND
    across = cloud.aside / (8 + 4 * (cloud.noise - 0.5))
    tube = ((ahead - 1 - around.airway / 2) / (around.airway / 2)) ** 2 + across**2
    labels[inner & (tube < 1)] = Tissue.AIR
    for side in (-1.0, 1.0):
        for centre, radius in ((-23.0, 3.2), (-31.0, 4.6)):
            labels[(cloud.behind + depth * 1.2 + 3) ** 2 + (cloud.aside - side * -centre) ** 2 < radius**2] = Tissue.VESSEL


def _canal_back(anatomy: Anatomy, cloud: Cloud) -> Array:
    return np.asarray(sample(anatomy.tubes.canal_back, anatomy.tubes.start_mm, cloud.along))


def _paint_posterior_elements(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    bodies, around = anatomy.bodies, anatomy.surroundings
    behind_canal = cloud.behind - _canal_back(anatomy, cloud)
    half_width = sample(anatomy.tubes.canal_half_width, anatomy.tubes.start_mm, cloud.along)
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


def _paint_lateral_parts(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    bodies, level = anatomy.bodies, cloud.level
    half_width = sample(anatomy.tubes.canal_half_width, anatomy.tubes.start_mm, cloud.along)
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


def _paint_bodies(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    bodies, level = anatomy.bodies, cloud.level

    def of(values: npt.NDArray[np.float64]) -> Array:
        return np.asarray(values.astype(np.float32)[level])

    depth_behind = cloud.behind - of(bodies.slip)
    half_width = of(bodies.width) / 2
    share = -depth_behind / of(bodies.top_depth)
    cup = np.clip(4 * share * (1 - share), 0, 1) * 0.9
    below_top = cloud.along - of(bodies.top) - of(bodies.top_drop) * share - cup
    above_bottom = of(bodies.bottom) + of(bodies.bottom_drop) * share - cup - cloud.along
    height = below_top + above_bottom
    part = np.clip(below_top / np.maximum(height, 1), 0, 1)
    waist = 4 * part * (1 - part)
    across = np.abs(cloud.aside) / (half_width * (1.06 - 0.06 * waist))
    curved = np.sqrt(np.clip(1.15 - across**2, 0.02, 1))
    depth = (of(bodies.top_depth) * (1 - part) + of(bodies.bottom_depth) * part - 1.0 * waist) * curved
    behind_front, before_wall = depth + depth_behind, -depth_behind - 0.4 * waist
    side = (1 - across) * half_width
    edge = np.minimum(np.minimum(behind_front, before_wall), side)
    in_block = (cloud.along > bodies.top[0] - 2) & (edge > -1.3)
    labels[in_block & (edge <= 0)] = Tissue.LIGAMENT
    inside = in_block & (edge > 0)
    to_endplate = np.minimum(below_top, above_bottom)
    labels[inside] = Tissue.ANNULUS
    ring = np.minimum(np.minimum(behind_front, before_wall), side)
    below = np.where(above_bottom < below_top, level, level - 1)
    wet = bodies.degeneration.astype(np.float32)[np.clip(below, 0, None)] < 0.62
    labels[inside & (ring > 3.0) & (to_endplate < -1.0) & wet] = Tissue.NUCLEUS
    bone = inside & (to_endplate > 0)
    labels[bone] = Tissue.CORTEX
    labels[bone & (np.minimum(edge, to_endplate) > 0.7)] = Tissue.MARROW
    vein = bone & (before_wall < 4.5) & (np.abs(cloud.aside) < 3) & (np.abs(part - 0.5) < 0.07)
    labels[vein] = Tissue.FAT


def _paint_dens_and_atlas(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
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
    back = cloud.behind - _canal_back(anatomy, cloud) - 4.5 + 0.02 * cloud.aside**2
    ring_back = np.hypot(back / 3.6, (cloud.along - atlas - 2) / 4.2)
    posterior = (np.abs(cloud.aside) < 18) & (ring_back < 1)
    labels[posterior] = Tissue.CORTEX
    labels[posterior & (ring_back < 0.7)] = Tissue.MARROW
    out = np.abs(cloud.aside)
    mass = (out > 7.5) & (out < 20) & (np.abs(cloud.along - atlas) < 8 + 0.2 * (out - 8)) & (np.abs(cloud.behind + 3) < 7)
    labels[mass] = Tissue.MARROW


def _paint_canal(anatomy: Anatomy, cloud: Cloud, labels: Labels, canal: Mask, cord: Mask) -> None:
    tubes, around = anatomy.tubes, anatomy.surroundings

    def at(values: npt.NDArray[np.float64]) -> Array:
        return np.asarray(sample(values, tubes.start_mm, cloud.along))

    front, back, half_width = at(tubes.canal_front), at(tubes.canal_back), at(tubes.canal_half_width)
    wall = (cloud.behind > at_slip(anatomy.bodies, cloud)) & (cloud.behind < back + 0.8) & (np.abs(cloud.aside) < half_width + 1)
    dented = at(tubes.front_dent) > 0.4
    before = cloud.behind < (front + back) / 2
    labels[wall & before] = Tissue.LIGAMENT
    labels[wall & before & dented & (cloud.behind > 1.2)] = Tissue.ANNULUS
    labels[wall & ~before & (np.abs(cloud.aside) > half_width * 0.55)] = Tissue.LIGAMENT
    labels[wall & ~before & (at(tubes.back_dent) > 0.4)] = Tissue.LIGAMENT
    labels[canal] = Tissue.CSF
    roots = canal & ~cord & (np.abs(np.abs(cloud.aside) - half_width * 0.75) < 1.0) & (cloud.noise > 0.55)
    labels[roots] = Tissue.ROOT
    labels[cord] = Tissue.WHITE_MATTER
    depth = (cloud.behind - at(tubes.cord_centre)) / at(tubes.cord_half_depth)
    across = np.abs(cloud.aside) / at(tubes.cord_half_width)
    horns = (np.abs(across - 0.3 - 0.1 * depth) < 0.13) & (np.abs(depth) < 0.62)
    commissure = (np.abs(depth) < 0.12) & (across < 0.3)
    labels[cord & (horns | commissure)] = Tissue.GREY_MATTER
    if around.lesion_length > 0:
        inside = np.hypot((cloud.along - around.lesion_along) / (around.lesion_length / 2), depth / 0.6) < 1
        labels[cord & inside & (across < 0.6)] = Tissue.LESION


def at_slip(bodies: Bodies, cloud: Cloud) -> Array:
    """Return where the posterior wall of the nearest body lies."""
    return np.asarray(bodies.slip.astype(np.float32)[cloud.level])


def _paint_head(anatomy: Anatomy, cloud: Cloud, labels: Labels, above: Mask) -> None:
    up = anatomy.surroundings.foramen_magnum_along - cloud.along
    behind, aside = cloud.behind, cloud.aside
    clivus = 0.9 * up
    opening = np.float32(sample(anatomy.tubes.canal_back, anatomy.tubes.start_mm, np.array([-45.0]))[0]) + 8
    occiput = opening + 1.3 * up
    inside = above & (behind > -clivus + 1) & (behind < np.minimum(occiput, 75)) & (np.abs(aside) < 48)
    outside_air = labels == Tissue.AIR
    bone_front = above & (behind <= -clivus + 1) & (behind > -clivus - 7) & (np.abs(aside) < 14)
    bone_back = above & (behind >= occiput) & (behind < occiput + 7) & ~outside_air
    for bone in (bone_front, bone_back):
        labels[bone] = Tissue.MARROW
        labels[bone & (cloud.fine_noise > 0.75)] = Tissue.CORTEX
    labels[inside] = Tissue.CSF
    stem_centre = 0.5 * opening - 0.55 * np.clip(up, 0, 30) - 2
    swelling = 6.5 + 9 * np.clip((up - 18) / 10, 0, 1)
    stem = np.hypot((behind - stem_centre) / swelling, aside / (8 + 6 * np.clip(up / 25, 0, 1))) < 1
    cerebellum = (behind > stem_centre + swelling + 2.5) & (behind < occiput - 2) & (up > 7) & (np.abs(aside) < 44)
    folds = np.abs(np.sin((behind - 20) / 3.1) * np.cos(up / 4.2)) < 0.12
    labels[inside & cerebellum & ~folds] = Tissue.BRAIN
    labels[inside & stem] = Tissue.BRAIN
