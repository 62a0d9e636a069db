"""Real volumes as training slices: where the labels of the Spinal Cord Toolbox become centres of vertebral bodies."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from node.domain.anatomy import VERTEBRAE
from tools.training.pool import CENTRES, SAGITTAL_MM
from tools.training.real import sagittal_samples

SHAPE = (29, 60, 120)  # RAS voxels of 1 mm
APART_MM, SLOPE = 14.0, 0.3
ROWS = dict(zip(CENTRES, range(15, 95, 10), strict=True))


def cord_column(row):
    return 30 + SLOPE * (row - 15)


def body(name):
    """Return the centre of a body (row, column): straight in front of the cord at the height where the cord has its label."""
    backwards = np.array([-SLOPE, 1]) / np.hypot(SLOPE, 1)
    return np.array([ROWS[name], cord_column(ROWS[name])]) - APART_MM * backwards


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    labels, mask = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    for row in range(5, 105):
        mask[13:16, SHAPE[1] - 1 - round(cord_column(row)), SHAPE[2] - 1 - row] = 1
    for name, value in (("C2", 2), ("T2", 9)):
        labels[14, SHAPE[1] - 1 - round(cord_column(ROWS[name])), SHAPE[2] - 1 - ROWS[name]] = value
    for array, word in ((np.ones(SHAPE, np.float32), "t2"), (mask, "cord"), (labels, "vertebrae_C2_T2")):
        nibabel.Nifti1Image(array, np.eye(4)).to_filename(tmp_path / f"anna_{word}.nii.gz")
    corners = {one.value: [[float(body(one)[1]), float(body(one)[0])]] * 4 for one in VERTEBRAE}
    band = [[10.0, 10.0], [20.0, 10.0], [20.0, 100.0], [10.0, 100.0]]
    annotation = {"slice_index": 14, "keypoints_px": corners, "canal_polygon": band, "cord_polygon": band}
    (tmp_path / "anna_midsagittal.json").write_text(json.dumps(annotation))
    return tmp_path


def test_labels_in_the_cord_become_bodies_in_front_of_it(folder):
    middle = next(one for one in sagittal_samples(folder, "anna") if np.isfinite(one.points).any())
    centres = dict(zip(CENTRES, middle.points[-len(CENTRES) :] * SAGITTAL_MM, strict=True))
    for name in CENTRES:
        assert centres[name] == pytest.approx(body(name), abs=0.6), name


def test_without_labels_only_the_bodies_with_corners_are_known(folder):
    (folder / "anna_vertebrae_C2_T2.nii.gz").unlink()
    middle = next(one for one in sagittal_samples(folder, "anna") if np.isfinite(one.points).any())
    known = {name for name, point in zip(CENTRES, middle.points[-len(CENTRES) :], strict=True) if np.isfinite(point).all()}
    assert known == {one.value for one in VERTEBRAE}
