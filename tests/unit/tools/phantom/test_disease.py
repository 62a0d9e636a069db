"""Each disease does what it says, and the truth of the phantom follows it."""

from dataclasses import fields, replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, LEVELS, VERTEBRAE, Corner, Landmark, Structure
from node.domain.geometry import ImagePlane, Spacing
from tools.phantom.anatomy import draw_anatomy
from tools.phantom.disease import Chances
from tools.phantom.render import T2_TSE, render_slice
from tools.phantom.shape import NAMES, Tissue
from tools.phantom.tissue import tissue_at

HEALTHY = Chances(**{one.name: 0.0 for one in fields(Chances)})
BONE = (Tissue.MARROW, Tissue.CORTEX)
C5_OF_SEED_0 = (-6.7504235, -9.1639999, -7.9596264)
CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL


def neck(seed=20, dents=0, **certain):
    """Return a neck with the given diseases, and what it would be in health; ``neck(seed)`` is healthy."""
    chances = replace(HEALTHY, **certain) if certain else replace(HEALTHY, severe_dent=1e-12)
    return draw_anatomy(np.random.default_rng(seed), dents=dents, slips=False, sway=False, pathology=chances)


def labels_at(anatomy, along, behind, aside=0.0):
    return tissue_at(anatomy, anatomy.curve.to_patient(along, behind, aside)).labels


def labels_on_midline(anatomy):
    along, behind = np.meshgrid(np.arange(-10, 130, 0.7), np.arange(-35, 20, 0.5), indexing="ij")
    return along, behind, labels_at(anatomy, along, behind)


def midline_widths(anatomy, structure):
    front, back = anatomy.tubes.midline_borders(structure)
    return back - front


def share_of(labels, *tissues):
    return np.isin(labels, tissues).mean()


def truth_of_landmarks(anatomy):
    return np.array([anatomy.truth().landmarks[one] for one in LANDMARKS])


def test_without_pathology_nothing_more_is_drawn():
    one, other = np.random.default_rng(4), np.random.default_rng(4)
    healthy = draw_anatomy(one)
    draw_anatomy(other, pathology=0.0)
    assert one.bit_generator.state == other.bit_generator.state
    assert healthy.pathology.spurs == healthy.pathology.cord_spots == ()
    # written down before there was any pathology
    assert draw_anatomy(np.random.default_rng([0, 0]), dents=3, slips=False, sway=False).centre("C5") == pytest.approx(
        C5_OF_SEED_0, abs=1e-6
    )


def test_the_same_seed_gives_the_same_disease():
    one, other = (draw_anatomy(np.random.default_rng(8), pathology=1.0) for _ in range(2))
    assert one.pathology == other.pathology
    np.testing.assert_array_equal(one.tubes.front_dent, other.tubes.front_dent)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_rendered_width_of_an_ill_neck_is_the_true_width(seed):
    certain = Chances(*(1.0,) * len(fields(Chances)))
    anatomy = draw_anatomy(np.random.default_rng(seed), slips=False, sway=False, pathology=certain)
    truth, plane = anatomy.truth(), sagittal(anatomy, 0.4, (360, 260))
    slice_ = render_slice(anatomy, plane, 0.1, T2_TSE, np.random.default_rng(0), samples=8)
    wall = [np.array(truth.landmarks[Landmark(v, Corner.POSTERIOR_SUPERIOR)]) for v in VERTEBRAE]
    for cover, structure in ((slice_.cord, CORD), (slice_.canal, CANAL)):
        for start, end in pairwise(wall):
            across = np.array([0.0, start[2] - end[2], end[1] - start[1]]) / np.hypot(*(end - start)[1:])
            reach = np.arange(-3, 30, 0.02)
            pixels = plane.to_pixels((start + end) / 2 + reach[:, None] * across).astype(np.float32)
            values = cv2.remap(cover, pixels[:, 1], pixels[:, 0], cv2.INTER_LINEAR)
            assert (values >= 0.5).sum() * 0.02 == pytest.approx(truth.width_mm(structure, (start + end) / 2, across), abs=0.25)


def sagittal(anatomy, pixel, size):
    centre = np.array(anatomy.centre("C5"))
    corner = centre - np.array([0.0, 0.45 * pixel * size[1], -0.5 * pixel * size[0]])
    corner[0] = anatomy.curve.midline_mm
    return ImagePlane(corner, (0.0, 1, 0), (0.0, 0, -1), Spacing(pixel, pixel), *size)


