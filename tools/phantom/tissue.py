"""Which tissue lies at a point of a synthetic neck (pure, vectorised)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.phantom.bones import paint_bodies, paint_dens_and_atlas, paint_lateral_parts, paint_posterior_elements
from tools.phantom.cloud import Cloud, Labels, Mask
from tools.phantom.disease_tissue import (
    paint_bone_disease,
    paint_cord_spot,
    paint_laminectomy,
    paint_metal,
    paint_ossified_dents,
)
from tools.phantom.shape import Anatomy, Tissue, inside_tubes
from tools.phantom.softparts import paint_front, paint_head, paint_soft_parts

Painter = Callable[[Anatomy, Cloud, Labels], None]


@dataclass(frozen=True, slots=True, eq=False)
class Tissues:
    """Labels of :class:`Tissue`, and which points lie in the canal (cord included) and in the cord; shape (...)."""

    labels: Labels
    canal: Mask
    cord: Mask
    level: npt.NDArray[np.int32]


def tissue_at(anatomy: Anatomy, points: npt.NDArray[np.floating]) -> Tissues:
    """Return the tissue at patient points (LPS mm), shape (..., 3)."""
    cloud = Cloud.of(anatomy, points.astype(np.float32))
    labels = np.full(cloud.along.shape, Tissue.MUSCLE, dtype=np.uint8)
    paint_soft_parts(anatomy, cloud, labels)
    for paint, near in _PAINTERS:
        _paint_where(paint, near(anatomy, cloud), anatomy, cloud, labels)
    canal, cord = _paint_canal_where_it_is(anatomy, cloud, labels)
    _paint_where(paint_metal, _near_metal(anatomy, cloud), anatomy, cloud, labels)
    skull = cloud.along < anatomy.surroundings.foramen_magnum_along
    _paint_where(paint_head, skull, anatomy, cloud, labels)
    canal, cord = canal & ~skull, cord & ~skull
    shape = points.shape[:-1]
    return Tissues(labels.reshape(shape), canal.reshape(shape), cord.reshape(shape), cloud.level.reshape(shape))


def _paint_where(paint: Painter, where: Mask, anatomy: Anatomy, cloud: Cloud, labels: Labels) -> None:
    chosen = np.flatnonzero(where)
    if len(chosen):
        part = labels[chosen]
        paint(anatomy, cloud.at(chosen), part)
        labels[chosen] = part


def _paint_canal(anatomy: Anatomy, cloud: Cloud, labels: Labels, canal: Mask, cord: Mask) -> None:
    tubes, around, at = anatomy.tubes, anatomy.surroundings, cloud.read
    front, back, half_width = at(tubes.canal_front), at(tubes.canal_back), at(tubes.canal_half_width)
    wall = (cloud.behind > cloud.of_level(anatomy.bodies.slip)) & (cloud.behind < back + 0.8)
    wall &= np.abs(cloud.aside) < half_width + 1
    dented = at(tubes.front_dent) > 0.4
    before = cloud.behind < (front + back) / 2
    labels[wall & before] = Tissue.LIGAMENT
    labels[wall & before & dented & (cloud.behind > 1.2)] = Tissue.ANNULUS
    if anatomy.pathology.ossified:
        paint_ossified_dents(anatomy, cloud, labels, wall & before & dented & (cloud.behind > 1.0))
    labels[wall & ~before & (np.abs(cloud.aside) > half_width * 0.55)] = Tissue.LIGAMENT
    labels[wall & ~before & (at(tubes.back_dent) > 0.4)] = Tissue.LIGAMENT
    labels[canal] = Tissue.CSF
    roots = canal & ~cord & (np.abs(np.abs(cloud.aside) - half_width * 0.75) < 1.0) & (cloud.noise > 0.55)
    labels[roots] = Tissue.ROOT
    labels[cord] = Tissue.WHITE_MATTER
    depth = np.asarray((cloud.behind - at(tubes.cord_centre)) / at(tubes.cord_half_depth))
    across = np.asarray(np.abs(cloud.aside) / at(tubes.cord_half_width))
    horns = (np.abs(across - 0.3 - 0.1 * depth) < 0.13) & (np.abs(depth) < 0.62)
    commissure = (np.abs(depth) < 0.12) & (across < 0.3)
    labels[cord & (horns | commissure)] = Tissue.GREY_MATTER
    if around.lesion_length > 0:
        inside = np.hypot((cloud.along - around.lesion_along) / (around.lesion_length / 2), depth / 0.6) < 1
        labels[cord & inside & (across < 0.6)] = Tissue.LESION
    for spot in anatomy.pathology.cord_spots:
        paint_cord_spot(spot, cloud, labels, (depth, across), cord)


def _paint_canal_where_it_is(anatomy: Anatomy, cloud: Cloud, labels: Labels) -> tuple[Mask, Mask]:
    """Paint the canal, its walls and the cord; return canal and cord."""
    canal, cord = np.zeros((2, len(labels)), dtype=np.bool_)
    chosen = np.flatnonzero(_near_canal(anatomy, cloud))
    if len(chosen):
        near, part = cloud.at(chosen), labels[chosen]
        in_canal, in_cord = inside_tubes(anatomy.tubes, near.places, near.behind, near.aside)
        _paint_canal(anatomy, near, part, in_canal, in_cord)
        labels[chosen], canal[chosen], cord[chosen] = part, in_canal, in_cord
    return canal, cord


# Where a painter can have any effect; each is wider than need be, for speed only.


def _near_front(_: Anatomy, cloud: Cloud) -> Mask:
    return np.asarray((cloud.behind < 0) & (np.abs(cloud.aside) < 45))


def _near_posterior_elements(anatomy: Anatomy, cloud: Cloud) -> Mask:
    tubes, reach = anatomy.tubes, float(anatomy.tubes.canal_half_width.max()) + 6
    behind = (cloud.behind > tubes.canal_back.min() - 12) & (
        cloud.behind < tubes.canal_back.max() + anatomy.surroundings.spinous_length.max() + 1
    )
    return np.asarray(behind & (np.abs(cloud.aside) < reach))


def _near_lateral_parts(anatomy: Anatomy, cloud: Cloud) -> Mask:
    half_width = anatomy.tubes.canal_half_width
    aside = np.abs(cloud.aside)
    return np.asarray((aside > half_width.min()) & (aside < half_width.max() + 17) & (cloud.behind > -8) & (cloud.behind < 18))


def _near_bodies(anatomy: Anatomy, cloud: Cloud) -> Mask:
    bodies = anatomy.bodies
    depth = max(bodies.top_depth.max(), bodies.bottom_depth.max())
    deep = (cloud.behind > bodies.slip.min() - depth - 2) & (cloud.behind < bodies.slip.max() + 2)
    return np.asarray(deep & (np.abs(cloud.aside) < 0.53 * bodies.width.max() + 2) & (cloud.along > bodies.top[0] - 2.1))


def _near_bone_disease(anatomy: Anatomy, cloud: Cloud) -> Mask:
    disease, bodies = anatomy.pathology, anatomy.bodies
    if not (disease.spurs or disease.bone_spots or disease.fusion):
        return np.zeros(cloud.along.shape, dtype=np.bool_)
    deep = (cloud.behind > -bodies.bottom_depth.max() - 14) & (cloud.behind < bodies.slip.max() + 2)
    return np.asarray(deep & (np.abs(cloud.aside) < 20) & (cloud.along > bodies.top[0] - 2))


def _near_laminectomy(anatomy: Anatomy, cloud: Cloud) -> Mask:
    if anatomy.pathology.laminectomy is None:
        return np.zeros(cloud.along.shape, dtype=np.bool_)
    return _near_posterior_elements(anatomy, cloud)


def _near_metal(anatomy: Anatomy, cloud: Cloud) -> Mask:
    fusion = anatomy.pathology.fusion
    if fusion is None or fusion.void_mm <= 0:
        return np.zeros(cloud.along.shape, dtype=np.bool_)
    bodies = anatomy.bodies
    there = (cloud.along > bodies.top[fusion.first] - 12) & (cloud.along < bodies.bottom[fusion.last] + 12)
    return np.asarray(there & (cloud.behind < 3) & (cloud.behind > -bodies.bottom_depth.max() - 16) & (np.abs(cloud.aside) < 20))


def _near_dens(anatomy: Anatomy, cloud: Cloud) -> Mask:
    base, tip = anatomy.bodies.top[0], anatomy.surroundings.dens_height
    return np.asarray((cloud.along < base + 7) & (cloud.along > base - tip - 10) & (np.abs(cloud.aside) < 21))


def _near_canal(anatomy: Anatomy, cloud: Cloud) -> Mask:
    tubes = anatomy.tubes
    least = min(tubes.canal_front.min(), anatomy.bodies.slip.min()) - 0.1
    deep = (cloud.behind > least) & (cloud.behind < tubes.canal_back.max() + 0.9)
    return np.asarray(deep & (np.abs(cloud.aside) < tubes.canal_half_width.max() + 1.1))


_PAINTERS: tuple[tuple[Painter, Callable[[Anatomy, Cloud], Mask]], ...] = (
    (paint_front, _near_front),
    (paint_posterior_elements, _near_posterior_elements),
    (paint_lateral_parts, _near_lateral_parts),
    (paint_laminectomy, _near_laminectomy),
    (paint_bodies, _near_bodies),
    (paint_bone_disease, _near_bone_disease),
    (paint_dens_and_atlas, _near_dens),
)
