"""Disease and surgery of a synthetic neck, drawn at random (pure)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from tools.phantom.pathology import (
    BoneSpot,
    CordSpot,
    Dent,
    Fusion,
    Laminectomy,
    OssifiedDent,
    Pathology,
    Spur,
    TubePlan,
)
from tools.phantom.shape import Bodies, Tissue, Tubes

Floats = npt.NDArray[np.float64]
Generator = np.random.Generator

# Rows of the bodies: C2 is 0, C7 is 5, T1 is 6.
_C3, _C4, _C6, _C7, _T1 = 1, 2, 4, 5, 6


@dataclass(frozen=True, slots=True)
class Chances:
    """How probable each disease is in one neck, 0..1; clinical series of neck MR are richer in disease than the population."""

    severe_dent: float = 0.3
    many_dents: float = 0.15
    posterior_spurs: float = 0.3
    ossified_ligament: float = 0.1
    narrow_canal: float = 0.15
    anterior_spurs: float = 0.4
    fusion: float = 0.1
    laminectomy: float = 0.08
    atrophy: float = 0.15
    cord_change: float = 0.45
    syrinx: float = 0.06
    endplate_change: float = 0.3
    haemangioma: float = 0.12
    diffuse_marrow: float = 0.2
    collapse: float = 0.12

    def scaled(self, by: float) -> "Chances":
        """Return the chances times a factor, at most 1."""
        return Chances(**{name: min(1.0, chance * by) for name, chance in asdict(self).items()})


def with_changed_bodies(rng: Generator, bodies: Bodies, chances: Chances) -> Bodies:
    """Return the bodies, perhaps with one that lost height and with marrow that is darker or brighter throughout."""
    if rng.random() < chances.diffuse_marrow:
        bodies = replace(bodies, marrow=bodies.marrow * rng.choice([rng.uniform(0.35, 0.75), rng.uniform(1.3, 2.0)]))
    return _with_collapse(rng, bodies) if rng.random() < chances.collapse else bodies


def _with_collapse(rng: Generator, bodies: Bodies) -> Bodies:
    """Return the bodies with one that lost 10-35 % of its height, in front or throughout.

    Source
    ------
    Mild and moderate grade of Genant et al., J Bone Miner Res 1993;8:1137.
    """
    row = int(rng.integers(_C3, _T1 + 2))
    loss = rng.uniform(0.1, 0.35) * (bodies.bottom[row] - bodies.top[row])
    if rng.random() < 0.6:
        upper, lower = bodies.top_drop.copy(), bodies.bottom_drop.copy()
        upper[row] += 0.65 * loss
        lower[row] -= 0.35 * loss
        return replace(bodies, top_drop=upper, bottom_drop=lower)
    top, bottom = bodies.top.copy(), bodies.bottom.copy()
    top[row + 1 :] -= loss
    bottom[row:] -= loss
    return replace(bodies, top=top, bottom=bottom)


def draw_disease(
    rng: Generator, bodies: Bodies, along: Floats, dents: Sequence[Dent], chances: Chances
) -> tuple[TubePlan, Pathology]:
    """Return how canal and cord are changed, and what else is ill; ``dents`` are those that are there anyway."""
    fusion = _draw_fusion(rng) if rng.random() < chances.fusion else None
    laminectomy = _draw_laminectomy(rng) if rng.random() < chances.laminectomy else None
    pressing = [*dents, *_draw_dents(rng, bodies, chances)]
    pressing = _operated(rng, bodies, pressing, fusion, laminectomy)
    ossified: list[OssifiedDent] = []
    if rng.random() < chances.posterior_spurs:
        ossified += [half for one in pressing if one.front_mm > 1 and rng.random() < 0.7 for half in _posterior_spur(rng, one)]
    if rng.random() < chances.ossified_ligament:
        ligament = _draw_ossified_ligament(rng, bodies)
        pressing += ligament
        tissue = int(Tissue.OSSIFICATION)
        ossified += [OssifiedDent(*_extent(one), tissue) for one in ligament]
    plan = TubePlan(
        dents=tuple(pressing),
        canal_share=_narrow_share(rng) if rng.random() < chances.narrow_canal else 1.0,
        cord_share=_atrophy(rng, along) if rng.random() < chances.atrophy else 1.0,
        wider_back_mm=_wider_back(rng, bodies, along, laminectomy),
        least_gap_mm=(2.7, 4.3),
        deepest_share=0.75,
        film_mm=(0.0, 0.2) if rng.random() < 0.5 else (0.0, 0.6),
    )
    return plan, Pathology(
        spurs=tuple(_draw_spurs(rng, bodies)) if rng.random() < chances.anterior_spurs else (),
        bone_spots=tuple(_draw_bone_spots(rng, bodies, chances)),
        ossified=tuple(ossified),
        fusion=fusion,
        laminectomy=laminectomy,
        strength=tuple((int(tissue), float(rng.uniform(0.75, 1.25))) for tissue in _VARIED),
    )


# Tissues of disease whose signal differs between patients.
_VARIED = (Tissue.MODIC_BRIGHT, Tissue.MODIC_DARK, Tissue.HAEMANGIOMA, Tissue.SCAR, Tissue.SYRINX, Tissue.LESION)


def _disc(bodies: Bodies, row: int) -> float:
    return float((bodies.bottom[row] + bodies.top[row + 1]) / 2)


def _draw_dents(rng: Generator, bodies: Bodies, chances: Chances) -> list[Dent]:
    dents = []
    if rng.random() < chances.severe_dent:
        length = rng.uniform(2.4, 4.0) if rng.random() < 0.5 else rng.uniform(4.0, 9.0)
        place = _disc(bodies, int(rng.integers(_C3, _C7))) + rng.normal(0, 1.5)
        size = float(rng.uniform(3, 9)), float(rng.uniform(0, 3.5))
        dents.append(Dent(place, *size, length, 0.0, rng.uniform(7, 16), rng.choice([0.0, rng.uniform(2, 10)])))
    if rng.random() < chances.many_dents:
        first = int(rng.integers(_C3, _C4 + 1))
        for row in range(first, min(first + int(rng.integers(3, 6)), _T1)):
            size = float(rng.uniform(1, 4.5)), float(rng.uniform(0, 2.5))
            dents.append(Dent(_disc(bodies, row) + rng.normal(0, 0.7), *size, rng.uniform(2.5, 6), 0.0, rng.uniform(8, 16)))
    return dents


def _operated(
    rng: Generator, bodies: Bodies, dents: list[Dent], fusion: Fusion | None, laminectomy: Laminectomy | None
) -> list[Dent]:
    """Return the dents that surgery has left: nothing presses from behind without an arch, little at a fused disc."""
    left = []
    for dent in dents:
        front, back = dent.front_mm, dent.back_mm
        if laminectomy and bodies.top[laminectomy.first] - 4 < dent.along_mm < bodies.bottom[laminectomy.last] + 4:
            back = 0.0
        if fusion and bodies.bottom[fusion.first] - 2 < dent.along_mm < bodies.top[fusion.last] + 2:
            front *= float(rng.uniform(0.1, 0.6))
        left.append(replace(dent, front_mm=front, back_mm=back))
    return left


def _posterior_spur(rng: Generator, dent: Dent) -> tuple[OssifiedDent, OssifiedDent]:
    """Return the two lips of bone above and below the disc that bulges between them."""
    gap = rng.uniform(0.2, 1.3)
    tissue = int(rng.choice([Tissue.MARROW, Tissue.CORTEX]))
    start, end = _extent(dent)
    return OssifiedDent(start, dent.along_mm - gap, tissue), OssifiedDent(dent.along_mm + gap, end, tissue)


def _extent(dent: Dent) -> tuple[float, float]:
    reach = dent.plateau_mm / 2 + 1.5 * dent.length_mm
    return dent.along_mm - reach, dent.along_mm + reach


def _draw_ossified_ligament(rng: Generator, bodies: Bodies) -> list[Dent]:
    """Return dents 2-6 mm thick behind two to five bodies: one for all (continuous) or one for each (segmental)."""
    first = int(rng.integers(0, _C6))
    last = min(first + int(rng.integers(1, 5)), _T1)
    thickness, half_width = rng.uniform(2, 6), float(rng.uniform(6, 12))
    spans = [(bodies.top[first] + rng.uniform(2, 8), bodies.bottom[last] - rng.uniform(0, 4))]
    if rng.random() < 0.35:
        spans = [(bodies.top[row] + 1, bodies.bottom[row] - 1) for row in range(first, last + 1)]
    dents = []
    for start, end in spans:
        size = float(thickness * rng.uniform(0.8, 1.1))
        dents.append(Dent(float(start + end) / 2, size, 0.0, 4.0, 0.0, half_width, max(0.0, float(end - start) - 4)))
    if len(spans) == 1:
        bump = _disc(bodies, int(rng.integers(first, last)))
        dents.append(Dent(bump, float(thickness * rng.uniform(1.0, 1.3)), 0.0, rng.uniform(4, 8), 0.0, half_width))
    return dents


def _narrow_share(rng: Generator) -> float:
    """Return the factor of a developmentally narrow canal: a mean of 12.9 mm becomes 9.7 to 11.9 mm.

    Source
    ------
    Torg et al., J Bone Joint Surg Am 1986;68:1354: narrow where the canal is below 0.8 of the body (about 16 mm).
    """
    return float(rng.uniform(0.75, 0.92))


def _atrophy(rng: Generator, along: Floats) -> Floats:
    """Return the factor on the cord, 0.65-0.9 over all of it or over some levels."""
    share = rng.uniform(0.65, 0.9)
    if rng.random() < 0.5:
        return np.full_like(along, share)
    local = Dent(float(rng.uniform(10, 90)), 0.0, 0.0, rng.uniform(8, 20), 0.0, 1.0, rng.uniform(10, 50)).shape(along)
    return np.asarray(1 - (1 - share) * local)


def _draw_laminectomy(rng: Generator) -> Laminectomy:
    first = int(rng.integers(_C3, _C6 + 1))
    last = min(first + int(rng.integers(0, 4)), _T1)
    scar = float(rng.uniform(3, 12))
    return Laminectomy(first, last, scar, float(rng.uniform(0.3, 0.9) * scar) if rng.random() < 0.35 else 0.0)


def _wider_back(rng: Generator, bodies: Bodies, along: Floats, laminectomy: Laminectomy | None) -> Floats | float:
    if laminectomy is None:
        return 0.0
    start, end = float(bodies.top[laminectomy.first]), float(bodies.bottom[laminectomy.last])
    opened = Dent((start + end) / 2, 0.0, 0.0, 7.0, 0.0, 1.0, max(0.0, end - start - 4)).shape(along)
    return np.asarray(rng.uniform(1.0, 5.0) * opened)


def _draw_fusion(rng: Generator) -> Fusion:
    first = int(rng.integers(_C3, _C7 + 1))
    last = min(first + int(rng.integers(1, 4)), _T1)
    tissue = rng.choice([Tissue.MARROW, Tissue.CAGE])
    return Fusion(first, last, int(tissue), float(rng.uniform(1.5, 5.0)) if rng.random() < 0.65 else 0.0)


def _draw_spurs(rng: Generator, bodies: Bodies) -> list[Spur]:
    """Return spurs of 1.5-8 mm at the anterior corners next to one to five discs; large ones bridge the disc."""
    spurs = []
    first = int(rng.integers(_C3, _C6 + 1))
    for row in range(first, min(first + int(rng.integers(1, 6)), _T1 + 1)):
        size = rng.uniform(1.5, 8) * rng.uniform(0.4, 1)
        for corner in (bodies.bottom[row] + bodies.bottom_drop[row], bodies.top[row + 1] + bodies.top_drop[row + 1]):
            if rng.random() < 0.85:
                own = float(size * rng.uniform(0.6, 1.2))
                spurs.append(Spur(float(corner), own, float(rng.uniform(1.2, 2.2) + 0.25 * own), float(rng.uniform(5, 14))))
    return spurs


def _draw_bone_spots(rng: Generator, bodies: Bodies, chances: Chances) -> list[BoneSpot]:
    spots = []
    if rng.random() < chances.endplate_change:
        for row in rng.choice(np.arange(_C3, _T1 + 1), int(rng.integers(1, 3)), replace=False):
            spots += _endplate_change(rng, bodies, int(row))
    if rng.random() < chances.haemangioma:
        row, radius = int(rng.integers(_C3, _T1 + 3)), float(rng.uniform(2.5, 6))
        along = float((bodies.top[row] + bodies.bottom[row]) / 2 + 1 + rng.normal(0, 2))
        centre = (along, float(-bodies.top_depth[row] * rng.uniform(0.3, 0.7)), float(rng.normal(0, 3)))
        spots.append(BoneSpot(centre, (radius, radius, radius), int(Tissue.HAEMANGIOMA)))
    return spots


def _endplate_change(rng: Generator, bodies: Bodies, row: int) -> list[BoneSpot]:
    """Return a zone on both sides of the disc below ``row``: oedema or fat bright, sclerosis dark; or a Schmorl node.

    Source
    ------
    Modic et al., Radiology 1988;166:193.
    """
    tissue = rng.choice([Tissue.MODIC_BRIGHT, Tissue.MODIC_BRIGHT, Tissue.MODIC_DARK, Tissue.NUCLEUS])
    share, depth = rng.uniform(0.2, 0.8), bodies.bottom_depth[row]
    spots = []
    for edge, drop in ((bodies.bottom[row], bodies.bottom_drop[row]), (bodies.top[row + 1], bodies.top_drop[row + 1])):
        high, deep = (rng.uniform(1.5, 3.5), rng.uniform(1.5, 3)) if tissue == Tissue.NUCLEUS else rng.uniform((2, 3), (6, 9))
        centre = (float(edge + drop * share), float(-share * depth), float(rng.normal(0, 2)))
        if rng.random() < 0.75:
            spots.append(BoneSpot(centre, (float(high), float(deep), float(rng.uniform(4, 12))), int(tissue)))
    return spots


def draw_cord_spots(rng: Generator, tubes: Tubes, plan: TubePlan, chances: Chances) -> tuple[CordSpot, ...]:
    """Return bright spots where the cord is pressed to less than four fifths, and perhaps a syrinx."""
    spots = []
    for dent in plan.dents:
        near = np.abs(tubes.along - dent.along_mm)
        usual = np.median(tubes.cord_half_depth[near < 35])
        if tubes.cord_half_depth[near < 5].min() < 0.8 * usual and rng.random() < chances.cord_change:
            size = float(rng.uniform(4, 16)), float(rng.uniform(0.3, 0.9)), float(rng.uniform(0.3, 0.8))
            spots.append(CordSpot(dent.along_mm + float(rng.normal(0, 2)), *size, int(Tissue.LESION)))
    if rng.random() < chances.syrinx:
        size = float(rng.uniform(20, 80)), float(rng.uniform(0.15, 0.6)), float(rng.uniform(0.15, 0.6))
        spots.append(CordSpot(float(rng.uniform(20, 90)), *size, int(Tissue.SYRINX)))
    return tuple(spots)
