"""Synthetic cervical spines of known shape, drawn at random (pure)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tools.phantom.disease import Chances, draw_cord_spots, draw_disease, with_changed_bodies
from tools.phantom.pathology import Dent, Pathology, TubePlan
from tools.phantom.shape import NAMES, Anatomy, Bodies, Surroundings, Truth, Tubes
from tools.phantom.spine import SpineCurve

__all__ = ["Anatomy", "Truth", "draw_anatomy"]

Floats = npt.NDArray[np.float64]

_START_MM, _END_MM = -110.0, 175.0
_ALONG = np.arange(_START_MM, _END_MM + 0.25, 0.5)
# Adult means in mm, C2 to T4, rounded from textbook morphometry.
_HEIGHT = np.array([17.0, 14.0, 13.6, 13.2, 13.2, 14.6, 16.4, 17.6, 18.2, 18.8])
_DISC = np.array([5.0, 5.2, 5.4, 5.6, 5.8, 5.4, 4.8, 4.6, 4.6, 4.6])
_DEPTH = np.array([15.0, 15.2, 15.4, 15.6, 16.2, 16.6, 17.0, 18.0, 19.5, 21.0])
_WIDTH = np.array([18.0, 18.5, 19.0, 20.0, 22.0, 25.0, 28.0, 28.0, 27.0, 27.0])
_SPINOUS = np.array([22.0, 13.0, 13.0, 15.0, 21.0, 29.0, 31.0, 31.0, 31.0, 31.0])
# Knots along the spine for canal and cord: foramen magnum, C1, C2, C3, C4, C5, C6, C7, T1, T2, T4, and their adult means in mm.
_CANAL_AP = np.array([26.0, 17.5, 15.6, 13.6, 12.9, 12.8, 12.9, 13.1, 13.2, 13.4, 14.0])
_CANAL_WIDTH = np.array([28.0, 25.0, 23.0, 22.0, 22.5, 23.0, 23.0, 22.5, 20.5, 18.0, 17.0])
_CORD_AP = np.array([10.0, 8.6, 8.2, 7.9, 7.7, 7.5, 7.3, 7.0, 6.8, 6.6, 6.5])
_CORD_WIDTH = np.array([12.0, 11.5, 11.6, 12.4, 13.3, 13.8, 13.4, 12.2, 10.8, 9.8, 9.2])
# Where in the free space the cord lies: 0 touches the front, 1 the back.
_CORD_PLACE = np.array([0.35, 0.55, 0.6, 0.55, 0.5, 0.45, 0.42, 0.38, 0.3, 0.2, 0.15])


def draw_anatomy(
    rng: np.random.Generator,
    *,
    dents: int | None = None,
    slips: bool = True,
    sway: bool = True,
    reach: float = 1.0,
    pathology: float | Chances = 0.0,
) -> Anatomy:
    """Return a neck drawn at random; the same generator state gives the same neck.

    Parameters
    ----------
    rng
        Source of chance.
    dents
        Number of compressed levels; drawn (0 to 4, mostly 0 to 2) if None.
    slips, sway
        Whether listhesis and a sideways bend may occur; without them the midline is the plane x = const.
    reach
        Factor on the spread of every drawn size.
    pathology
        Factor on the usual chances of disease and surgery, or the chances; 0 draws nothing more from ``rng``.
    """
    size = float(np.clip(rng.normal(1, 0.07 * reach), 0.8, 1.22))
    chances = pathology if isinstance(pathology, Chances) else Chances().scaled(pathology)
    ill = np.random.default_rng(rng.integers(2**63)) if pathology else None
    bodies = _draw_bodies(rng, size, slips=slips)
    bodies = with_changed_bodies(ill, bodies, chances) if ill else bodies
    curve = _draw_curve(rng, bodies, sway=sway)
    surroundings = _draw_surroundings(rng, bodies, size)
    count = int(rng.choice(5, p=[0.35, 0.25, 0.2, 0.12, 0.08])) if dents is None else dents
    plan, disease = TubePlan(tuple(_draw_dent(rng, bodies) for _ in range(count))), Pathology()
    if ill:
        plan, disease = draw_disease(ill, bodies, _ALONG, plan.dents, chances)
    tubes = _draw_tubes(rng, bodies, surroundings, plan)
    if ill:
        disease = replace(disease, cord_spots=draw_cord_spots(ill, tubes, plan, chances))
    return Anatomy(curve, bodies, tubes, surroundings, disease)


def _draw_bodies(rng: np.random.Generator, size: float, *, slips: bool) -> Bodies:
    count = len(NAMES)
    height = _HEIGHT * size * rng.normal(1, 0.05) * rng.normal(1, 0.03, count)
    degeneration = np.clip(rng.normal(rng.uniform(0, 0.8), 0.25, count), 0, 1) * rng.choice([0.5, 1.0])
    disc = _DISC * size * rng.normal(1, 0.08, count) * (1 - 0.45 * degeneration)
    edges = np.cumsum(np.stack([height, disc], axis=1).ravel())
    bottom = edges[0::2] - edges[1]
    top = bottom - height
    depth = _DEPTH * size * rng.normal(1, 0.06) * rng.normal(1, 0.025, count)
    slip = np.zeros(count)
    if slips and rng.random() < 0.25:
        level = int(rng.integers(1, 7))
        slip[level] = rng.choice([-1, 1]) * rng.uniform(0.8, 3.0)
    drop = rng.normal(1.6, 0.8)
    return Bodies(
        top=top,
        bottom=bottom,
        top_drop=drop + rng.normal(0.4, 0.6, count),
        bottom_drop=drop + rng.normal(0.6, 0.6, count),
        top_depth=depth * rng.normal(0.97, 0.02, count),
        bottom_depth=depth * rng.normal(1.03, 0.03, count),
        width=_WIDTH * size * rng.normal(1, 0.05),
        slip=slip,
        degeneration=degeneration,
        marrow=rng.normal(1, 0.08, count),
    )


def _draw_curve(rng: np.random.Generator, bodies: Bodies, *, sway: bool) -> SpineCurve:
    knots = np.array([_START_MM, -40.0, 0.0, 40.0, 80.0, 120.0, _END_MM])
    lordosis = np.deg2rad(rng.normal(12, 14))  # bend between C3 and C7; negative is kyphotic
    tilt = np.deg2rad(rng.normal(4, 7))
    thoracic = np.deg2rad(rng.normal(14, 8))
    angles = tilt + np.array([-0.5, -0.5, -0.5, 0.0, 0.5, 0.5, 0.5]) * lordosis + np.array([0, 0, 0, 0, 0, 0.6, 1.2]) * thoracic
    angles += np.deg2rad(rng.normal(0, 3.5, len(knots)))
    angles[:2] += np.deg2rad(rng.normal(6, 6))
    origin = (rng.normal(0, 3), rng.normal(0, 10), rng.normal(40, 10))
    sway_mm = float(rng.normal(0, 1.5)) if sway and rng.random() < 0.5 else 0.0
    return SpineCurve.from_angles(knots, np.clip(angles, -0.7, 0.9), origin, sway_mm)


def _draw_surroundings(rng: np.random.Generator, bodies: Bodies, size: float) -> Surroundings:
    dens = rng.uniform(13, 18) * size
    count = len(NAMES)
    return Surroundings(
        spinous_length=_SPINOUS * size * rng.normal(1, 0.1) * rng.normal(1, 0.08, count),
        spinous_drop=np.linspace(0.1, 0.75, count) * rng.normal(1, 0.2) + rng.normal(0, 0.05, count),
        foramen_magnum_along=float(bodies.top[0] - dens - rng.uniform(3, 8)),
        dens_height=dens,
        dens_depth=rng.uniform(10, 12.5) * size,
        skin_back=rng.uniform(48, 78),
        skin_front=rng.uniform(45, 70),
        neck_half_width=rng.uniform(48, 68),
        prevertebral=rng.uniform(3, 7),
        airway=rng.uniform(10, 18),
        epidural_fat=rng.uniform(0, 1),
        lesion_along=rng.uniform(10, 80),
        lesion_length=rng.uniform(5, 20) if rng.random() < 0.2 else 0.0,
        texture=_draw_texture(rng),
    )


def _draw_texture(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return a periodic smooth field, uniform on 0..1, shape (48, 48, 48)."""
    cells = 48
    frequency = np.fft.fftfreq(cells)
    decay = np.exp(-((frequency / 0.13) ** 2))
    spectrum = np.fft.fftn(rng.standard_normal((cells, cells, cells)))
    field = np.fft.ifftn(spectrum * decay[:, None, None] * decay[:, None] * decay).real
    ranks = np.empty(field.size, dtype=np.float32)
    ranks[np.argsort(field, axis=None)] = np.linspace(0, 1, field.size, dtype=np.float32)
    return ranks.reshape(field.shape)