def test_spurs_are_bone_before_the_corners():
    ill, healthy = neck(21, anterior_spurs=1.0), neck(21)
    np.testing.assert_array_equal(truth_of_landmarks(ill), truth_of_landmarks(healthy))
    largest = max(ill.pathology.spurs, key=lambda one: one.size_mm)
    bodies = ill.bodies
    corners = np.concatenate([bodies.bottom + bodies.bottom_drop, bodies.top + bodies.top_drop])
    depths = np.concatenate([bodies.bottom_depth, bodies.top_depth])
    wall = -depths[np.argmin(np.abs(corners - largest.along_mm))]
    before = wall - np.arange(1.0, largest.size_mm - 1.0, 0.3)
    assert share_of(labels_at(ill, np.full_like(before, largest.along_mm), before), *BONE) > 0.9
    assert share_of(labels_at(healthy, np.full_like(before, largest.along_mm), before), *BONE) == 0


def test_posterior_spurs_are_bone_in_an_unchanged_dent():
    labels = {"ill": [], "healthy": []}
    for seed in range(30, 36):
        ill, healthy = neck(seed, 3, posterior_spurs=1.0), neck(seed, 3)
        np.testing.assert_array_equal(midline_widths(ill, CANAL), midline_widths(healthy, CANAL))
        along = ill.tubes.along[ill.tubes.front_dent * ill.tubes.dent_share() > 2]
        for name, anatomy in (("ill", ill), ("healthy", healthy)):
            labels[name].extend(labels_at(anatomy, along, np.full_like(along, 2.2)))
    assert share_of(labels["ill"], *BONE) > 0.25
    assert share_of(labels["healthy"], *BONE) == 0


def test_an_ossified_ligament_narrows_the_canal_over_a_long_stretch_and_is_dark():
    for seed in range(5):
        ill, healthy = neck(seed, ossified_ligament=1.0), neck(seed)
        narrowed = midline_widths(healthy, CANAL) - midline_widths(ill, CANAL)
        assert 1.5 < narrowed.max() < 8.5
        assert (narrowed > 1.2).sum() * 0.5 > 15
        _, _, labels = labels_on_midline(ill)
        assert (labels == Tissue.OSSIFICATION).sum() * 0.35 > 15


def test_a_narrow_canal_holds_a_usual_cord():
    for seed in range(5):
        ill, healthy = neck(seed, narrow_canal=1.0), neck(seed)
        ratio = midline_widths(ill, CANAL) / midline_widths(healthy, CANAL)
        assert 0.74 < ratio.min() <= ratio.max() < 0.93
        assert np.median(midline_widths(ill, CORD) / midline_widths(healthy, CORD)) > 0.9


def test_a_fusion_fills_the_disc_and_a_plate_takes_signal():
    plates = 0
    for seed in range(6):
        ill, healthy = neck(seed, fusion=1.0), neck(seed)
        fusion, bodies = ill.pathology.fusion, ill.bodies
        np.testing.assert_array_equal(truth_of_landmarks(ill), truth_of_landmarks(healthy))
        behind = np.linspace(-12, -3, 40)
        share = -behind / bodies.bottom_depth[fusion.first]
        along = (bodies.bottom + bodies.top.take(np.arange(1, 11), mode="clip"))[fusion.first] / 2
        along = along + bodies.bottom_drop[fusion.first] * share
        fused = labels_at(ill, along, behind)
        assert share_of(fused, Tissue.NUCLEUS, Tissue.ANNULUS) == 0
        assert share_of(fused, *BONE, Tissue.CAGE, Tissue.MODIC_DARK, Tissue.METAL, Tissue.SIGNAL_RIM) == 1
        _, behind, labels = labels_on_midline(ill)
        assert (labels == Tissue.METAL).any() == (fusion.void_mm > 0)
        assert (behind[labels == Tissue.METAL] < 0).all()
        plates += fusion.void_mm > 0
    assert 0 < plates < 6


def test_a_laminectomy_takes_the_arches_and_widens_the_canal():
    for seed in range(5):
        ill, healthy = neck(seed, laminectomy=1.0), neck(seed)
        removed = ill.pathology.laminectomy
        level = (ill.bodies.top[removed.first] + ill.bodies.bottom[removed.last]) / 2
        wider = ill.tubes.canal_back - healthy.tubes.canal_back
        assert wider[np.abs(ill.tubes.along - level) < 3].min() > 0.9
        assert wider[np.abs(ill.tubes.along - level) > 70].max() < 0.01
        along = np.arange(ill.bodies.top[removed.first] + 4, ill.bodies.bottom[removed.last], 0.5)
        behind = np.interp(along, ill.tubes.along, ill.tubes.canal_back)[:, None] + np.arange(1.5, 8, 0.5)
        along = np.broadcast_to(along[:, None], behind.shape)
        assert share_of(labels_at(ill, along, behind), *BONE) < 0.05
        assert share_of(labels_at(ill, along, behind), Tissue.SCAR, Tissue.FLUID) > 0.2
        assert share_of(labels_at(healthy, along, behind), *BONE) > 0.2


