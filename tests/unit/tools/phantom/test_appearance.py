"""What the scanner adds, and the contrasts that training sees."""

from dataclasses import replace

import numpy as np
import pytest

from node.domain.geometry import ImagePlane, Spacing
from tools.phantom.anatomy import draw_anatomy
from tools.phantom.appearance import CLEAN, USUAL_3T, USUAL_15T, degrade
from tools.phantom.render import T2_TSE, Contrast, render_slice
from tools.phantom.shape import Tissue

SPACING = Spacing(0.5, 0.5)
QUIET = replace(CLEAN, noise=(0.0, 0.0))


def square(size=96):
    image = np.zeros((size, size), dtype=np.float32)
    image[40:56, 40:56] = 1000
    return image


def test_motion_adds_several_ghosts_along_one_axis():
    image = np.zeros((192, 192), dtype=np.float32)
    image[94:98, 94:98] = 1000
    counts = []
    for seed in range(8):
        ghosted = degrade(image, SPACING, np.random.default_rng(seed), replace(QUIET, motion=1.0))
        ghosts = np.where(image > 0, 0, ghosted) > 0.5
        assert min(ghosts.any(0).sum(), ghosts.any(1).sum()) <= 4
        counts.append(ghosts.sum() / 16)
        assert ghosted.max() < 1.4 * image.max()
    assert np.median(counts) >= 3


def test_smear_blurs_along_one_axis_only():
    image = square()
    for seed in range(4):
        smeared = degrade(image, SPACING, np.random.default_rng(seed), replace(QUIET, smear=1.0))
        across = np.abs(np.diff(smeared[48])).max(), np.abs(np.diff(smeared[:, 48])).max()
        assert min(across) < 700
        assert max(across) == pytest.approx(1000, rel=0.01)


def test_slices_of_a_series_get_the_same_effects_and_their_own_noise():
    image, wear = square(), replace(USUAL_3T, shading=1.0, motion=1.0, smear=1.0, gain=0.0, noise=(0.001, 0.001))
    noise = np.random.default_rng(5)
    one, other = (degrade(image, SPACING, np.random.default_rng(2), wear, noise) for _ in range(2))
    assert (one != other).any()
    assert np.abs(one - other).max() < 0.02 * one.max()


def test_gain_differs_from_slice_to_slice():
    noise = np.random.default_rng(5)
    tops = [degrade(square(), SPACING, np.random.default_rng(2), replace(QUIET, gain=0.2), noise).max() for _ in range(6)]
    assert np.ptp(tops) > 50
    assert all(790 < top < 1210 for top in tops)


def test_the_weaker_field_is_noisier():
    sizes = []
    for look in (USUAL_15T, USUAL_3T):
        wear = replace(
            look, **dict.fromkeys(("shading", "flow_voids", "tone", "blur", "ringing", "ghosts", "motion", "smear"), 0.0)
        )
        sizes.append(np.mean([degrade(square(), SPACING, np.random.default_rng(s), wear)[:30].mean() for s in range(8)]))
    assert sizes[0] > 1.5 * sizes[1]


def test_any_contrast_is_any_but_keeps_csf_and_cord_apart():
    signals = np.stack([Contrast.any(np.random.default_rng(seed)).signals for seed in range(60)])
    csf, cord = signals[:, Tissue.CSF], signals[:, Tissue.WHITE_MATTER]
    assert 0.2 < np.mean(csf > cord) < 0.8
    assert np.abs(csf - cord).min() >= 150
    assert np.ptp(signals[:, Tissue.MARROW]) > 700


def test_training_sees_some_strange_and_some_pale_contrasts():
    contrasts = [Contrast.for_training(np.random.default_rng(seed)) for seed in range(300)]
    ratio = np.array([one.signals[Tissue.CSF] / one.signals[Tissue.WHITE_MATTER] for one in contrasts])
    assert 0.01 < np.mean(ratio < 1) < 0.12
    assert 0.05 < np.mean((ratio > 1) & (ratio < 1.3)) < 0.25
    shifts = np.array([one.fat_shift_px for one in contrasts])
    assert 0.3 < np.mean(np.abs(shifts).sum(1) > 0) < 0.5
    assert (np.abs(shifts).sum(1)[shifts.any(1)] >= 0.5).all()
    assert np.abs(shifts).max() <= 2.5


def test_chemical_shift_moves_fat_and_nothing_else():
    anatomy = draw_anatomy(np.random.default_rng(3), sway=False)
    centre = np.array(anatomy.centre("C5"))
    plane = ImagePlane((anatomy.curve.midline_mm, centre[1] - 40, centre[2] + 60), (0, 1, 0), (0, 0, -1), Spacing(1, 1), 120, 130)
    for contrast, moves in ((Contrast.of(skin_fat=500, muscle=100), True), (Contrast.of(csf=900, muscle=100), False)):
        one, other = (
            render_slice(anatomy, plane, 1.0, replace(contrast, fat_shift_px=shift), np.random.default_rng(0), samples=2)
            for shift in ((0.0, 0.0), (0.0, 3.0))
        )
        np.testing.assert_array_equal(one.canal, other.canal)
        edges = [np.diff(each.pixels, axis=1)[60].argmax() for each in (one, other)]
        assert edges[1] - edges[0] == 3 * moves


def test_t2_is_what_it_was():
    assert len(T2_TSE.signals) == len(Tissue)
    assert T2_TSE.signals[Tissue.CSF] == 1000
    assert T2_TSE.signals[Tissue.MODIC_BRIGHT] == pytest.approx(1.6 * T2_TSE.signals[Tissue.MARROW])
