import math

import numpy as np
import pytest

from tools.evaluate.agreement import (
    IntraclassVariant,
    bland_altman,
    dice,
    hausdorff95_mm,
    intraclass,
    iou,
    mean_of,
    reliability,
    within_limit,
)

# Shrout and Fleiss, Psychological Bulletin 1979;86:420-428, tables 2 and 4: 6 targets, 4 judges.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)


@pytest.mark.parametrize(
    ("variant", "value", "low", "high"),
    [
        (IntraclassVariant.ONE_WAY, 0.17, -0.13, 0.72),
        (IntraclassVariant.ABSOLUTE_AGREEMENT, 0.29, 0.02, 0.76),
        (IntraclassVariant.CONSISTENCY, 0.71, 0.34, 0.95),
    ],
)
def test_the_intraclass_correlation_is_that_of_shrout_and_fleiss(variant, value, low, high):
    found = intraclass(SHROUT_FLEISS, variant)
    assert found.value == pytest.approx(value, abs=0.005)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.011)
    assert (found.variant, found.n) == (variant, 6)


def test_the_p_value_is_that_of_the_f_test_of_the_table():
    # F(5, 15) = 11.03 in table 3 of Shrout and Fleiss
    assert intraclass(SHROUT_FLEISS).p == pytest.approx(0.000135, rel=0.01)


def test_absolute_agreement_sees_a_bias_that_consistency_does_not():
    ratings = np.array([[k, k + 3] for k in range(8)], dtype=float)
    assert intraclass(ratings, IntraclassVariant.CONSISTENCY).value == pytest.approx(1)
    # mean squares 12 of targets, 36 of judges, 0 of the residual: 12 / (12 + 2 * 36 / 8)
    assert intraclass(ratings).value == pytest.approx(12 / 21)


@pytest.mark.parametrize("ratings", [np.zeros((0, 2)), np.array([[1.0, 2], [3, 4]]), np.full((9, 2), 5.0)])
def test_the_intraclass_correlation_of_too_little_is_not_defined(ratings):
    assert math.isnan(intraclass(ratings).value)


def test_overlap_of_two_masks():
    one, other = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    one[0, :], other[0, 2:], other[1, 2:] = True, True, True
    assert dice(one, other) == pytest.approx(2 * 2 / 8)
    assert iou(one, other) == pytest.approx(2 / 6)
    assert dice(one, ~one) == 0
    assert math.isnan(dice(np.zeros(3, bool), np.zeros(3, bool)))


def block(columns, shape=(40, 60)):
    mask = np.zeros(shape, bool)
    mask[10:30, columns] = True
    return mask


@pytest.mark.parametrize(("spacing", "distance"), [((1.0, 1.0), 3.0), ((1.0, 0.5), 1.5), ((0.25, 2.0), 6.0)])
def test_the_surface_distance_is_in_millimetres_along_each_axis(spacing, distance):
    assert hausdorff95_mm(block(slice(10, 20)), block(slice(10, 23)), spacing) == pytest.approx(distance)


def test_the_surface_distance_of_a_volume_knows_the_distance_between_slices():
    one = np.zeros((7, 12, 12), bool)
    one[2:4, 4:8, 4:8] = True
    assert hausdorff95_mm(one, np.roll(one, 1, axis=0), (3.3, 0.6, 0.6)) == pytest.approx(3.3)
    assert hausdorff95_mm(one, one, (3.3, 0.6, 0.6)) == 0


def test_the_95th_percentile_forgives_a_speck_that_the_maximum_does_not():
    one, other = block(slice(10, 20)), block(slice(10, 20))
    other[0, 59] = True
    assert hausdorff95_mm(one, other, (1.0, 1.0)) == 0


def test_there_is_no_surface_where_nobody_knows():
    one, other = block(slice(10, 20)), block(slice(10, 20))
    other[30:38, 10:20] = True
    known = np.zeros_like(one)
    known[:30] = True
    assert hausdorff95_mm(one, other & known, (1.0, 1.0), known) == 0
    assert hausdorff95_mm(one, other, (1.0, 1.0)) > 5
    assert math.isnan(hausdorff95_mm(one, np.zeros_like(one), (1.0, 1.0)))


def test_mean_deviation_and_interval():
    found = mean_of([2, 4, 4, 4, 5, 5, 7, 9, math.nan])
    assert (found.n, found.mean) == (8, 5)
    assert found.sd == pytest.approx(math.sqrt(32 / 7))
    # t(0.975, 7) = 2.3646
    assert found.high - found.mean == pytest.approx(2.3646 * math.sqrt(32 / 7) / math.sqrt(8), rel=1e-4)
    assert mean_of([3.0]).mean == 3
    assert math.isnan(mean_of([3.0]).sd)
    assert mean_of([]).n == 0


def test_bias_and_limits_of_agreement():
    found = bland_altman([11, 19, 33, 41], [10, 20, 30, 40])
    assert found.bias.mean == pytest.approx(1)
    sd = math.sqrt((0 + 4 + 4 + 0) / 3)
    assert (found.lower_limit, found.upper_limit) == pytest.approx((1 - 1.96 * sd, 1 + 1.96 * sd))


def test_a_keypoint_that_was_not_found_is_a_miss():
    assert within_limit([0.5, 2.0, 2.1, math.nan]) == 0.5
    assert math.isnan(within_limit([]))


def test_reliability_of_confidences():
    found = reliability([0.9, 0.9, 0.9, 0.9, 0.2, 1.0], [True, True, True, False, False, True])
    assert found.n == 6
    assert found.brier == pytest.approx((3 * 0.01 + 0.81 + 0.04 + 0) / 6)
    # bins 0.2-0.3: 0.2 sure, 0 right; 0.9-1.0: 0.92 sure, 0.8 right
    assert found.expected_calibration_error == pytest.approx((1 * 0.2 + 5 * 0.12) / 6)
    assert [(one.n, one.right) for one in found.bins] == [(1, 0.0), (5, 0.8)]
    assert reliability([], []).n == 0
