import itertools

import numpy as np
import pytest

from node.domain.geometry import ImagePlane, Spacing
from node.inference.manifest import ModelManifest
from node.inference.preprocess import fit_grid, model_input, normalise, reference_signal
from tests.support.models import FIXED_SIZE, FIXED_SPACING, manifest_fields

SAGITTAL = ((0, 1, 0), (0, 0, -1))
AXIAL = ((1, 0, 0), (0, 1, 0))


def manifest(task="sagittal_segmentation", plan=None, **changes):
    return ModelManifest.model_validate(manifest_fields("m", task, plan=plan or FIXED_SPACING, **changes))


def scene(plane):
    """A smooth bright body on air, as a function of patient space."""
    rows, columns = np.meshgrid(np.arange(plane.rows), np.arange(plane.columns), indexing="ij")
    points = plane.to_patient(np.stack([rows, columns], axis=-1))
    body = np.exp(-((((points - [0, 4, -6]) / [30, 45, 60]) ** 2).sum(-1) ** 3))
    return (body * (500 + 300 * np.sin(points / [7.0, 9.0, 11.0]).sum(-1))).clip(0).astype(np.float32)


def planes(directions, spacing=(0.5, 0.7)):
    """The eight ways to store the same field of view."""
    base = [np.array(d, dtype=float) for d in directions]
    for swap, first, second in itertools.product((False, True), (1, -1), (1, -1)):
        row, column = base[::-1] if swap else base
        row, column = first * row, second * column
        size = (240, 240)
        centre = np.array([0.0, 2, 3])
        corner = centre - row * spacing[1] * (size[1] - 1) / 2 - column * spacing[0] * (size[0] - 1) / 2
        yield ImagePlane(corner, row, column, Spacing(*spacing), *size)


@pytest.mark.parametrize(("task", "directions"), [("sagittal_segmentation", SAGITTAL), ("axial_segmentation", AXIAL)])
def test_the_model_sees_the_same_picture_however_it_is_stored(task, directions):
    pictures = []
    for plane in planes(directions, (0.5, 0.5)):
        pixels = scene(plane)
        grid = grid_of(manifest(task), plane, pixels[None])
        pictures.append((grid, model_input(pixels, grid, 800.0), plane))
    first_plane_points = pictures[0][2].to_patient(pictures[0][0].to_source([[10, 20], [100, 60]]))
    for grid, picture, plane in pictures[1:]:
        offset = grid.to_model(plane.to_pixels(first_plane_points)) - [[10, 20], [100, 60]]
        assert np.abs(offset[0] - offset[1]).max() < 1e-6  # the same scale and directions
        assert np.abs(offset).max() < 1.5  # and nearly the same cut
        assert abs(picture.mean() - pictures[0][1].mean()) < 0.02


@pytest.mark.parametrize("plan", [FIXED_SPACING, FIXED_SIZE], ids=["fixed_spacing", "fixed_size"])
@pytest.mark.parametrize("plane", list(planes(SAGITTAL)))
def test_points_return_to_where_they_came_from(plan, plane):
    grid = grid_of(manifest(plan=plan), plane, scene(plane)[None])
    points = np.random.default_rng(1).uniform(0, 200, (50, 2))
    np.testing.assert_allclose(grid.to_source(grid.to_model(points)), points, atol=1e-9)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("plane", list(planes(SAGITTAL)))
def test_a_map_returns_to_where_it_came_from(plane, stride):
    grid = grid_of(manifest(), plane, scene(plane)[None])
    target = np.array([101.3, 115.8])  # source pixel
    cells = (grid.to_model(target) - (stride - 1) / 2) / stride
    rows, columns = np.ogrid[: grid.rows // stride, : grid.columns // stride]
    blob = np.exp(-((rows - cells[0]) ** 2 + (columns - cells[1]) ** 2) / 50).astype(np.float32)
    back = grid.put(blob, (plane.rows, plane.columns), stride)
    weights = back / back.sum()
    centre = [(weights.sum(1) * np.arange(plane.rows)).sum(), (weights.sum(0) * np.arange(plane.columns)).sum()]
    np.testing.assert_allclose(centre, target, atol=0.05)


@pytest.mark.parametrize("plane", list(planes(SAGITTAL)))
def test_a_step_of_the_model_is_its_spacing_in_patient_directions(plane):
    grid = grid_of(manifest(), plane, scene(plane)[None])
    start, down, across = plane.to_patient(grid.to_source([[10, 10], [11, 10], [10, 11]]))
    np.testing.assert_allclose(down - start, [0, 0, -0.75], atol=1e-9)
    np.testing.assert_allclose(across - start, [0, 0.75, 0], atol=1e-9)


def grid_of(made, plane, voxels):
    return fit_grid(made, plane, voxels, reference_signal(voxels, made.reference_percentile))


def test_the_cut_is_a_multiple_and_never_above_the_largest_size():
    plane = next(planes(SAGITTAL))
    plan = FIXED_SPACING | {"maximum_rows": 96, "maximum_columns": 64}
    grid = grid_of(manifest(plan=plan), plane, scene(plane)[None])
    assert (grid.rows, grid.columns) == (96, 64)
    whole = grid_of(manifest(), plane, scene(plane)[None])
    assert whole.rows % 32 == whole.columns % 32 == 0


def test_a_fixed_size_holds_the_rectangle_of_tissue():
    plane = next(planes(SAGITTAL))
    pixels = np.zeros((plane.rows, plane.columns), dtype=np.float32)
    pixels[40:141, 30:171] = 1000
    grid = grid_of(manifest(plan=FIXED_SIZE), plane, pixels[None])
    np.testing.assert_allclose(grid.to_source([-0.5, -0.5]), [39.5, 29.5], atol=1e-9)
    np.testing.assert_allclose(grid.to_source([255.5, 223.5]), [140.5, 170.5], atol=1e-9)


def test_an_empty_volume_still_has_a_grid():
    plane = next(planes(SAGITTAL))
    empty = np.zeros((1, plane.rows, plane.columns), dtype=np.float32)
    grid = grid_of(manifest(), plane, empty)
    assert np.isfinite(model_input(empty[0], grid, reference_signal(empty, 99))).all()


def test_normalisation_keeps_order_and_range():
    signal = np.array([-5.0, 0.0, 25.0, 100.0, 1e6], dtype=np.float32)
    np.testing.assert_allclose(normalise(signal, 100.0), [0, 0, 0.5, 1, np.sqrt(1.5)], rtol=1e-6)
