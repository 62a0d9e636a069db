"""The soft parts of a synthetic neck, its airway and the base of its skull (pure, vectorised)."""

import numpy as np

from tools.phantom.cloud import Array, Cloud, Labels
from tools.phantom.profile import Places
from tools.phantom.shape import Anatomy, Tissue


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


def paint_soft_parts(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint muscle planes, fat, skin and the air around the neck."""
    labels[cloud.noise > 0.86] = Tissue.FAT
    # planes of fat between the muscles of the neck, and the nuchal ligament
    planes = np.abs(np.sin((cloud.behind + 0.25 * cloud.along) / 6.5 + 3 * np.sin(cloud.aside / 14))) < 0.13
    labels[planes & (cloud.behind > 18) & (cloud.fine_noise > 0.3)] = Tissue.FAT
    labels[(np.abs(cloud.aside) < 1.2) & (cloud.behind > 30)] = Tissue.LIGAMENT
    skin = _skin(anatomy, cloud)
    labels[(skin > 0.55) & (cloud.behind > 0)] = Tissue.SKIN_FAT
    labels[(skin > 0.82) & (cloud.behind <= 0)] = Tissue.SKIN_FAT
    labels[skin > 1] = Tissue.AIR


def paint_front(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint airway, tongue, glands and the large vessels."""
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


def paint_head(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint what lies above the foramen magnum."""
    above = cloud.along < anatomy.surroundings.foramen_magnum_along
    up = anatomy.surroundings.foramen_magnum_along - cloud.along
    behind, aside, tubes = cloud.behind, cloud.aside, anatomy.tubes
    clivus = 0.9 * up
    opening = np.float32(Places.of(np.array([-45.0]), tubes.start_mm, len(tubes.canal_back)).read(tubes.canal_back)[0]) + 8
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
