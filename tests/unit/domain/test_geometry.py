import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.geometry import LEFT, POSTERIOR, SUPERIOR, ImagePlane, Spacing, VolumeGeometry

spacings = st.tuples(st.floats(0.2, 2), st.floats(0.2, 2))
positions = st.tuples(*[st.floats(-200, 200)] * 3)
turns = st.tuples(*[st.floats(-3, 3)] * 3)
pixels = st.tuples(st.floats(-50, 600), st.floats(-50, 600))


def rotation(angles):
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def plane(position=(0, 0, 0), turn=(0, 0, 0), spacing=(0.5, 0.5)):
    axes = rotation(turn)
    return ImagePlane(np.array(position), axes[:, 0], axes[:, 1], Spacing(*spacing), 512, 400)


@given(positions, turns, spacings, pixels)
def test_pixel_to_patient_and_back_is_identity(position, turn, spacing, pixel):
    one = plane(position, turn, spacing)
    np.testing.assert_allclose(one.to_pixels(one.to_patient(pixel)), pixel, atol=1e-6)
    assert float(one.distance_mm(one.to_patient(pixel))) == pytest.approx(0, abs=1e-6)


@given(positions, turns, spacings, pixels, pixels)
def test_lengths_are_the_same_in_patient_space(position, turn, spacing, first, second):
    one = plane(position, turn, spacing)
    in_space = np.linalg.norm(one.to_patient(first) - one.to_patient(second))
    assert float(one.length_mm(first, second)) == pytest.approx(in_space, abs=1e-6)
    assert np.linalg.norm(one.to_plane_mm(first) - one.to_plane_mm(second)) == pytest.approx(in_space, abs=1e-6)


def test_the_first_pixel_lies_at_image_position_patient():
    # PS3.3 section C.7.6.2.1.1: ImagePositionPatient is the centre of the first pixel; the first triplet of
    # ImageOrientationPatient is the direction in which the column index grows.
    one = ImagePlane(np.array([10.0, 20, 30]), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), Spacing(0.5, 0.8), 10, 10)
    np.testing.assert_allclose(one.to_patient([0, 0]), [10, 20, 30])
    np.testing.assert_allclose(one.to_patient([2, 3]), [10, 20 + 3 * 0.8, 30 - 2 * 0.5])
    np.testing.assert_allclose(one.normal, [-1, 0, 0])


def test_in_plane_directions_of_a_sagittal_slice():
    one = ImagePlane(np.zeros(3), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), Spacing(1, 1), 10, 10)
    np.testing.assert_allclose(one.direction_in_plane(POSTERIOR), [0, 1])
    np.testing.assert_allclose(one.direction_in_plane(SUPERIOR), [-1, 0])
    with pytest.raises(ValueError, match="perpendicular"):
        one.direction_in_plane(LEFT)


@pytest.mark.parametrize(
    "change",
    [
        {"spacing": Spacing(0, 1)},
        {"spacing": Spacing(float("nan"), 1)},
        {"along_row": np.array([2.0, 0, 0])},
        {"along_column": np.array([1.0, 0, 0])},
        {"position": np.array([0, 0, np.inf])},
        {"rows": 0},
    ],
)
def test_an_impossible_plane_is_refused(change):
    parts = {
        "position": np.zeros(3),
        "along_row": np.array([1.0, 0, 0]),
        "along_column": np.array([0, 1.0, 0]),
        "spacing": Spacing(1, 1),
        "rows": 5,
        "columns": 5,
    }
    with pytest.raises(ValueError, match=r"must be|perpendicular|no pixels"):
        ImagePlane(**{**parts, **change})


def test_a_volume_knows_its_nearest_slice():
    geometry = VolumeGeometry(tuple(plane((0, 0, z)) for z in (0.0, 3.0, 6.5)))
    assert geometry.nearest_slice([5, 5, 4]) == 1
    assert geometry.spacing_between_slices_mm == pytest.approx(3.25)
    np.testing.assert_allclose(geometry.offsets_mm, [0, 3, 6.5])
    assert geometry.shape == (3, 512, 400)


def test_contains_is_bounded_by_the_pixel_edges():
    one = plane()
    inside = one.contains(one.to_patient([[-0.4, 0], [-0.6, 0], [511.4, 399.4], [0, 399.6]]))
    assert inside.tolist() == [True, False, True, False]
