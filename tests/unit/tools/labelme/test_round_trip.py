"""What is exported is read back: masks, corners, geometry, pixels."""

import json
from dataclasses import replace

import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, Structure
from node.domain.errors import PermanentError, Reason
from node.domain.study import SeriesRole
from tests.support.analyses import Scene, synthetic_analysis
from tests.support.analytic_shapes import keypoints_of
from tools.labelme import annotation_paths, read_annotation
from tools.labelme.export import write_slices
from tools.labelme.picture import from_grey, read_png
from tools.labelme.reading import inspect_file
from tools.phantom.series import Encoding, Subject


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def sources_of(analysis):
    """Series and slice index by SOP instance and frame."""
    return {
        (source.instance.sop_instance_uid, source.frame_number): (series, index)
        for series in analysis.series_by_role.values()
        for index, source in enumerate(series.volume.sources)
    }


@pytest.fixture(scope="module")
def read(analysis, pristine):
    """Each annotation with the series and the index of its slice."""
    sources = sources_of(analysis)
    annotations = [read_annotation(path) for path in annotation_paths(pristine.folder)]
    return [(one, *sources[one.geometry.sop_instance_uid, one.geometry.frame_number]) for one in annotations]


def test_every_slice_that_shows_cord_is_there_and_sound(analysis, pristine, read):
    expected = sum(
        int(one.masks.binary(Structure.SPINAL_CORD).any(axis=(1, 2)).sum()) for one in analysis.series_by_role.values()
    )
    assert len(read) == expected
    assert [problem for path in annotation_paths(pristine.folder) for problem in inspect_file(path)[1]] == []


@pytest.mark.parametrize("structure", list(Structure))
def test_masks_come_back(read, structure):
    compared = [(one.masks[structure] >= 0.5, series.masks.binary(structure)[index]) for one, series, index in read]
    assert min(dice(*pair) for pair in compared) > 0.98
    areas = [
        (one.masks[structure].sum(), series.masks.probabilities[structure][index].sum(dtype=float)) for one, series, index in read
    ]
    for drawn, true in areas:
        assert drawn == pytest.approx(true, rel=0.02)


def test_corners_come_back_on_the_decisive_slice_only(analysis, read):
    keypoints = analysis.measurements.sagittal.keypoints
    (marked,) = [(one, index) for one, _, index in read if one.landmarks]
    annotation, index = marked
    assert index == keypoints.slice_index
    errors = [np.subtract(annotation.landmarks[one], keypoints.by_landmark[one].point) for one in LANDMARKS]
    assert np.abs(errors).max() < 0.05


def test_geometry_comes_back_to_the_last_digit(analysis, read):
    for one, series, index in read:
        plane, true = one.geometry.plane, series.volume.planes[index]
        np.testing.assert_array_equal(plane.to_patient([[0, 0], [7, 9]]), true.to_patient([[0, 0], [7, 9]]))
        assert (plane.rows, plane.columns) == (true.rows, true.columns)
        assert one.spacing == true.spacing
        assert analysis.series_by_role[one.geometry.role] is series
        assert one.geometry.series_instance_uid == series.volume.series_instance_uid
        assert one.geometry.frame_of_reference_uid == series.volume.frame_of_reference_uid


def test_pixels_come_back_as_fine_as_8_bits_show_them(read):
    for one, series, index in read:
        low, high = one.geometry.window
        shown = np.clip(series.volume.voxels[index], low, high)
        pixels = from_grey(read_png(one.picture_path), one.geometry.window)
        np.testing.assert_allclose(pixels, shown, atol=(high - low) / 255 * 1.01)


def test_files_are_what_labelme_5_reads(pristine):
    document = json.loads(pristine.sagittal.read_text(encoding="utf-8"))
    assert list(document) == ["version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"]
    assert document["imageData"] is None
    assert (pristine.folder / document["imagePath"]).is_file()
    assert {shape["shape_type"] for shape in document["shapes"]} == {"polygon", "point"}
    assert [shape["label"] for shape in document["shapes"]] == ["cord", "canal", *map(str, range(1, 21))]
    assert {tuple(shape) for shape in document["shapes"]} == {
        ("label", "points", "group_id", "description", "shape_type", "flags", "mask")
    }


def test_a_person_moves_few_points(read, pristine):
    counts = [len(shape["points"]) for shape in json.loads(pristine.axial.read_text(encoding="utf-8"))["shapes"]]
    assert max(counts) < 60


def test_one_slice_is_enough_if_no_more_are_asked_for(analysis, tmp_path):
    (path,) = write_slices(analysis.series_by_role, analysis.measurements.sagittal.keypoints, tmp_path / "one", all_slices=False)
    assert len(read_annotation(path).landmarks) == len(LANDMARKS)


def test_a_study_without_axial_series_and_an_enhanced_one_are_exported(tmp_path):
    scene = Scene(axial=None, encoding=Encoding(enhanced=True), subject=Subject("labelme", patient_name="SENTINEL^NAME"))
    analysis = synthetic_analysis(tmp_path / "study", scene)
    paths = write_slices(analysis.series_by_role, analysis.measurements.sagittal.keypoints, tmp_path / "out", all_slices=True)
    assert sorted(read_annotation(path).geometry.frame_number for path in paths) == [1, 2, 3]
    assert len({path.name for path in paths}) == 3
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert b"SENTINEL" not in written


def test_names_hold_no_uid(analysis, pristine):
    uids = {source.instance.sop_instance_uid for series in analysis.series_by_role.values() for source in series.volume.sources}
    names = [path.name for path in pristine.folder.iterdir()]
    assert not [name for name in names for uid in uids if uid in name]


def test_a_structure_that_was_not_found_is_absent(tmp_path):
    analysis = synthetic_analysis(tmp_path / "study", Scene(empty=[(SeriesRole.SAGITTAL_T2, Structure.SPINAL_CANAL)]))
    (path,) = write_slices(analysis.series_by_role, analysis.measurements.sagittal.keypoints, tmp_path / "out", all_slices=False)
    assert set(read_annotation(path).masks) == {Structure.SPINAL_CORD}


def test_corrections_are_not_written_over(analysis, exported):
    with pytest.raises(PermanentError) as refused:
        write_slices(analysis.series_by_role, analysis.measurements.sagittal.keypoints, exported.folder, all_slices=True)
    assert refused.value.reason is Reason.OUTPUT_FOLDER_IN_USE


def test_corners_beside_the_picture_are_moved_onto_it(analysis, tmp_path):
    keypoints = analysis.measurements.sagittal.keypoints
    plane = analysis.series_by_role[SeriesRole.SAGITTAL_T2].volume.planes[keypoints.slice_index]
    first = LANDMARKS[0]
    outside = keypoints_of({first: plane.to_patient([-4.0, 5.0])}, plane, keypoints.slice_index).by_landmark[first]
    moved = replace(keypoints, by_landmark={**keypoints.by_landmark, first: outside})
    (path,) = write_slices(analysis.series_by_role, moved, tmp_path / "out", all_slices=False)
    _, problems = inspect_file(path)
    assert "outside the picture" not in {problem.rule for problem in problems}
