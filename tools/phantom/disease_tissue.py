"""The tissues of disease and surgery in a synthetic neck (pure, vectorised)."""

import numpy as np

from tools.phantom.bones import BodyFrame
from tools.phantom.cloud import Array, Cloud, Labels, Mask
from tools.phantom.pathology import CordSpot, Fusion, Laminectomy
from tools.phantom.profile import Floating
from tools.phantom.shape import Anatomy, Tissue

_CORTEX_MM = 0.7
_BONES = (Tissue.MARROW, Tissue.CORTEX)


def paint_bone_disease(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint what changes bodies and discs: other marrow, fused discs, spurs."""
    disease, frame = anatomy.pathology, BodyFrame.of(anatomy, cloud)
    if disease.bone_spots:
        _paint_bone_spots(anatomy, cloud, labels)
    if disease.fusion:
        _paint_fusion(disease.fusion, frame, cloud, labels)
    if disease.spurs:
        _paint_spurs(anatomy, frame, cloud, labels)


def _paint_bone_spots(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    for spot in anatomy.pathology.bone_spots:
        squared = np.zeros_like(cloud.along)
        place = (cloud.along, cloud.behind, cloud.aside)
        for values, centre, radius in zip(place, spot.centre_mm, spot.radii_mm, strict=True):
            squared += ((values - np.float32(centre)) / np.float32(radius)) ** 2
        # ragged borders
        distance = np.sqrt(squared) + 0.35 * (cloud.noise - 0.5)
        if spot.tissue == Tissue.NUCLEUS:
            labels[np.isin(labels, _BONES) & (distance < 1.3)] = Tissue.CORTEX
            labels[(labels == Tissue.CORTEX) & (distance < 1)] = Tissue.ANNULUS
        else:
            labels[(labels == Tissue.MARROW) & (distance < 1)] = spot.tissue


def _paint_fusion(fusion: Fusion, frame: BodyFrame, cloud: Cloud, labels: Labels) -> None:
    disc = frame.disc(cloud)
    fused = (frame.edge > 0) & (disc >= fusion.first) & (disc < fusion.last) & (frame.to_endplate < _CORTEX_MM + 0.1)
    labels[fused] = np.where(frame.edge[fused] > _CORTEX_MM, Tissue.MARROW, Tissue.CORTEX)
    # what is left of the endplates
    labels[fused & (np.abs(frame.to_endplate) < 0.5) & (cloud.noise > 0.6)] = Tissue.CORTEX
    if fusion.tissue == Tissue.CAGE:
        cage = fused & (frame.to_endplate < -0.3) & (frame.edge > 1.5) & (np.abs(cloud.aside) < 7)
        labels[cage] = Tissue.CAGE
        filled = cage & (frame.behind_front > 4.5) & (frame.before_wall > 4.5) & (np.abs(cloud.aside) < 3.5)
        labels[filled] = Tissue.MODIC_DARK


def _paint_spurs(anatomy: Anatomy, frame: BodyFrame, cloud: Cloud, labels: Labels) -> None:
    ahead = -frame.behind_front
    bone = np.zeros(ahead.shape, dtype=np.float32)
    for spur in anatomy.pathology.spurs:
        share = np.exp(-((np.abs(cloud.along - np.float32(spur.along_mm)) / np.float32(spur.reach_mm)) ** 1.4))
        share *= np.exp(-((cloud.aside / np.float32(spur.half_width_mm)) ** 2))
        np.maximum(bone, np.float32(spur.size_mm) * share, out=bone)
    bone -= 0.5
    within = (bone > 0) & (ahead < bone)
    labels[within & (ahead > 0)] = Tissue.CORTEX
    # the marrow of a large spur goes over into that of the body
    hollow = within & (ahead < bone - _CORTEX_MM) & (ahead > -0.9) & ((ahead > 0) | (labels == Tissue.CORTEX))
    labels[hollow & ((bone > 1.6) & (ahead > 0) | (frame.to_endplate > _CORTEX_MM))] = Tissue.MARROW


def paint_laminectomy(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint muscle, scar and fluid where arches were removed."""
    laminectomy = anatomy.pathology.laminectomy
    if laminectomy is None:
        return
    behind = cloud.behind - cloud.read(anatomy.tubes.canal_back)
    half_width = cloud.read(anatomy.tubes.canal_half_width)
    inside = _opened(laminectomy, anatomy, cloud, behind) & (np.abs(cloud.aside) < half_width + 1) & (behind > -1)
    length = np.float32(anatomy.surroundings.spinous_length[laminectomy.first : laminectomy.last + 1].max())
    gone = inside & (behind < length + 2)
    labels[gone] = np.where(cloud.noise[gone] > 0.72, Tissue.FAT, Tissue.MUSCLE)
    ragged = behind + 5 * (cloud.noise - 0.5)
    labels[inside & (ragged < laminectomy.scar_mm)] = Tissue.SCAR
    labels[inside & (behind < 1.0)] = Tissue.LIGAMENT
    fluid = inside & (ragged < laminectomy.fluid_mm + 1) & (behind > 1.5) & (np.abs(cloud.aside) < 8)
    labels[fluid] = Tissue.FLUID


def _opened(laminectomy: Laminectomy, anatomy: Anatomy, cloud: Cloud, behind: Array) -> Mask:
    """Return where arches were removed; the wound lies along the spinous processes, which point downwards."""
    bodies = anatomy.bodies
    start = bodies.top[laminectomy.first] - 1
    end = bodies.bottom[laminectomy.last] + 0.3 * (bodies.bottom - bodies.top)[laminectomy.last]
    lowered = cloud.along - cloud.of_level(anatomy.surroundings.spinous_drop) * np.clip(behind, 0, 40)
    return np.asarray((lowered > np.float32(start)) & (lowered < np.float32(end)))


def paint_ossified_dents(anatomy: Anatomy, cloud: Cloud, labels: Labels, pressing: Mask) -> None:
    """Paint bone where points of ``pressing`` belong to what narrows the canal from the front."""
    tubes = anatomy.tubes
    share = np.exp(-(((cloud.aside - cloud.read(tubes.dent_aside)) / cloud.read(tubes.dent_half_width)) ** 2))
    to_canal = cloud.read(tubes.canal_front) + cloud.read(tubes.front_dent) * share - cloud.behind
    for dent in anatomy.pathology.ossified:
        inside = pressing & (cloud.along > np.float32(dent.start_mm)) & (cloud.along < np.float32(dent.end_mm))
        if dent.tissue == Tissue.OSSIFICATION:
            labels[inside] = Tissue.OSSIFICATION
            # thick bands hold islands of fatty marrow
            labels[inside & (to_canal > 1.6) & (cloud.behind > 1.8) & (cloud.noise > 0.75)] = Tissue.MODIC_DARK
        else:
            labels[inside] = np.where(to_canal[inside] > _CORTEX_MM, dent.tissue, Tissue.CORTEX)


def paint_cord_spot(spot: CordSpot, cloud: Cloud, labels: Labels, within: tuple[Floating, Floating], cord: Mask) -> None:
    """Paint a spindle inside the cord; ``within`` is the relative place in its depth and across, each 0 in the middle."""
    depth, across = within
    along = (cloud.along - np.float32(spot.along_mm)) / np.float32(spot.length_mm / 2)
    inside = along**2 + (depth / np.float32(spot.depth_share)) ** 2 + (across / np.float32(spot.across_share)) ** 2 < 1
    labels[cord & inside] = spot.tissue


def paint_metal(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    """Paint the lost signal around an anterior plate and its screws, and the rim where signal piles up."""
    fusion = anatomy.pathology.fusion
    if fusion is None or fusion.void_mm <= 0:
        return
    frame, bodies = BodyFrame.of(anatomy, cloud), anatomy.bodies
    middles = (bodies.top + bodies.bottom) / 2 + (bodies.top_drop + bodies.bottom_drop) / 2
    start, end = np.float32(middles[fusion.first] - 3), np.float32(middles[fusion.last] + 3)
    void = np.float32(fusion.void_mm)
    beyond = np.maximum(np.maximum(start - cloud.along, cloud.along - end), 0)
    across = np.maximum(np.abs(cloud.aside) - 7, 0)
    plate = np.sqrt(((frame.behind_front + 1) / (1 + 0.8 * void)) ** 2 + (beyond / void) ** 2 + (across / void) ** 2)
    for row in range(fusion.first, fusion.last + 1):
        beside = np.maximum(np.abs(np.abs(cloud.aside) - 4.5) - 1.5, 0)
        off = np.hypot(cloud.along - np.float32(middles[row]) + 0.2 * frame.behind_front, beside) / (1 + 0.35 * void)
        reach = np.maximum(frame.behind_front - 11, 0) + np.maximum(-frame.behind_front - 2, 0)
        plate = np.minimum(plate, np.hypot(off, reach))
    ragged = plate + 0.5 * (cloud.noise - 0.5)
    # displaced signal piles up on some sides only
    labels[ragged < 1.05 + 0.6 * np.clip(np.sin(0.35 * cloud.along + 0.2 * cloud.behind), 0, 1)] = Tissue.SIGNAL_RIM
    labels[ragged < 1] = Tissue.METAL
