"""A volume of known values, stored in any direction, comes out at the same patient positions."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from node.config import SelectionConfig
from node.domain.study import SeriesRole
from node.loading import load_volume
from node.selection import select_series
from tests.support.phantom_study import received_study
from tools.nifti_to_dicom import SliceSettings, convert_nifti

SHAPE = (26, 30, 34)
# RAS affines: the plain one, one with permuted and flipped axes, one that is oblique
_TURN = np.deg2rad(10)
AFFINES = {
    "RAS": np.diag([1.0, 1.0, 1.0, 1.0]),
    "PSR": np.array([[0, 0, 1.0, -12], [-1.0, 0, 0, 14], [0, 1.0, 0, -15], [0, 0, 0, 1]]),
    "oblique": np.array(
        [[np.cos(_TURN), -np.sin(_TURN), 0, 0], [np.sin(_TURN), np.cos(_TURN), 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1]]
    ),
}


def value_at(lps):
    """Linear, so that interpolation and slab averages keep it; positive in the volume."""
    return 1000 + lps @ np.array([-4.0, 7.0, 3.0])


def write_volume(folder: Path, affine: np.ndarray, function=value_at, name="t2.nii.gz") -> Path:
    voxels = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    ras = voxels @ affine[:3, :3].T + affine[:3, 3]
    image = nibabel.Nifti1Image(function(ras * [-1, -1, 1]).astype(np.float32), affine)
    nibabel.save(image, folder / name)
    return folder / name


def inside(points, affine, margin=2.0):
    """Which points are far enough inside the volume that no slab reaches out of it."""
    voxels = (points * [-1, -1, 1] - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    return ((voxels >= margin) & (voxels <= np.array(SHAPE) - 1 - margin)).all(axis=-1)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES.keys())
@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.0, 0.26, 0.97)])
def test_voxels_stay_where_they_are(tmp_path, affine, normal):
    source = write_volume(tmp_path, affine)
    study = convert_nifti(source, tmp_path / "out", SliceSettings(sagittal_pixel_mm=1.3, axial_pixel_mm=1.1, axial_normal=normal))
    selection = select_series(received_study([tmp_path / "out"]), SelectionConfig())
    largest = np.percentile(nibabel.Nifti1Image.from_filename(source).get_fdata(), 99.9)
    for role, series in ((SeriesRole.SAGITTAL_T2, study.sagittal), (SeriesRole.AXIAL_T2, study.axial)):
        volume = load_volume(selection.series_by_role[role])
        assert len(volume.planes) == len(series.planes)
        for plane, voxels in zip(volume.planes, volume.voxels, strict=True):
            points = plane.to_patient(np.stack(np.mgrid[: plane.rows, : plane.columns], axis=-1))
            known = inside(points, affine)
            np.testing.assert_allclose(voxels[known], (value_at(points) * 2000 / largest)[known], atol=0.6)
        assert volume.geometry.spacing_between_slices_mm == pytest.approx(3.0)


def test_a_mask_is_resampled_onto_the_same_slices(tmp_path):
    affine = AFFINES["PSR"]
    centre = np.array([2.0, 3.0, 1.0])  # LPS

    def ball(lps):
        return (np.linalg.norm(lps - centre, axis=-1) < 7).astype(np.float32)

    source, mask = write_volume(tmp_path, affine), write_volume(tmp_path, affine, ball, "cord.nii.gz")
    study = convert_nifti(source, tmp_path / "out", SliceSettings(), {"cord": mask})
    voxels_mm3 = nibabel.Nifti1Image.from_filename(mask).get_fdata().sum()
    # the mask decides the midline: one sagittal slice runs through its centre
    assert min(abs(plane.position[0] - centre[0]) for plane in study.sagittal.planes) < 0.3
    for series, pixel_mm in ((study.sagittal, 0.75), (study.axial, 0.6)):
        share = series.masks["cord"]
        weights = share.sum(axis=(1, 2))
        volume_mm3 = weights.sum() * pixel_mm**2 * 3.0
        assert volume_mm3 == pytest.approx(voxels_mm3, rel=0.01)
        points = [
            np.average(plane.to_patient(np.argwhere(one > 0)), axis=0, weights=one[one > 0])
            for plane, one in zip(series.planes, share, strict=True)
            if one.any()
        ]
        np.testing.assert_allclose(np.average(points, axis=0, weights=weights[weights > 0]), centre, atol=0.25)


def test_the_slices_are_those_that_were_asked_for(tmp_path):
    settings = SliceSettings(midline_mm=-11.4, axial_range_mm=(8.0, 20.0), thickness_mm=4.0)
    study = convert_nifti(write_volume(tmp_path, AFFINES["RAS"]), tmp_path / "out", settings)
    heights = [plane.to_patient([(plane.rows - 1) / 2, (plane.columns - 1) / 2])[2] for plane in study.axial.planes]
    assert heights == pytest.approx([8.0, 12.0, 16.0, 20.0])
    assert any(abs(plane.position[0] + 11.4) < 1e-6 for plane in study.sagittal.planes)
