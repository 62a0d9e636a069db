import numpy as np
import pytest
from pydantic import ValidationError

from node.domain.anatomy import LANDMARKS, Structure
from node.domain.geometry import ImagePlane, Spacing
from node.inference import KeypointDetector, Segmenter
from node.inference.chain import CHAIN
from node.inference.manifest import ModelManifest
from node.inference.segmenter import recentred
from tests.support.models import FIXED_SPACING, ConstantSession, EchoSession, MapSession, manifest_fields, volume_of

SHAPE = (200, 180)


def planes(count):
    return [ImagePlane((3.0 * k, -60, 70), (0, 1, 0), (0, 0, -1), Spacing(0.6, 0.6), *SHAPE) for k in range(count)]


def bright_box():
    pixels = np.full(SHAPE, 120, dtype=np.float32)
    pixels[60:140, 70:90] = 900
    return pixels


def manifest(task, channels, **changes):
    return ModelManifest.model_validate(manifest_fields("m", task, channels=channels, **changes))


def test_all_slices_are_segmented_in_batches_on_the_source_grid():
    session = EchoSession(2)
    volume = volume_of([bright_box()] * 5, planes(5))
    masks = Segmenter(session, manifest("sagittal_segmentation", ["spinal_cord", "spinal_canal"]), batch_size=2).segment(volume)
    assert [shape[0] for shape in session.shapes] == [2, 2, 1]
    cord = masks.probabilities[Structure.SPINAL_CORD]
    assert cord.shape == volume.voxels.shape
    assert cord.dtype == np.float16
    found = masks.binary(Structure.SPINAL_CORD)[4]
    expected = bright_box() > 500
    assert (found != expected).sum() < 0.03 * expected.sum()


def test_channels_are_named_by_the_manifest():
    volume = volume_of([bright_box()], planes(1))
    maps = np.stack([np.full((256, 256), value, dtype=np.float32) for value in (0.75, 0.25)])
    channels = ["spinal_canal", "spinal_cord"]
    masks = Segmenter(MapSession(maps), manifest("axial_segmentation", channels, view="sagittal")).segment(volume)
    assert masks.probabilities[Structure.SPINAL_CANAL][0, 100, 80] == 0.75
    assert masks.probabilities[Structure.SPINAL_CORD][0, 100, 80] == 0.25


def test_the_border_of_the_manifest_becomes_one_half_and_sure_pixels_stay_sure():
    values = np.array([0.0, 0.2, 0.32, 0.5, 0.9, 1.0], dtype=np.float32)
    moved = recentred(values, 0.32)
    odds = values[1:5] / (1 - values[1:5]) * (1 - 0.32) / 0.32
    np.testing.assert_allclose(moved[1:5], odds / (1 + odds), rtol=1e-6)
    assert (moved[0], moved[-1]) == (0, 1)
    assert moved[2] == pytest.approx(0.5)
    np.testing.assert_allclose(recentred(values, 0.5), values, atol=1e-7)


def test_each_structure_has_its_own_border():
    volume = volume_of([bright_box()], planes(1))
    maps = np.stack([np.full((256, 256), 0.45, dtype=np.float32)] * 2)
    borders = {"spinal_cord": 0.4}
    session = MapSession(maps)
    model = manifest("axial_segmentation", ["spinal_cord", "spinal_canal"], view="sagittal", border_probabilities=borders)
    masks = Segmenter(session, model).segment(volume)
    assert masks.binary(Structure.SPINAL_CORD)[0, 100, 80]
    assert not masks.binary(Structure.SPINAL_CANAL)[0, 100, 80]


def test_a_slice_with_cord_is_seen_at_each_zoom_and_one_without_once():
    session = EchoSession(2)
    dark = np.full(SHAPE, 120, dtype=np.float32)
    dark[0, 0] = 0
    volume = volume_of([dark, bright_box(), bright_box()], planes(3))
    model = manifest("sagittal_segmentation", ["spinal_cord", "spinal_canal"], zooms=[1.0, 0.75, 1.5])
    masks = Segmenter(session, model).segment(volume)
    assert [shape[0] for shape in session.shapes] == [3, 2, 2]
    rows = [shape[-2] for shape in session.shapes]
    assert rows[1] < rows[0] < rows[2]
    expected = bright_box() > 500
    assert (masks.binary(Structure.SPINAL_CORD)[1] != expected).sum() < 0.05 * expected.sum()


def test_the_mean_of_all_zooms_counts_and_each_only_where_it_looks():
    plan = FIXED_SPACING | {"maximum_columns": 160}
    model = manifest("sagittal_segmentation", ["spinal_cord", "spinal_canal"], zooms=[1.0, 2.0], plan=plan)
    volume = volume_of([bright_box()], planes(1))
    cord = Segmenter(ConstantSession(2, iter([0.9, 0.3])), model).segment(volume).probabilities[Structure.SPINAL_CORD][0]
    assert cord[100, 90] == pytest.approx(0.6, abs=1e-3)
    assert cord[100, 2] == pytest.approx(0.9, abs=1e-3)  # beside what the larger view holds


@pytest.mark.parametrize(("over", "is_found"), [("slice", True), ("volume", False)])
def test_a_dark_slice_is_as_bright_as_the_others_where_the_reference_is_taken_over_each_slice(over, is_found):
    volume = volume_of([bright_box(), bright_box() / 8], planes(2))
    model = manifest("sagittal_segmentation", ["spinal_cord", "spinal_canal"], reference_over=over)
    masks = Segmenter(EchoSession(2), model).segment(volume)
    assert masks.binary(Structure.SPINAL_CORD)[0, 100, 80]
    assert masks.binary(Structure.SPINAL_CORD)[1, 100, 80] == is_found


@pytest.mark.parametrize("zooms", [[], [0.1], [1.0, 3.0]])
def test_zooms_that_show_nothing_are_refused(zooms):
    with pytest.raises(ValidationError, match="zooms"):
        manifest("sagittal_segmentation", ["spinal_cord", "spinal_canal"], zooms=zooms)


@pytest.mark.parametrize("borders", [{"vertebra": 0.4}, {"spinal_cord": 0.0}, {"spinal_cord": 1.0}])
def test_a_border_of_nothing_or_nowhere_is_refused(borders):
    with pytest.raises(ValidationError, match="border_probabilities"):
        manifest("axial_segmentation", ["spinal_cord", "spinal_canal"], border_probabilities=borders)


def test_a_slice_without_a_picture_has_no_structures_and_is_not_inferred():
    session = EchoSession(2)
    blank = np.full(SHAPE, 900, dtype=np.float32)
    volume = volume_of([bright_box(), blank, bright_box()], planes(3))
    masks = Segmenter(session, manifest("sagittal_segmentation", ["spinal_cord", "spinal_canal"])).segment(volume)
    cord = masks.probabilities[Structure.SPINAL_CORD]
    assert session.shapes[0][0] == 2
    assert not cord[1].any()
    assert cord[0].any()
    np.testing.assert_array_equal(cord[0], cord[2])


def test_no_chain_means_no_keypoints():
    channels = [f"{one.vertebra}.{one.corner}" for one in LANDMARKS] + list(CHAIN)
    session = MapSession(np.zeros((28, 64, 64), dtype=np.float32))
    detector = KeypointDetector(session, manifest("keypoints", channels, stride=2))
    keypoints = detector.detect(volume_of([bright_box()] * 3, planes(3)), 1)
    assert keypoints.slice_index == 1
    assert not keypoints.by_landmark