def test_atrophy_makes_the_cord_thin_and_leaves_the_canal():
    for seed in range(6):
        ill, healthy = neck(seed, atrophy=1.0), neck(seed)
        thinnest = (midline_widths(ill, CORD) / midline_widths(healthy, CORD)).min()
        assert 0.6 < thinnest < 0.92
        np.testing.assert_array_equal(midline_widths(ill, CANAL), midline_widths(healthy, CANAL))


def test_a_pressed_cord_turns_bright_and_stays_cord():
    ill = neck(3, 4, severe_dent=1.0, cord_change=1.0)
    assert ill.pathology.cord_spots
    for spot in ill.pathology.cord_spots:
        behind = np.interp(spot.along_mm, ill.tubes.along, ill.tubes.cord_centre)
        tissues = tissue_at(ill, ill.curve.to_patient([spot.along_mm], [behind]))
        assert tissues.labels[0] == Tissue.LESION
        assert tissues.cord[0]
    assert not neck(3, 4, severe_dent=1.0).pathology.cord_spots


def test_a_syrinx_is_fluid_inside_the_cord():
    for seed in range(3):
        ill, healthy = neck(seed, syrinx=1.0), neck(seed)
        points = ill.curve.to_patient(*np.meshgrid(np.arange(0, 110, 1.0), np.arange(0, 20, 0.5), indexing="ij"))
        tissues, before = tissue_at(ill, points), tissue_at(healthy, points)
        assert (tissues.labels == Tissue.SYRINX).sum() > 15
        assert tissues.cord[tissues.labels == Tissue.SYRINX].all()
        np.testing.assert_array_equal(tissues.cord, before.cord)


@pytest.mark.parametrize(
    ("disease", "tissues"),
    [
        ("endplate_change", {Tissue.MODIC_BRIGHT, Tissue.MODIC_DARK, Tissue.ANNULUS, Tissue.CORTEX}),
        ("haemangioma", {Tissue.HAEMANGIOMA}),
    ],
)
def test_spots_in_the_bone_replace_marrow_only(disease, tissues):
    changed = 0
    for seed in range(4):
        ill, healthy = (labels_on_midline(one)[2] for one in (neck(seed, **{disease: 1.0}), neck(seed)))
        assert set(ill[ill != healthy]) <= tissues
        assert set(healthy[ill != healthy]) <= set(BONE)
        changed += (ill != healthy).sum()
    assert changed > 50


def test_diffuse_change_makes_all_marrow_darker_or_brighter():
    ratios = [np.mean(neck(seed, diffuse_marrow=1.0).bodies.marrow / neck(seed).bodies.marrow) for seed in range(12)]
    assert min(ratios) < 0.8
    assert max(ratios) > 1.25
    assert all(ratio < 0.76 or ratio > 1.29 for ratio in ratios)


def test_a_collapsed_body_is_lower_and_its_corners_follow():
    for seed in range(6):
        ill, healthy = neck(seed, collapse=1.0), neck(seed)
        before, after = (
            one.bodies.bottom + one.bodies.bottom_drop - one.bodies.top - one.bodies.top_drop for one in (healthy, ill)
        )
        ratio = np.sort(after / before)
        assert 0.55 < ratio[0] < 0.92
        np.testing.assert_allclose(ratio[1:], 1)
        for name in NAMES[1:7]:
            middle = np.array(ill.centre(name))
            for corner in Corner:
                inwards = middle - np.array(ill.corner(name, corner))
                inner = np.array(ill.corner(name, corner)) + inwards * (2.5 / np.linalg.norm(inwards))
                assert tissue_at(ill, inner[None]).labels[0] in (*BONE, Tissue.FAT)


def test_compression_reaches_the_worst_that_is_seen_and_effaces_csf():
    cords, canals, effaced = [], [], []
    for seed in range(30):
        anatomy = draw_anatomy(np.random.default_rng(seed), slips=False, sway=False, pathology=1.0)
        truth = anatomy.truth()
        for structure, found in ((CORD, cords), (CANAL, canals)):
            widths = truth.widths_mm(structure)
            reference = (widths[LEVELS[0]].mean() + widths[LEVELS[-1]].mean()) / 2
            found.append(100 * (1 - min(one.min() for one in widths.values()) / reference))
        full = midline_widths(anatomy, CORD) > 0.92 * midline_widths(anatomy, CANAL)
        effaced.append(full.sum() * 0.5)
    assert 50 < max(cords) < 80
    assert 68 < max(canals) < 80
    assert np.mean(np.array(cords) < 15) > 0.3
    assert np.mean(np.array(effaced) > 3) > 0.15
