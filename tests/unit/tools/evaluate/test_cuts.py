from dataclasses import replace

import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, Vertebra
from node.domain.geometry import PixelPoint
from node.domain.prediction import Keypoint, Keypoints, ModelIdentity
from node.domain.study import SeriesRole
from tests.support.analyses import SPINE
from tools.evaluate.cuts import CUTS_MM, NameVerdict, cut_above_c3, cut_rows, cut_verdicts, name_verdict
from tools.evaluate.results import CornerResult

SAGITTAL = SeriesRole.SAGITTAL_T2


def test_a_cut_keeps_every_pixel_where_it_is_in_the_patient(case):
    cut, whole = cut_above_c3(case, 8.0), case.volumes[SAGITTAL]
    dropped = whole.geometry.shape[1] - cut.geometry.shape[1]
    assert dropped > 0
    middle = case.truth.middle
    np.testing.assert_allclose(cut.planes[middle].to_patient([0, 5]), whole.planes[middle].to_patient([dropped, 5]))
    np.testing.assert_array_equal(cut.voxels, whole.voxels[:, dropped:])
    above_mm = cut.planes[middle].to_pixels(np.array(SPINE.top))[0] * whole.geometry.spacing.row_mm
    assert above_mm == pytest.approx(8.0, abs=whole.geometry.spacing.row_mm)


def test_a_cut_beyond_the_image_is_none(case):
    assert cut_above_c3(case, 500.0) is None


def corners(confidence=0.9, nearest=None):
    return [CornerResult(one, 0.5, nearest or one.vertebra, confidence) for one in LANDMARKS]


def test_verdicts_on_names():
    assert name_verdict(corners()) is NameVerdict.RIGHT
    assert name_verdict(corners(confidence=0.29)) is NameVerdict.DECLINED
    assert name_verdict([*corners()[:-1], CornerResult(LANDMARKS[-1], float("nan"), None, float("nan"))]) is NameVerdict.DECLINED
    assert name_verdict(corners(nearest=Vertebra.C4)) is NameVerdict.WRONG


class TrueDetector:
    """Knows the corners, and is unsure when less than 10 mm of image is left above them."""

    def __init__(self, truth):
        self._truth = truth

    def detect(self, volume, slice_index):
        plane = volume.planes[slice_index]
        points = {one: plane.to_pixels(point) for one, point in self._truth.landmarks.items()}
        sure = 0.9 if min(point[0] for point in points.values()) * plane.spacing.row_mm >= 10 else 0.1
        found = {one: Keypoint(one, PixelPoint(*point), sure) for one, point in points.items()}
        return Keypoints(slice_index, found, ModelIdentity("true", "", ""))


class Library:
    def __init__(self, truth):
        self.keypoint_detector = TrueDetector(truth)


def test_each_cut_that_takes_something_away_gets_a_verdict(case):
    verdicts = cut_verdicts(case, Library(case.truth))
    assert verdicts[None] is NameVerdict.RIGHT
    assert verdicts[8.0] is verdicts[-16.0] is NameVerdict.DECLINED
    rows = {one.above_c3_mm: one for one in cut_rows([verdicts, verdicts])}
    assert list(rows) == [None, *CUTS_MM]
    assert (rows[None].right, rows[8.0].declined, rows[8.0].wrong) == (2, 2, 0)
    assert rows[45.0].right + rows[45.0].declined + rows[45.0].wrong == (2 if 45.0 in verdicts else 0)


def test_a_volume_of_another_case_is_not_changed(case):
    before = case.volumes[SAGITTAL].voxels.copy()
    cut_above_c3(replace(case, name="other"), 0.0)
    np.testing.assert_array_equal(case.volumes[SAGITTAL].voxels, before)
