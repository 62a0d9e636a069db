import math
from dataclasses import replace

import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, Corner, Landmark, Level, Structure, Vertebra
from node.domain.errors import Declined, Reason
from node.domain.geometry import PixelPoint
from node.domain.measurement import Verdict
from node.domain.prediction import Keypoint
from node.domain.study import SeriesRole
from tools.evaluate.case import Case, Truth
from tools.evaluate.compare import compare, compare_measured, corner_results, declined_result
from tools.evaluate.readings import HEADLINES, Measure, Reading
from tools.evaluate.results import Region, pair_up

SAGITTAL, AXIAL = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2
CORD = Structure.SPINAL_CORD


@pytest.fixture(scope="module")
def result(case, analysis):
    return compare_measured(case, analysis.series_by_role, analysis.measurements)


def test_a_model_that_is_never_wrong_agrees_in_everything(result):
    assert {(one.structure, one.region) for one in result.overlaps} == {(s, r) for s in Structure for r in Region}
    assert {one.dice for one in result.overlaps} == {1.0}
    assert {one.hd95_mm for one in result.overlaps} == {0.0}
    assert max(float(np.abs(one.errors_mm).max()) for one in result.widths) < 0.1
    assert len(result.corners) == len(LANDMARKS)
    assert max(one.error_mm for one in result.corners) < 1e-6
    assert result.chosen_slice_mm == 0


def test_numbers_are_paired_with_the_truth_of_the_shape(result):
    pairs = {one.tested.measure: one for one in result.readings if not one.tested.measure.repeats}
    assert pairs[Measure.MSCC].tested.value == pytest.approx(pairs[Measure.MSCC].reference, abs=2)
    # the truth names no axial slice: its area is measured on the mask of the slice that the model chose
    assert pairs[Measure.TA].reference == pytest.approx(pairs[Measure.TA].tested.value, rel=1e-3)
    assert all(one.is_pair for one in result.readings if one.tested.measure is Measure.SLICE_CR)
    assert {(one.structure, one.tested) for one in result.narrowest} == {(one, Level.C5_C6) for one in Structure}


def test_the_picture_is_a_png(result):
    assert result.picture.startswith(b"\x89PNG")


def test_masks_that_lie_too_low_show_in_distance_and_not_in_the_unknown(case, analysis):
    series = dict(analysis.series_by_role)
    probabilities = {one: np.roll(maps, 4, axis=1) for one, maps in series[AXIAL].masks.probabilities.items()}
    series[AXIAL] = replace(series[AXIAL], masks=replace(series[AXIAL].masks, probabilities=probabilities))
    unknown = np.full_like(case.truth.covers[SAGITTAL, CORD], np.nan)
    unknown[1] = case.truth.covers[SAGITTAL, CORD][1]
    truth = replace(case.truth, covers={**case.truth.covers, (SAGITTAL, CORD): unknown})
    found = compare_measured(replace(case, truth=truth), series, analysis.measurements)
    by_place = {(one.structure, one.region): one for one in found.overlaps}
    moved = by_place[CORD, Region.AXIAL_SLICE]
    assert moved.dice < 0.75
    assert moved.hd95_mm == pytest.approx(4 * series[AXIAL].volume.geometry.spacing.row_mm, rel=0.05)
    assert by_place[CORD, Region.SAGITTAL_VOLUME].slices == 1


def test_corners_know_error_and_nearest_level(case, analysis):
    volume = analysis.series_by_role[SAGITTAL].volume
    found = analysis.measurements.sagittal.keypoints
    shifted = {}
    for landmark in found.by_landmark:
        if landmark.vertebra is not Vertebra.C7:
            below = Landmark(Vertebra(f"C{int(landmark.vertebra[1]) + 1}"), landmark.corner)
            shifted[landmark] = Keypoint(landmark, found.by_landmark[below].point, 0.7)
    corners = {one.landmark: one for one in corner_results(replace(found, by_landmark=shifted), case.truth.landmarks, volume)}
    named = corners[Landmark(Vertebra.C3, Corner.POSTERIOR_SUPERIOR)]
    assert named.nearest is Vertebra.C4
    assert named.error_mm == pytest.approx(20, abs=1e-6)  # a body of 14 mm and a disc of 6 mm
    missed = corners[Landmark(Vertebra.C7, Corner.POSTERIOR_SUPERIOR)]
    assert missed.nearest is None
    assert math.isnan(missed.error_mm)


def test_a_corner_error_is_in_millimetres_of_both_directions(case, analysis):
    volume, found = analysis.series_by_role[SAGITTAL].volume, analysis.measurements.sagittal.keypoints
    landmark = Landmark(Vertebra.C5, Corner.ANTERIOR_SUPERIOR)
    point = found.by_landmark[landmark].point
    off = Keypoint(landmark, PixelPoint(point.row + 3, point.column + 4), 0.9)
    (corner,) = [
        one
        for one in corner_results(replace(found, by_landmark={landmark: off}), case.truth.landmarks, volume)
        if one.nearest is not None
    ]
    assert corner.error_mm == pytest.approx(math.hypot(3 * 0.9, 4 * 0.8))


class Segmenter:
    def __init__(self, masks):
        self._masks = masks

    def segment(self, _volume):
        return self._masks


class AxialLibrary:
    """A library that has seen the axial truth."""

    def __init__(self, masks):
        self.axial_segmenter = Segmenter(masks)


def test_an_axial_series_alone_is_compared_slice_by_slice(case, analysis):
    truth = Truth({(AXIAL, CORD): case.truth.covers[AXIAL, CORD]})
    alone = Case("axial", "person", {AXIAL: case.volumes[AXIAL]}, truth)
    found = compare(alone, AxialLibrary(analysis.series_by_role[AXIAL].masks))
    assert {one.region for one in found.overlaps} == {Region.AXIAL_SLICE, Region.AXIAL_VOLUME}
    areas = [one for one in found.readings if one.tested.measure is Measure.SLICE_TA]
    assert len(areas) > 10
    assert all(one.tested.value == pytest.approx(one.reference, rel=1e-3) for one in areas)
    assert not found.corners


def test_what_only_the_truth_has_is_withheld_and_not_lost():
    known = {(Measure.SLICE_TA, "slice 3"): 60.0, (Measure.MSCC, ""): 10.0}
    pairs = pair_up((Reading(Measure.MSCC, "", 12.0, Verdict.REPORT),), known)
    assert [one.is_pair for one in pairs] == [True, False]
    assert pairs[1].tested.reasons == ("cord_not_found",)


def test_a_declined_case_withholds_the_headline_numbers():
    found = declined_result("one", "person", Declined(Reason.CORD_NOT_FOUND, "no slice shows a cord"))
    assert {one.tested.measure for one in found.readings} >= set(HEADLINES)
    assert {one.tested.verdict for one in found.readings} == {Verdict.WITHHOLD}
    assert found.declined == "cord_not_found: no slice shows a cord"