def _draw_dent(rng: np.random.Generator, bodies: Bodies) -> Dent:
    level = int(rng.choice(6, p=[0.05, 0.13, 0.22, 0.3, 0.22, 0.08]))  # the disc below C2 to C7
    middle = (bodies.bottom[level] + bodies.top[level + 1]) / 2
    back = rng.uniform(0.5, 3.0) if rng.random() < 0.4 else 0.0
    eccentric = rng.random() < 0.3
    return Dent(
        along_mm=float(middle + rng.normal(0, 1)),
        front_mm=float(rng.uniform(0.5, 6.0) * rng.uniform(0.3, 1)),
        back_mm=float(back),
        length_mm=float(rng.uniform(2.5, 6.0)),
        aside_mm=float(rng.normal(0, 5)) if eccentric else 0.0,
        half_width_mm=float(rng.uniform(5, 8) if eccentric else rng.uniform(8, 16)),
    )


def _knots(bodies: Bodies, surroundings: Surroundings) -> Floats:
    middles = (bodies.top + bodies.bottom) / 2
    atlas = bodies.top[0] - 0.45 * surroundings.dens_height
    return np.array([surroundings.foramen_magnum_along, atlas, *middles[[0, 1, 2, 3, 4, 5, 6, 7, 9]]])


def _profile(rng: np.random.Generator, along: Floats, knots: Floats, means: Floats, spread: float) -> Floats:
    values = means * np.clip(rng.normal(1, spread, len(means)), 0.8, 1.2)
    return _smooth(np.interp(along, knots, values), 7.0)


