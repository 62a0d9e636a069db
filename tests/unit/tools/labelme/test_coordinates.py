import numpy as np
import pytest

from tools.labelme.coordinates import from_labelme, on_picture, to_labelme


@pytest.mark.parametrize(
    ("labelme", "node"),
    [((0.5, 0.5), (0, 0)), ((0, 0), (-0.5, -0.5)), ((10.5, 3.5), (3, 10)), ((20, 10), (9.5, 19.5))],
    ids=["middle of the first pixel", "corner of the picture", "x is the column", "last corner of 20 x 10"],
)
def test_the_centre_of_a_pixel_is_a_half_in_labelme_and_whole_in_the_node(labelme, node):
    np.testing.assert_allclose(from_labelme([labelme]), [node])
    assert to_labelme([node], rows=10, columns=20) == (labelme,)


def test_points_beside_the_picture_are_moved_onto_it():
    assert to_labelme([(-3, 25), (12, 4.25)], rows=10, columns=20) == ((20.0, 0.0), (4.75, 10.0))


def test_the_border_belongs_to_the_picture():
    points = [(0, 0), (20, 10), (20.01, 5), (5, -0.01)]
    assert on_picture(points, rows=10, columns=20).tolist() == [True, True, False, False]
