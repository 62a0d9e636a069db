from itertools import pairwise

import cv2
import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, VERTEBRAE, Corner, Landmark, Structure
from node.domain.geometry import ImagePlane, Spacing
from tools.phantom.anatomy import draw_anatomy
from tools.phantom.appearance import CLEAN, ROUGH, degrade
from tools.phantom.render import T2_TSE, Contrast, render_slice
from tools.phantom.shape import Tissue
from tools.phantom.tissue import tissue_at


def sagittal(anatomy, pixel=0.5, size=(240, 120), flip=False):
    centre = np.array(anatomy.centre("C5"))
    down, across = np.array([0.0, 0, -1]), np.array([0.0, -1 if flip else 1, 0])
    corner = centre - down * pixel * size[0] / 2 - across * pixel * size[1] / 2
    corner[0] = anatomy.curve.midline_mm
    return ImagePlane(corner, across, down, Spacing(pixel, pixel), *size)


@pytest.fixture(scope="module")
def straight():
    return draw_anatomy(np.random.default_rng(3), dents=2, sway=False)


def rendered(anatomy, plane, thickness=0.1, seed=0, samples=8):
    return render_slice(anatomy, plane, thickness, T2_TSE, np.random.default_rng(seed), samples=samples)


def test_the_same_seed_gives_the_same_slice():
    one, other = (draw_anatomy(np.random.default_rng(5)) for _ in range(2))
    plane = sagittal(one, 1.5, (80, 60))
    np.testing.assert_array_equal(rendered(one, plane).pixels, rendered(other, plane).pixels)


def test_another_seed_gives_another_neck():
    assert draw_anatomy(np.random.default_rng(5)).centre("C5") != draw_anatomy(np.random.default_rng(6)).centre("C5")


@pytest.mark.parametrize("structure", list(Structure))
def test_the_rendered_width_is_the_true_width(straight, structure):
    plane = sagittal(straight, 0.4, (360, 260))
    slice_ = rendered(straight, plane)
    cover = slice_.cord if structure is Structure.SPINAL_CORD else slice_.canal
    truth = straight.truth()
    wall = [np.array(truth.landmarks[Landmark(v, Corner.POSTERIOR_SUPERIOR)]) for v in VERTEBRAE]
    for start, end in pairwise(wall):
        along = (end - start) / np.linalg.norm(end - start)
        across = np.array([0.0, -along[2], along[1]])
        across *= np.sign(across[1])
        reach = np.arange(-3, 28, 0.02)
        pixels = plane.to_pixels((start + end) / 2 + reach[:, None] * across)
        values = cv2.remap(cover, pixels[:, 1].astype(np.float32), pixels[:, 0].astype(np.float32), cv2.INTER_LINEAR)
        assert (values >= 0.5).sum() * 0.02 == pytest.approx(truth.width_mm(structure, (start + end) / 2, across), abs=0.2)


def test_widths_by_level_are_positive_and_the_cord_is_inside(straight):
    cord, canal = (straight.truth().widths_mm(structure) for structure in (Structure.SPINAL_CORD, Structure.SPINAL_CANAL))
    for level, widths in cord.items():
        assert (widths > 1.5).all()
        assert (widths <= canal[level] + 1e-6).all()


def test_the_true_section_is_the_rendered_area(straight):
    along = straight.along_of(straight.centre("C4"))
    middle, ahead = straight.curve.to_patient([along, along], [8.0, 7.0])
    down = middle - ahead
    corner = middle - down * 15 + np.array([-15.0, 0, 0])
    plane = ImagePlane(corner, (1, 0, 0), down, Spacing(0.3, 0.3), 100, 100)
    slice_ = rendered(straight, plane)
    for structure, cover in ((Structure.SPINAL_CORD, slice_.cord), (Structure.SPINAL_CANAL, slice_.canal)):
        assert cover.sum() * 0.09 == pytest.approx(straight.section(structure, along).area_mm2, rel=0.02)


def test_a_flipped_plane_shows_the_same_neck(straight):
    plane = sagittal(straight, 1.0, (80, 60))
    flipped = ImagePlane(plane.to_patient([0, 59]), -plane.along_row, plane.along_column, plane.spacing, 80, 60)
    one, other = rendered(straight, plane, 3.0), rendered(straight, flipped, 3.0)
    assert np.abs(one.canal - other.canal[:, ::-1]).mean() < 0.01


def test_corners_lie_on_the_edge_of_bone(straight):
    for landmark, point in straight.truth().landmarks.items():
        middle = np.array(straight.centre(landmark.vertebra))
        inwards = middle - np.array(point)
        inner = np.array(point) + inwards * (2.5 / np.linalg.norm(inwards))
        assert tissue_at(straight, inner[None]).labels[0] in (Tissue.MARROW, Tissue.CORTEX, Tissue.FAT)
        outer = np.array(point) - inwards * (2.0 / np.linalg.norm(inwards))
        assert tissue_at(straight, outer[None]).labels[0] not in (Tissue.MARROW, Tissue.CORTEX)


def test_corners_are_in_order(straight):
    truth = straight.truth()
    assert set(truth.landmarks) == set(LANDMARKS)
    heights = [truth.landmarks[Landmark(v, Corner.POSTERIOR_SUPERIOR)].superior_mm for v in VERTEBRAE]
    assert heights == sorted(heights, reverse=True)


def test_a_dent_narrows_the_canal():
    free, dented = (draw_anatomy(np.random.default_rng(11), dents=count, slips=False) for count in (0, 4))
    narrowest = [min(w.min() for w in one.truth().widths_mm(Structure.SPINAL_CANAL).values()) for one in (free, dented)]
    assert narrowest[1] < narrowest[0] - 0.5


def test_wear_keeps_size_and_geometry(straight):
    plane = sagittal(straight, 1.0, (120, 60))
    clean = rendered(straight, plane).pixels
    for wear in (CLEAN, ROUGH):
        worn = degrade(clean, plane.spacing, np.random.default_rng(1), wear)
        assert worn.shape == clean.shape
        assert worn.dtype == np.float32
        assert (worn >= 0).all()
        assert np.corrcoef(worn.ravel(), clean.ravel())[0, 1] > 0.6


def test_random_contrasts_keep_csf_brighter_than_the_cord():
    for seed in range(30):
        signals = Contrast.random(np.random.default_rng(seed)).signals
        assert signals[Tissue.CSF] > 1.2 * signals[Tissue.WHITE_MATTER]