def _smooth(values: Floats, sigma_mm: float) -> Floats:
    taps = np.arange(-int(6 * sigma_mm), int(6 * sigma_mm) + 1)
    kernel = np.exp(-0.5 * (taps * 0.5 / sigma_mm) ** 2)
    padded = np.pad(values, len(taps) // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _slip_profile(bodies: Bodies, along: Floats) -> Floats:
    edges = np.stack([bodies.top, bodies.bottom], axis=1).ravel()
    return _smooth(np.interp(along, edges, np.repeat(bodies.slip, 2)), 1.0)


def _dent_profiles(dents: Sequence[Dent], along: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return front and back dents, and where they lie sideways; the strongest dent decides the latter."""
    front, back, aside = np.zeros_like(along), np.zeros_like(along), np.zeros_like(along)
    half_width, strongest = np.full_like(along, 12.0), np.full_like(along, 1e-6)
    for dent in dents:
        shape = dent.shape(along)
        front = np.maximum(front, dent.front_mm * shape)
        back = np.maximum(back, dent.back_mm * shape)
        nearer = shape > strongest
        aside[nearer], half_width[nearer] = dent.aside_mm, dent.half_width_mm
        strongest = np.maximum(strongest, shape)
    return front, back, _smooth(aside, 2.0), _smooth(half_width, 2.0)


def _draw_tubes(rng: np.random.Generator, bodies: Bodies, surroundings: Surroundings, plan: TubePlan) -> Tubes:
    along = _ALONG
    knots = _knots(bodies, surroundings)
    canal_size, cord_size = np.clip(rng.normal(1, 0.1), 0.75, 1.25), np.clip(rng.normal(1, 0.08), 0.8, 1.22)
    front = _slip_profile(bodies, along) + _profile(rng, along, knots, np.full(len(knots), rng.uniform(0.8, 2.2)), 0.15)
    depth = _profile(rng, along, knots, _CANAL_AP * canal_size, 0.04) * plan.canal_share + plan.wider_back_mm
    half_width = _profile(rng, along, knots, _CANAL_WIDTH * canal_size**0.7, 0.03) / 2
    front_dent, back_dent, aside, dent_half_width = _dent_profiles(plan.dents, along)
    front_dent = np.minimum(front_dent, plan.deepest_share * depth)
    cord_depth = _profile(rng, along, knots, _CORD_AP * cord_size, 0.025) * plan.cord_share
    cord_width = _profile(rng, along, knots, _CORD_WIDTH * cord_size * rng.normal(1, 0.05), 0.03) * plan.cord_share
    place = np.clip(_profile(rng, along, knots, _CORD_PLACE, 0.0) + rng.normal(0, 0.12) + _wander(rng, along, 0.08), 0.05, 0.95)

    share = np.exp(-((aside / dent_half_width) ** 2))
    free_front, free_back = front + front_dent * share, front + depth - back_dent * share
    free_back = np.maximum(free_back, free_front + rng.uniform(*plan.least_gap_mm))
    back_dent = np.where(share > 1e-3, (front + depth - free_back) / np.maximum(share, 1e-3), 0.0)
    film = rng.uniform(*plan.film_mm)
    room = free_back - free_front - film
    squeezed = _smooth(_soft_minimum(cord_depth, room), 1.0)
    squeezed = np.minimum(squeezed, free_back - free_front)
    wider = np.clip((cord_depth / squeezed) ** 0.45, 1, 1.35)
    cord_half_width = np.minimum(cord_width / 2 * wider, half_width * 0.92)
    centre = free_front + squeezed / 2 + place * np.maximum(0.0, free_back - free_front - squeezed)
    return Tubes(
        start_mm=_START_MM,
        canal_front=front,
        canal_back=front + depth,
        canal_half_width=half_width,
        front_dent=front_dent,
        back_dent=np.maximum(back_dent, 0.0),
        dent_aside=aside,
        dent_half_width=dent_half_width,
        cord_centre=centre,
        cord_half_depth=squeezed / 2,
        cord_half_width=cord_half_width,
        cord_aside=np.zeros_like(along),
    )


def _wander(rng: np.random.Generator, along: Floats, amplitude: float) -> Floats:
    return amplitude * np.sin(along / rng.uniform(15, 40) + rng.uniform(0, 6.3))


def _soft_minimum(one: Floats, other: Floats, softness_mm: float = 0.25) -> Floats:
    return np.asarray(-softness_mm * np.logaddexp(-one / softness_mm, -other / softness_mm))
