"""The models that come with the package, on necks that no training has seen."""

from pathlib import Path

import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, Structure
from node.domain.geometry import ImagePlane, Spacing
from node.inference import load_library
from tests.support.models import volume_of
from tools.phantom.anatomy import draw_anatomy
from tools.phantom.appearance import USUAL, degrade
from tools.phantom.render import T2_TSE, render_slice

MODELS = Path(__file__).parents[2] / "models"
NAMES = ("sagittal-segmentation", "axial-segmentation", "keypoints")
SEEDS = (70_001, 70_002, 70_003)


@pytest.fixture(scope="module")
def library():
    return load_library(MODELS, NAMES, ("cpu",), 1)


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def sagittal(anatomy, pixel):
    corner = np.array(anatomy.centre("C5")) + np.array([0, -85, 105])
    corner[0] = anatomy.curve.midline_mm
    return ImagePlane(corner, (0, 1, 0), (0, 0, -1), Spacing(pixel, pixel), int(210 / pixel), int(170 / pixel))


def axial(anatomy, name, pixel):
    corner = np.array(anatomy.centre(name)) + np.array([-80, -70, 0])
    return ImagePlane(corner, (1, 0, 0), (0, 1, 0), Spacing(pixel, pixel), int(160 / pixel), int(160 / pixel))


def imaged(anatomy, plane, seed):
    rng = np.random.default_rng(seed)
    one = render_slice(anatomy, plane, 3.0, T2_TSE, rng)
    return volume_of([degrade(one.pixels, plane.spacing, rng, USUAL)], [plane]), one


@pytest.mark.parametrize("seed", SEEDS)
def test_sagittal_masks_and_corners_of_a_phantom(library, seed):
    anatomy = draw_anatomy(np.random.default_rng(seed), sway=False)
    plane = sagittal(anatomy, 0.6)
    volume, truth = imaged(anatomy, plane, seed)
    masks = library.sagittal_segmenter.segment(volume)
    assert dice(masks.binary(Structure.SPINAL_CORD)[0], truth.cord >= 0.5) > 0.9
    assert dice(masks.binary(Structure.SPINAL_CANAL)[0], truth.canal >= 0.5) > 0.93
    found = library.keypoint_detector.detect(volume, 0, masks).by_landmark
    assert set(found) == set(LANDMARKS)
    true = {one: plane.to_pixels(np.array(point)) for one, point in anatomy.truth().landmarks.items()}
    errors_mm = [float(plane.length_mm(np.array(found[one].point), true[one])) for one in LANDMARKS]
    assert np.mean(errors_mm) < 1.5


@pytest.mark.parametrize("seed", SEEDS)
def test_axial_masks_of_a_phantom(library, seed):
    anatomy = draw_anatomy(np.random.default_rng(seed), sway=False)
    volume, truth = imaged(anatomy, axial(anatomy, "C5", 0.5), seed)
    masks = library.axial_segmenter.segment(volume)
    assert dice(masks.binary(Structure.SPINAL_CORD)[0], truth.cord >= 0.5) > 0.9
    assert dice(masks.binary(Structure.SPINAL_CANAL)[0], truth.canal >= 0.5) > 0.93


def test_pure_noise_has_no_named_corners_that_pass_for_sure(library):
    rng = np.random.default_rng(3)
    plane = ImagePlane((0, 0, 0), (0, 1, 0), (0, 0, -1), Spacing(0.8, 0.8), 256, 200)
    volume = volume_of([rng.rayleigh(50, (256, 200)).astype(np.float32)], [plane])
    confidences = [one.confidence for one in library.keypoint_detector.detect(volume, 0).by_landmark.values()]
    assert not confidences or np.median(confidences) < 0.5
