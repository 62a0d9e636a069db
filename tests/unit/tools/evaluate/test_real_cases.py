import json

import nibabel
import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, VERTEBRAE, Corner, Landmark, Level, Structure
from node.domain.study import SeriesRole
from tools.evaluate.readings import Measure
from tools.evaluate.real_cases import axial_case, real_sources, sagittal_case

SAGITTAL, AXIAL = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2
CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL
SHAPE = (30, 40, 60)  # right, anterior, superior; 1 mm
MARK = (15, 12, 31)


def save(path, array, zooms=(1.0, 1.0, 1.0)):
    nibabel.save(nibabel.Nifti1Image(array.astype(np.float32), np.diag([*zooms, 1.0])), path)


@pytest.fixture
def folder(tmp_path):
    """Write a volume with one bright voxel, a cord of 4 x 6 mm over 50 mm, and its annotation."""
    (tmp_path / "sagittal").mkdir()
    (tmp_path / "axial").mkdir()
    voxels, cord = np.random.default_rng(0).uniform(0, 1, SHAPE), np.zeros(SHAPE)
    voxels[MARK] = 1000
    cord[12:18, 18:22, 5:55] = 1
    save(tmp_path / "sagittal" / "a_t2.nii.gz", voxels)
    save(tmp_path / "sagittal" / "a_cord.nii.gz", cord)
    (tmp_path / "sagittal" / "a_midsagittal.json").write_text(json.dumps(annotation()))
    save(tmp_path / "axial" / "b_1Ses2_t2s.nii.gz", voxels[..., ::3], (1, 1, 3))
    save(tmp_path / "axial" / "b_1Ses2_cord.nii.gz", cord[..., ::3], (1, 1, 3))
    return tmp_path


def annotation():
    # as seen: column = 39 - anterior, row = 59 - superior
    outline = [[16.5, 4.5], [21.5, 4.5], [21.5, 54.5], [16.5, 54.5]]
    corners = {v.value: [[5, 8 + 9 * k], [5, 14 + 9 * k], [15, 8 + 9 * k], [15, 14 + 9 * k]] for k, v in enumerate(VERTEBRAE)}
    widths = {"per_level_mean": {"C3": 5.0, "C3/C4": 4.5}, "d_i_level": "C5/C6"}
    return {
        "slice_index": 15,
        "keypoints_px": corners,
        "cord_polygon": outline,
        "canal_polygon": outline,
        "cord": widths,
        "canal": widths,
        "MSCC_percent": 14.0,
        "MCC_percent": 6.5,
    }


def brightest(volume):
    index = np.unravel_index(int(volume.voxels.argmax()), volume.voxels.shape)
    return volume.planes[int(index[0])].to_patient(index[1:])


def test_both_series_of_a_volume_lie_in_one_patient(folder):
    case = sagittal_case(folder / "sagittal", "a")
    assert brightest(case.volumes[SAGITTAL])[1:] == pytest.approx(brightest(case.volumes[AXIAL])[1:], abs=2)
    assert brightest(case.volumes[SAGITTAL]) == pytest.approx((-15, -12, 31), abs=1e-9)
    # the axial slab that holds the voxel is 4 mm thick
    assert brightest(case.volumes[AXIAL]) == pytest.approx((-15, -12, 31), abs=1.6)
    for volume in case.volumes.values():
        assert (np.diff(volume.geometry.offsets_mm) > 0).all()


def test_the_annotated_slice_is_in_the_middle_and_its_corners_are_where_they_were_put(folder):
    case = sagittal_case(folder / "sagittal", "a")
    plane = case.volumes[SAGITTAL].planes[case.truth.middle]
    assert plane.position[0] == pytest.approx(-15)
    assert set(case.truth.landmarks) == set(LANDMARKS)
    corner = case.truth.landmarks[Landmark(VERTEBRAE[1], Corner.POSTERIOR_SUPERIOR)]
    assert plane.to_pixels(corner) == pytest.approx((17, 15))


def test_what_nobody_traced_is_unknown(folder):
    truth = sagittal_case(folder / "sagittal", "a").truth
    middle = truth.middle_covers[CANAL]
    assert np.isnan(middle[:8]).all()
    assert np.isnan(middle[50:]).all()
    assert middle[20, 15:24].tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]
    cord = truth.covers[SAGITTAL, CORD]
    assert np.isnan(cord[:, :5]).all()
    assert np.isnan(cord[:, 55:]).all()
    assert np.nansum(cord) * 3 == pytest.approx(6 * 4 * 50)
    assert (SAGITTAL, CANAL) not in truth.covers


def test_the_numbers_of_the_annotation_are_the_truth(folder):
    truth = sagittal_case(folder / "sagittal", "a").truth
    assert truth.numbers[Measure.MSCC, ""] == 14.0
    assert truth.numbers[Measure.CANAL_AP, "C3/C4"] == 4.5
    assert truth.narrowest == {CORD: Level.C5_C6, CANAL: Level.C5_C6}


def test_an_axial_series_has_only_the_slices_with_cord(folder):
    case = axial_case(folder / "axial", "b_1Ses2")
    assert set(case.volumes) == {AXIAL}
    assert case.volumes[AXIAL].geometry.shape == (17, 40, 30)
    assert case.volumes[AXIAL].geometry.spacing_between_slices_mm == pytest.approx(3)
    assert case.truth.covers[AXIAL, CORD].sum() == pytest.approx(17 * 24)


def test_people_are_chosen_by_name_and_sessions_are_one_person(folder):
    assert [(one.name, one.person) for one in real_sources(folder)] == [("a", "a"), ("b_1Ses2 T2*", "b_1")]
    assert [one.person for one in real_sources(folder, ["b_1Ses1"])] == ["b_1"]
    with pytest.raises(ValueError, match="no annotated volume of c"):
        real_sources(folder, ["c"])
