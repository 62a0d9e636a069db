"""Corrected files as training slices: upright, on the canonical grid, one person to a folder."""

import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS
from node.domain.study import SeriesRole
from tests.support.analyses import SAGITTAL, Scene, synthetic_analysis
from tools.labelme import read_annotation
from tools.labelme.export import write_slices
from tools.phantom.stack import StackGeometry
from tools.training.annotated import annotated_samples
from tools.training.pool import AXIAL_MM, CENTRES, SAGITTAL_MM

FLIPPED = StackGeometry(3, 3.3, 3.0, (0.9, 0.8), 144, 100, flip_rows=True, flip_columns=True)


def marked(samples):
    (one,) = [sample for sample in samples if np.isfinite(sample.points).any()]
    return one


def test_sagittal_slices_have_masks_and_one_has_corners(exported):
    samples = annotated_samples(exported.folder.parent, SeriesRole.SAGITTAL_T2)
    assert {sample.subject for sample in samples} == {"person"}
    annotation, sample = read_annotation(exported.sagittal), marked(samples)
    row_mm, column_mm = annotation.spacing
    assert sample.pixels.shape == (int(143 * row_mm / SAGITTAL_MM) + 1, int(99 * column_mm / SAGITTAL_MM) + 1)
    for cover, drawn in zip((sample.cord, sample.canal), annotation.masks.values(), strict=True):
        assert cover.sum() * SAGITTAL_MM**2 == pytest.approx(drawn.sum() * row_mm * column_mm, rel=0.01)
    assert sample.cord_known.all()
    assert sample.canal_known.all()
    expected = np.array([annotation.landmarks[one] for one in LANDMARKS]) * annotation.spacing / SAGITTAL_MM
    np.testing.assert_allclose(sample.points[:20], expected, atol=0.01)


def test_only_the_bodies_with_corners_have_a_centre(exported):
    points = marked(annotated_samples(exported.folder.parent, SeriesRole.SAGITTAL_T2)).points
    known = {name for name, centre in zip(CENTRES, points[20:], strict=True) if np.isfinite(centre).all()}
    assert known == {"C3", "C4", "C5", "C6", "C7"}


def test_axial_slices_lie_on_their_own_grid(exported):
    samples = annotated_samples(exported.folder.parent, SeriesRole.AXIAL_T2)
    assert len(samples) > 10
    annotation = read_annotation(exported.axial)
    drawn_mm2 = sum(cover.sum() for cover in annotation.masks.values()) * annotation.spacing.row_mm * annotation.spacing.column_mm
    sums_mm2 = [(one.cord.sum() + one.canal.sum()) * AXIAL_MM**2 for one in samples]
    assert min(abs(one / drawn_mm2 - 1) for one in sums_mm2) < 0.01
    assert all(one.points.shape == (0, 2) for one in samples)


def test_slices_that_are_stored_the_other_way_round_come_out_upright(tmp_path):
    found = []
    for name, stack in (("plain", SAGITTAL), ("flipped", FLIPPED)):
        analysis = synthetic_analysis(tmp_path / name / "study", Scene(sagittal=stack, axial=None))
        folder = tmp_path / name / "out" / "person"
        write_slices(analysis.series_by_role, analysis.measurements.sagittal.keypoints, folder, all_slices=False)
        found += annotated_samples(folder.parent, SeriesRole.SAGITTAL_T2)
    plain, flipped = found
    assert flipped.pixels.shape == plain.pixels.shape
    np.testing.assert_allclose(np.diff(flipped.points[:20], axis=0), np.diff(plain.points[:20], axis=0), atol=0.01)
    for sample in found:
        _, columns = np.nonzero(sample.cord > 0.5)
        assert columns.mean() > sample.points[:20, 1].mean(), "the cord lies behind the bodies"
        assert sample.points[0, 0] < sample.points[16, 0], "C3 lies above C7"


def test_a_slice_with_a_missing_corner_trains_masks_only(exported):
    exported.change(exported.sagittal, lambda document: document["shapes"].pop())
    samples = annotated_samples(exported.folder.parent, SeriesRole.SAGITTAL_T2)
    assert not [one for one in samples if np.isfinite(one.points).any()]
    assert all(one.cord.any() for one in samples)


def test_a_structure_without_a_polygon_is_unknown(exported):
    exported.change(exported.axial, lambda document: document["shapes"].pop())
    unknown = [one for one in annotated_samples(exported.folder.parent, SeriesRole.AXIAL_T2) if not one.canal_known.any()]
    assert len(unknown) == 1
    assert unknown[0].cord_known.all()


def test_a_file_in_no_persons_folder_is_refused(exported):
    with pytest.raises(ValueError, match="named after its person"):
        annotated_samples(exported.folder, SeriesRole.AXIAL_T2)
