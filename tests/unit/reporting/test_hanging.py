import numpy as np
import pytest

from node.domain.geometry import PixelPoint
from node.reporting.hanging import AXIAL_VIEW, SAGITTAL_VIEW, slice_picture, upright_view
from tests.support.analytic_shapes import stored_plane

SPACING, SIZE = (0.9, 0.6), (60, 80)
SHOWN = (700, 600)


def points(plane, *patient):
    return [PixelPoint(*map(float, plane.to_pixels(point))) for point in patient]


@pytest.mark.parametrize("flips", range(8))
def test_sagittal_slices_hang_with_anterior_left_and_head_up_however_they_are_stored(flips):
    plane = stored_plane((0, 0, 0), (0, 1, 0), (0, 0, -1), SPACING, SIZE, flips)
    view = upright_view(plane, SAGITTAL_VIEW, [], 0.0, SHOWN)
    centre, posterior, inferior = view.place(points(plane, (0, 0, 0), (0, 10, 0), (0, 0, -10)))
    assert posterior - centre == pytest.approx([10 * view.pixels_per_mm, 0], abs=1e-6)
    assert inferior - centre == pytest.approx([0, 10 * view.pixels_per_mm], abs=1e-6)
    assert view.pixels_per_mm == pytest.approx(600 / (60 * 0.9)), "the whole height of the slice"


@pytest.mark.parametrize("flips", range(8))
def test_axial_slices_hang_with_the_right_on_the_left_and_anterior_up(flips):
    plane = stored_plane((0, 0, 0), (1, 0, 0), (0, 1, 0), SPACING, SIZE, flips)
    view = upright_view(plane, AXIAL_VIEW, [], 0.0, SHOWN)
    centre, left, posterior = view.place(points(plane, (0, 0, 0), (10, 0, 0), (0, 10, 0)))
    assert left - centre == pytest.approx([10 * view.pixels_per_mm, 0], abs=1e-6)
    assert posterior - centre == pytest.approx([0, 10 * view.pixels_per_mm], abs=1e-6)


@pytest.mark.parametrize(("size", "pixels_per_mm"), [((600, 800), 20), ((300, 800), 10), ((900, 400), 10)])
def test_a_cut_shows_its_points_with_a_margin_in_the_middle(size, pixels_per_mm):
    plane = stored_plane((0, 0, 0), (0, 1, 0), (0, 0, -1), (1.0, 1.0), (100, 100))
    view = upright_view(plane, SAGITTAL_VIEW, [PixelPoint(40, 40), PixelPoint(60, 50)], 10.0, size)
    first, last = view.place([PixelPoint(40, 40), PixelPoint(60, 50)])
    assert view.pixels_per_mm == pytest.approx(pixels_per_mm)
    assert (first + last) / 2 == pytest.approx(np.array(size) / 2)
    assert last - first == pytest.approx([10 * pixels_per_mm, 20 * pixels_per_mm])


def test_the_border_is_drawn_where_the_probability_is_a_half():
    plane = stored_plane((0, 0, 0), (0, 1, 0), (0, 0, -1), (1.0, 1.0), (20, 20))
    view = upright_view(plane, SAGITTAL_VIEW, [], 0.0, (400, 400))
    picture = slice_picture(np.zeros((20, 20), dtype=np.float32), view)
    half = np.zeros((20, 20), dtype=np.float16)
    half[:, :10] = 1
    half[:, 10] = 0.5
    picture.outline(half, (255, 214, 0))
    row = picture.drawing.finished()[200]
    # probability falls through 0.5 at column 10, in the middle of that pixel
    drawn = np.flatnonzero(row[:, 0] > 200)
    expected = float(view.place([PixelPoint(10, 10)])[0, 0])
    assert drawn[drawn > 100].mean() == pytest.approx(expected, abs=2)
