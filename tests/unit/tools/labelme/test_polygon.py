import numpy as np
import pytest

from tools.labelme.polygon import crosses_itself, polygon_cover, union_cover, untangled

SQUARE = np.array([[1.5, 2.5], [1.5, 6.5], [4.5, 6.5], [4.5, 2.5]])
BOW_TIE = np.array([[0.0, 0], [4, 4], [0, 4], [4, 0]])


def ring(radius, centre=(20.3, 17.8), count=720):
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.array(centre) + radius * np.stack([np.sin(angles), np.cos(angles)], axis=1)


def test_whole_pixels_are_whole():
    cover = polygon_cover(SQUARE, (8, 9))
    expected = np.zeros((8, 9))
    expected[2:5, 3:7] = 1
    np.testing.assert_allclose(cover, expected)
    np.testing.assert_allclose(polygon_cover(SQUARE[::-1], (8, 9)), expected)


def test_a_border_through_pixels_gives_shares():
    cover = polygon_cover(SQUARE + np.array([0.25, 0.4]), (8, 9))
    np.testing.assert_allclose(cover[3, 2:8], [0, 0.6, 1, 1, 1, 0.4], atol=1e-6)
    np.testing.assert_allclose(cover[1:7, 5], [0, 0.75, 1, 1, 0.25, 0], atol=1e-6)


@pytest.mark.parametrize("radius", [0.8, 3.3, 12.0])
def test_the_area_of_a_disc(radius):
    assert polygon_cover(ring(radius), (40, 40)).sum() == pytest.approx(np.pi * radius**2, rel=0.005)


def test_parts_outside_the_grid_are_cut_off():
    cover = polygon_cover(np.array([[-50.0, -50], [-50, 1.5], [1.5, 1.5], [1.5, -50]]), (4, 5))
    assert cover.sum() == pytest.approx(4)


def test_a_union_counts_an_overlap_once():
    both = union_cover([SQUARE, SQUARE + np.array([1, 1])], (8, 9))
    assert both.max() == 1
    assert both.sum() == pytest.approx(12 + 12 - 6)


@pytest.mark.parametrize(
    ("points", "crosses"),
    [(SQUARE, False), (BOW_TIE, True), (ring(5), False), (np.vstack([SQUARE, SQUARE[-1:]]), False)],
    ids=["square", "bow tie", "ring", "double click"],
)
def test_crossing_edges_are_seen(points, crosses):
    assert crosses_itself(points) is crosses


def test_a_small_loop_is_cut_off_and_nothing_else():
    looped = ring(10, count=90)
    looped[[40, 41]] = looped[[41, 40]]
    assert crosses_itself(looped)
    straight = untangled(looped)
    assert not crosses_itself(straight)
    assert len(looped) - len(straight) <= 2
    np.testing.assert_allclose(polygon_cover(straight, (40, 40)).sum(), np.pi * 100, rtol=0.01)


@pytest.mark.parametrize("left", np.linspace(10, 11, 9))
def test_a_polygon_is_as_wide_as_it_was_drawn(left):
    """OpenCV fills what an outline touches: its structures come out 0.15 mm too wide at 0.6 mm pixels."""
    corners = np.array([[2.5, left], [2.5, left + 6.4], [8.5, left + 6.4], [8.5, left]])
    assert polygon_cover(corners, (12, 30))[5].sum() == pytest.approx(6.4, abs=1e-5)
