"""Each rule of the gate, broken on purpose by one change to a sound study."""

from dataclasses import replace

import numpy as np
import pytest

from node.config import MeasurementConfig
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import Corner, Landmark, Level, Structure, Vertebra
from node.domain.errors import Declined, Reason
from node.domain.geometry import PixelPoint
from node.domain.measurement import Measurement, Measurements, ReferenceMethod, StudyStatus, Verdict
from node.domain.prediction import Keypoint, Keypoints, Masks
from node.domain.study import SeriesRole
from node.measurement import cervical_slice, decisive_slice, measure_study
from tests.support.analytic_shapes import MODEL, StraightSpine, keypoints_of, masks_of, stored_plane, volume_of

CONFIG = MeasurementConfig()
CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL
SPINE = StraightSpine()
MIDDLE = np.array(SPINE.top) + SPINE.length_mm / 2 * SPINE.down
C4_PS = Landmark(Vertebra.C4, Corner.POSTERIOR_SUPERIOR)
C5_PI = Landmark(Vertebra.C5, Corner.POSTERIOR_INFERIOR)

SAGITTAL = volume_of([stored_plane(MIDDLE, (0, 1, 0), (0, 0, -1), (0.8, 0.8), (160, 110))])
SAGITTAL_MASKS = masks_of(SAGITTAL, SPINE.in_cord, SPINE.in_canal)
KEYPOINTS = keypoints_of(SPINE.landmarks(), SAGITTAL.planes[0])


EVERY_4_MM = tuple(range(-48, 49, 4))


def axial_volume(offsets_mm=EVERY_4_MM, size=(70, 70), frame="1.2.3"):
    planes = [stored_plane(MIDDLE + z * np.array([0, 0, 1.0]), (1, 0, 0), (0, 1, 0), (0.8, 0.8), size) for z in offsets_mm]
    return volume_of(planes, frame)


def measure(keypoints=KEYPOINTS, masks=SAGITTAL_MASKS, sagittal=SAGITTAL, axial=None, axial_masks=None) -> Measurements:
    series = {SeriesRole.SAGITTAL_T2: SegmentedSeries(sagittal, masks)}
    if axial is not None:
        series[SeriesRole.AXIAL_T2] = SegmentedSeries(axial, axial_masks or masks_of(axial, SPINE.in_cord, SPINE.in_canal))
    return measure_study(series, keypoints, CONFIG)


def changed(landmark: Landmark, **change) -> Keypoints:
    return Keypoints(0, {**KEYPOINTS.by_landmark, landmark: replace(KEYPOINTS.by_landmark[landmark], **change)}, MODEL)


def without(*landmarks: Landmark) -> Keypoints:
    return Keypoints(0, {mark: point for mark, point in KEYPOINTS.by_landmark.items() if mark not in landmarks}, MODEL)


def edited(structure: Structure, edit) -> Masks:
    maps = {name: array.copy() for name, array in SAGITTAL_MASKS.probabilities.items()}
    edit(maps[structure])
    return Masks(maps, MODEL)


def codes(measurement: Measurement) -> set[Reason]:
    return {finding.code for finding in measurement.findings}


def withheld(measurement: Measurement, reason: Reason) -> bool:
    return measurement.verdict is Verdict.WITHHOLD and measurement.value is None and reason in codes(measurement)


def row_of(along_mm: float) -> int:
    return round(float(SAGITTAL.planes[0].to_pixels(np.array(SPINE.top) + along_mm * SPINE.down)[0]))


def test_a_sound_study_is_reported_without_reasons():
    sagittal = measure().sagittal
    for structure in Structure:
        ratio = sagittal.ratio(structure).ratio
        assert (ratio.verdict, ratio.findings) == (Verdict.REPORT, ())
    assert [one.level for one in sagittal.levels] == list(Level)


@pytest.mark.parametrize("vertebra", list(Vertebra))
def test_a_missing_vertebra_withholds_both_ratios(vertebra):
    gone = [Landmark(vertebra, corner) for corner in Corner]
    sagittal = measure(without(*gone)).sagittal
    for (_, _), ratio in sagittal.ratios.items():
        assert withheld(ratio.ratio, Reason.LEVEL_MISSING)
    assert Level(vertebra.value) not in [one.level for one in sagittal.levels]


def test_low_confidence_of_a_posterior_corner_withholds_and_middling_confidence_flags():
    low = measure(changed(C4_PS, confidence=0.1)).sagittal.ratio(CORD).ratio
    assert withheld(low, Reason.KEYPOINT_CONFIDENCE_LOW)
    # C5's lower corner bounds C5/C6, where the cord is narrowest.
    middling = measure(changed(C5_PI, confidence=0.6)).sagittal.ratio(CORD).ratio
    assert middling.verdict is Verdict.FLAG
    assert Reason.KEYPOINT_CONFIDENCE_LOW in codes(middling)


def test_corners_upside_down_are_withheld():
    upper, lower = Landmark(Vertebra.C5, Corner.POSTERIOR_SUPERIOR), Landmark(Vertebra.C5, Corner.POSTERIOR_INFERIOR)
    swapped = {
        **KEYPOINTS.by_landmark,
        upper: Keypoint(upper, KEYPOINTS.by_landmark[lower].point, 0.9),
        lower: Keypoint(lower, KEYPOINTS.by_landmark[upper].point, 0.9),
    }
    assert withheld(measure(Keypoints(0, swapped, MODEL)).sagittal.ratio(CORD).ratio, Reason.CORNERS_OUT_OF_ORDER)


def test_two_vertebrae_on_the_same_body_are_withheld():
    doubled = dict(KEYPOINTS.by_landmark)
    for corner in Corner:
        mark = Landmark(Vertebra.C6, corner)
        doubled[mark] = Keypoint(mark, KEYPOINTS.by_landmark[Landmark(Vertebra.C5, corner)].point, 0.9)
    assert withheld(measure(Keypoints(0, doubled, MODEL)).sagittal.ratio(CORD).ratio, Reason.CORNERS_OUT_OF_ORDER)


def test_a_skipped_vertebra_is_withheld():
    shifted = dict(KEYPOINTS.by_landmark)
    for vertebra in (Vertebra.C6, Vertebra.C7):
        for corner in Corner:
            mark = Landmark(vertebra, corner)
            point = KEYPOINTS.by_landmark[mark].point
            shifted[mark] = Keypoint(mark, PixelPoint(point.row + 20 / 0.8, point.column), 0.9)
    assert withheld(measure(Keypoints(0, shifted, MODEL)).sagittal.ratio(CORD).ratio, Reason.CORNERS_OUT_OF_ORDER)


def test_a_vertebra_of_impossible_size_is_withheld():
    point = KEYPOINTS.by_landmark[Landmark(Vertebra.C3, Corner.ANTERIOR_SUPERIOR)].point
    far = changed(Landmark(Vertebra.C3, Corner.ANTERIOR_SUPERIOR), point=PixelPoint(point.row, point.column - 25))
    assert withheld(measure(far).sagittal.ratio(CORD).ratio, Reason.VERTEBRA_SIZE_IMPLAUSIBLE)


def test_a_cord_outside_the_canal_is_withheld():
    def narrow(canal):
        canal[0, row_of(38) : row_of(44)] = np.where(
            np.arange(canal.shape[2]) < np.flatnonzero(canal[0, row_of(41)] > 0.5)[7], 0, canal[0, row_of(38) : row_of(44)]
        )

    ratio = measure(masks=edited(CANAL, narrow)).sagittal.ratio(CORD).ratio
    assert withheld(ratio, Reason.CORD_OUTSIDE_CANAL)


def test_an_interrupted_cord_is_withheld():
    def cut(cord):
        cord[0, row_of(50) : row_of(54)] = 0

    sagittal = measure(masks=edited(CORD, cut)).sagittal
    assert withheld(sagittal.ratio(CORD).ratio, Reason.LEVEL_MISSING)
    assert sagittal.ratio(CANAL).ratio.value is not None


def test_a_level_that_shows_only_a_part_of_the_cord_has_no_diameter():
    """The rest of the level could be the thick part; doubts about its corners are no reason to stumble."""

    def cut(cord):
        cord[0, row_of(63) : row_of(80)] = 0  # a part of C6, the whole of C6/C7

    sagittal = measure(changed(Landmark(Vertebra.C7, Corner.POSTERIOR_SUPERIOR), confidence=0.6), edited(CORD, cut)).sagittal
    by_level = {one.level: one for one in sagittal.levels}
    for level in (Level.C6, Level.C6_C7):
        assert withheld(by_level[level].cord_ap, Reason.LEVEL_MISSING)
    assert by_level[Level.C6_C7].canal_ap.value is not None
    assert by_level[Level.C5].cord_ap.value is not None


def test_a_second_large_piece_of_cord_is_flagged():
    def add(cord):
        cord[0, 20:40, 2:10] = 1

    ratio = measure(masks=edited(CORD, add)).sagittal.ratio(CORD).ratio
    assert ratio.verdict is Verdict.FLAG
    assert Reason.CORD_MULTIPLE_COMPONENTS in codes(ratio)


def test_a_level_of_uncertain_mask_is_flagged():
    def doubt(cord):
        rows = slice(row_of(53), row_of(61))  # C5/C6, the narrowest
        cord[0, rows] = np.minimum(cord[0, rows], 0.7)

    ratio = measure(masks=edited(CORD, doubt)).sagittal.ratio(CORD).ratio
    assert ratio.verdict is Verdict.FLAG
    assert Reason.MASK_CONFIDENCE_LOW in codes(ratio)


@pytest.mark.parametrize(("cap", "verdict"), [(0.95, Verdict.REPORT), (0.88, Verdict.FLAG), (0.8, Verdict.WITHHOLD)])
def test_a_mask_that_promises_a_small_dice_is_doubted_in_both_planes(cap, verdict):
    """Capped at 0.95, a mask promises a Dice of 2 x 0.95 / 1.95 = 0.97, at 0.88 one of 0.94, at 0.8 one of 0.89."""

    def doubt(cord):
        np.minimum(cord, cap, out=cord)

    assert measure(masks=edited(CORD, doubt)).sagittal.ratio(CORD).ratio.verdict is verdict
    axial = axial_volume()
    maps = {name: array.copy() for name, array in masks_of(axial, SPINE.in_cord, SPINE.in_canal).probabilities.items()}
    doubt(maps[CORD])
    decisive = measure(axial=axial, axial_masks=Masks(maps, MODEL)).axial.decisive
    assert decisive.compression_ratio.verdict is verdict
    for one in (decisive.area, decisive.ap, decisive.compression_ratio):
        assert (Reason.MASK_CONFIDENCE_LOW in codes(one)) is (verdict is not Verdict.REPORT)
    assert decisive.canal_area.verdict is Verdict.REPORT


def test_a_study_without_a_sound_corner_is_withheld_not_broken():
    measured = measure(Keypoints(0, {}, MODEL))
    for structure in Structure:
        assert withheld(measured.sagittal.ratio(structure).ratio, Reason.LEVEL_MISSING)


def test_a_mask_at_the_image_edge_is_withheld():
    wide = replace(SPINE, canal_mm=60.0)
    volume = volume_of([stored_plane(MIDDLE, (0, 1, 0), (0, 0, -1), (0.8, 0.8), (160, 60))])
    masks = masks_of(volume, SPINE.in_cord, wide.in_canal)
    ratio = measure(keypoints_of(SPINE.landmarks(), volume.planes[0]), masks, volume).sagittal.ratio(CANAL).ratio
    assert withheld(ratio, Reason.MASK_TOUCHES_BORDER)


@pytest.mark.parametrize(("canal_mm", "reason"), [(35.0, Reason.VALUE_IMPOSSIBLE)])
def test_a_value_beyond_physical_limits_is_withheld(canal_mm, reason):
    masks = masks_of(SAGITTAL, SPINE.in_cord, replace(SPINE, canal_mm=canal_mm).in_canal)
    assert withheld(measure(masks=masks).sagittal.levels[0].canal_ap, reason)


def test_reference_diameters_outside_the_healthy_range_flag_the_ratio_and_the_narrow_level_does_not():
    thin = replace(SPINE, cord_mm=5.0, taper_mm=0.2, bulge_mm=0.5)
    ratio = measure(masks=masks_of(SAGITTAL, thin.in_cord, thin.in_canal)).sagittal.ratio(CORD).ratio
    assert ratio.verdict is Verdict.FLAG
    assert Reason.VALUE_OUTSIDE_HEALTHY_RANGE in codes(ratio)
    compressed = replace(SPINE, bulge_mm=4.0)
    ratio = measure(masks=masks_of(SAGITTAL, compressed.in_cord, compressed.in_canal)).sagittal.ratio(CORD)
    assert Reason.VALUE_OUTSIDE_HEALTHY_RANGE in codes(ratio.at_level)
    assert ratio.ratio.verdict is Verdict.REPORT


def test_the_adjacent_method_at_the_end_of_the_spine_has_no_reference():
    at_c3 = replace(SPINE, bulge_at_mm=7.0)
    masks = masks_of(SAGITTAL, at_c3.in_cord, at_c3.in_canal)
    ratio = measure(masks=masks).sagittal.ratio(CORD, ReferenceMethod.ADJACENT).ratio
    assert withheld(ratio, Reason.REFERENCE_MISSING)


def test_no_axial_series_withholds_the_study_partly():
    measured = measure()
    assert measured.status is StudyStatus.PARTIAL
    assert Reason.NO_AXIAL_T2 in {finding.code for finding in measured.findings}


def test_axial_slices_far_from_the_narrowest_level_give_no_decisive_slice():
    axial = axial_volume(offsets_mm=(30.0, 34.0, 38.0))
    measured = measure(axial=axial)
    assert measured.axial.decisive is None
    assert Reason.NO_AXIAL_AT_LEVEL in {finding.code for finding in measured.axial.findings}


def test_another_frame_of_reference_gives_no_decisive_slice():
    measured = measure(axial=axial_volume(frame="9.9"))
    assert measured.axial.decisive is None
    assert Reason.FRAME_OF_REFERENCE_DIFFERS in {finding.code for finding in measured.findings}


@pytest.mark.parametrize(("cord_mm", "verdict"), [(5.0, Verdict.FLAG), (4.4, Verdict.WITHHOLD)])
def test_planes_that_disagree_flag_area_and_ratio_and_planes_that_contradict_each_other_withhold_them(cord_mm, verdict):
    axial = axial_volume()
    thin = replace(SPINE, cord_mm=cord_mm, taper_mm=0)
    decisive = measure(axial=axial, axial_masks=masks_of(axial, thin.in_cord, SPINE.in_canal)).axial.decisive
    for measurement in (decisive.area, decisive.compression_ratio):
        assert Reason.PLANES_DISAGREE in codes(measurement)
        assert measurement.verdict is verdict


def test_planes_that_disagree_flag_every_mscc_and_no_mcc_for_the_sagittal_mask_may_be_the_wrong_one():
    axial = axial_volume()
    thin = replace(SPINE, cord_mm=4.4, taper_mm=0)
    sagittal = measure(axial=axial, axial_masks=masks_of(axial, thin.in_cord, SPINE.in_canal)).sagittal
    for (structure, _), ratio in sagittal.ratios.items():
        assert (Reason.PLANES_DISAGREE in codes(ratio.ratio)) is (structure is CORD)
        assert ratio.ratio.verdict is (Verdict.FLAG if structure is CORD else Verdict.REPORT)


@pytest.mark.parametrize(("bulge_mm", "is_flagged"), [(2.4, False), (1.6, True)])
def test_mscc_of_two_planes_that_differ_flag_it_though_no_diameter_differs_enough(bulge_mm, is_flagged):
    axial = axial_volume()
    blunt = replace(SPINE, bulge_mm=bulge_mm)
    measured = measure(axial=axial, axial_masks=masks_of(axial, blunt.in_cord, SPINE.in_canal))
    assert Reason.PLANES_DISAGREE not in codes(measured.axial.decisive.area)
    ratios = {structure: measured.sagittal.ratio(structure).ratio for structure in Structure}
    assert (Reason.PLANES_DISAGREE in codes(ratios[CORD])) is is_flagged
    assert ratios[CORD].verdict is (Verdict.FLAG if is_flagged else Verdict.REPORT)
    assert ratios[CANAL].verdict is Verdict.REPORT
    assert (Reason.PLANES_DISAGREE in {finding.code for finding in measured.findings}) is is_flagged


def edited_axial(axial, edit) -> Masks:
    maps = {name: array.copy() for name, array in masks_of(axial, SPINE.in_cord, SPINE.in_canal).probabilities.items()}
    edit(maps)
    return Masks(maps, MODEL)


def test_a_slice_that_is_withheld_where_it_is_decisive_is_withheld_among_the_slices_too():
    axial = axial_volume()
    thin = replace(SPINE, cord_mm=4.4, taper_mm=0)
    measured = measure(axial=axial, axial_masks=masks_of(axial, thin.in_cord, SPINE.in_canal)).axial
    (same,) = [one for one in measured.slices if one.slice_index == measured.decisive.slice_index]
    for one in (same.area, same.area_along_cord, same.ap, same.transverse, same.compression_ratio):
        assert withheld(one, Reason.PLANES_DISAGREE)
        assert one.evidence == ()


def test_no_neighbour_stands_in_for_the_slice_at_the_level_that_shows_no_cord():
    axial = axial_volume()
    nearest = measure(axial=axial).axial.decisive.slice_index
    measured = measure(axial=axial, axial_masks=edited_axial(axial, lambda maps: maps[CORD][nearest].fill(0))).axial
    assert measured.decisive is None
    assert Reason.CORD_NOT_FOUND in {finding.code for finding in measured.findings}


@pytest.mark.parametrize(("pixels", "verdict"), [(5, Verdict.REPORT), (6, Verdict.FLAG), (7, Verdict.WITHHOLD)])
def test_an_axial_cord_beside_its_canal_is_doubted_by_how_far_it_leaves_it(pixels, verdict):
    """The canal is 4 mm wider on either side: moved by 4.0 mm the cord reaches its border, by 5.6 mm it leaves it by 1.6 mm."""
    axial = axial_volume()

    def shift(maps):
        maps[CORD][:] = np.roll(maps[CORD], pixels, axis=2)

    one = measure(axial=axial, axial_masks=edited_axial(axial, shift)).axial.slices[3]
    for area in (one.area, one.area_along_cord):
        assert area.verdict is verdict
        assert (Reason.CORD_OUTSIDE_CANAL in codes(area)) is (verdict is not Verdict.REPORT)


@pytest.mark.parametrize(("leak_mm", "verdict"), [(2, Verdict.REPORT), (4, Verdict.FLAG), (6, Verdict.WITHHOLD)])
def test_a_canal_that_begins_in_a_vertebral_body_is_doubted(leak_mm, verdict):
    """The canal begins 1 mm behind the wall, so a leak of 4 mm begins 3 mm in front of it."""

    def leak(canal):
        body, pixels = slice(row_of(1), row_of(13)), round(leak_mm / 0.8)
        canal[0, body] = np.maximum.reduce([np.roll(canal[0, body], -shift, axis=1) for shift in range(pixels + 1)])

    measured = measure(masks=edited(CANAL, leak)).sagittal
    assert measured.levels[0].canal_ap.verdict is verdict
    assert (Reason.VALUE_IMPOSSIBLE in codes(measured.ratio(CANAL).ratio)) is (verdict is not Verdict.REPORT)
    assert measured.ratio(CORD).ratio.verdict is Verdict.REPORT


@pytest.mark.parametrize("change", [{"confidence": np.nan}, {"point": PixelPoint(np.nan, 1.0)}], ids=list)
def test_a_corner_that_is_no_number_counts_as_not_found(change):
    sagittal = measure(changed(C4_PS, **change)).sagittal
    assert withheld(sagittal.ratio(CORD).ratio, Reason.LEVEL_MISSING)
    assert C4_PS not in sagittal.keypoints.by_landmark


def test_series_without_a_frame_of_reference_are_taken_together_and_flagged():
    axial = axial_volume(frame="")
    area = measure(sagittal=volume_of(list(SAGITTAL.planes), ""), axial=axial).axial.decisive.area
    assert area.verdict is Verdict.FLAG
    assert Reason.FRAME_OF_REFERENCE_DIFFERS in codes(area)


def test_an_axial_cord_in_pieces_is_withheld():
    axial = axial_volume()
    whole = masks_of(axial, SPINE.in_cord, SPINE.in_canal).probabilities
    cord = whole[CORD].copy()
    cord[:, :, axial.geometry.shape[2] // 2] = 0
    measured = measure(axial=axial, axial_masks=Masks({CORD: cord, CANAL: whole[CANAL]}, MODEL))
    assert withheld(measured.axial.slices[3].area, Reason.CORD_MULTIPLE_COMPONENTS)


@pytest.mark.parametrize("structure", Structure)
def test_probabilities_that_are_no_numbers_leave_as_none(structure):
    axial = axial_volume()
    maps = {name: array.copy() for name, array in masks_of(axial, SPINE.in_cord, SPINE.in_canal).probabilities.items()}
    rows, columns = axial.geometry.shape[1:]
    maps[structure][:, rows // 2 - 1 : rows // 2 + 1, : columns // 2] = np.nan
    one = measure(axial=axial, axial_masks=Masks(maps, MODEL)).axial.slices[len(EVERY_4_MM) // 2]
    for measurement in (one.area, one.ap, one.compression_ratio) if structure is CORD else (one.canal_area, one.canal_ap):
        assert withheld(measurement, Reason.MASK_CONFIDENCE_LOW)


def test_a_sagittal_probability_that_is_no_number_withholds_the_ratio():
    def spoil(cord):
        cord[0, row_of(30), 0] = np.nan

    sagittal = measure(masks=edited(CORD, spoil)).sagittal
    assert withheld(sagittal.ratio(CORD).ratio, Reason.MASK_CONFIDENCE_LOW)
    assert sagittal.ratio(CANAL).ratio.verdict is Verdict.REPORT


def test_an_axial_ratio_with_an_impossible_diameter_is_withheld():
    wide = StraightSpine(cord_mm=15.0, taper_mm=0, bulge_mm=0, canal_mm=22.0)
    axial = axial_volume(size=(120, 120))
    for one in measure(axial=axial, axial_masks=masks_of(axial, wide.in_cord, wide.in_canal)).axial.slices:
        assert withheld(one.ap, Reason.VALUE_IMPOSSIBLE)
        assert withheld(one.compression_ratio, Reason.VALUE_IMPOSSIBLE)
        assert one.transverse.value is not None


def test_an_axial_cord_at_the_image_edge_is_withheld():
    axial = axial_volume(size=(70, 15))
    measured = measure(axial=axial)
    assert withheld(measured.axial.slices[0].area, Reason.MASK_TOUCHES_BORDER)


def test_a_tilted_axial_slice_is_flagged():
    normal, down = np.array([0, np.sin(0.6), np.cos(0.6)]), np.array([0, np.cos(0.6), -np.sin(0.6)])
    axial = volume_of([stored_plane(MIDDLE + z * normal, (1, 0, 0), down, (0.8, 0.8), (90, 90)) for z in np.arange(-20.0, 21, 4)])
    assert Reason.AXIAL_OBLIQUE in codes(measure(axial=axial).axial.decisive.area)
    # Where the cord is straight, the area along it is smaller by the cosine of the tilt.
    plain = replace(SPINE, bulge_mm=0.0)
    one = measure(axial=axial, axial_masks=masks_of(axial, plain.in_cord, plain.in_canal)).axial.slices[5]
    assert one.area_along_cord.value == pytest.approx(one.area.value * np.cos(0.6), rel=0.01)


def test_a_turned_cord_is_flagged():
    axial = axial_volume()
    turned = volume_of([replace_orientation(plane, 0.7) for plane in axial.planes])
    masks = Masks(masks_of(axial, SPINE.in_cord, SPINE.in_canal).probabilities, MODEL)
    measured = measure(axial=turned, axial_masks=masks)
    assert Reason.CORD_ROTATED in codes(measured.axial.slices[3].area)


def replace_orientation(plane, angle):
    across = np.array([np.cos(angle), np.sin(angle), 0])
    down = np.array([-np.sin(angle), np.cos(angle), 0])
    centre = plane.to_patient([(plane.rows - 1) / 2, (plane.columns - 1) / 2])
    return stored_plane(centre, across, down, tuple(plane.spacing), (plane.rows, plane.columns))


def test_a_study_without_a_cord_is_declined():
    empty = edited(CORD, lambda cord: cord.fill(0))
    with pytest.raises(Declined) as declined:
        decisive_slice(SAGITTAL, empty)
    assert declined.value.reason is Reason.CORD_NOT_FOUND


def test_the_slice_with_the_most_cord_is_decisive():
    volume = volume_of(
        [stored_plane(MIDDLE + np.array([x, 0, 0]), (0, 1, 0), (0, 0, -1), (0.8, 0.8), (160, 110)) for x in (-9.0, 0.5, 9.5)]
    )
    assert decisive_slice(volume, masks_of(volume, SPINE.in_cord, SPINE.in_canal)) == 1


def test_cord_above_and_below_the_corners_does_not_choose_the_slice():
    """Two slices: one with more cord in all, one with more cord beside C3 to C7."""
    volume = volume_of(
        [stored_plane(MIDDLE + np.array([x, 0, 0]), (0, 1, 0), (0, 0, -1), (0.8, 0.8), (160, 110)) for x in (0.0, 3.0)]
    )
    cord = np.zeros(volume.voxels.shape, dtype=np.float16)
    cord[0, :20, 20:90] = 1  # brain stem
    cord[:, 60:100, 40:48] = 1
    cord[1, 60:100, 48] = 1
    masks = Masks({CORD: cord, CANAL: cord.copy()}, MODEL)
    assert decisive_slice(volume, masks) == 0
    assert cervical_slice(volume, masks, keypoints_of(SPINE.landmarks(), volume.planes[0])) == 1


def test_eccentric_compression_is_found_beside_the_decisive_slice():
    planes = [stored_plane(MIDDLE + np.array([x, 0, 0]), (0, 1, 0), (0, 0, -1), (0.8, 0.8), (160, 110)) for x in (0.0, 3.0)]
    volume = volume_of(planes)
    worse = replace(SPINE, bulge_mm=3.5)
    straight, bulging = (masks_of(volume, one.in_cord, one.in_canal).probabilities for one in (SPINE, worse))
    maps = {structure: np.stack([straight[structure][0], bulging[structure][1]]) for structure in Structure}
    sagittal = measure(keypoints_of(SPINE.landmarks(), planes[0]), Masks(maps, MODEL), volume).sagittal
    worst = sagittal.worst_slice[CORD]
    assert worst.at_level.evidence[0].slice_index == 1
    assert worst.ratio.value == pytest.approx(worse.compression_percent(worse.cord_width), abs=1.5)
    assert worst.ratio.value > sagittal.ratio(CORD).ratio.value


def worst_beside(spine, shift):
    """Return the worst slices of two: the decisive one shows the usual spine, the other a given one, its cord shifted back."""
    planes = [stored_plane(MIDDLE + np.array([x, 0, 0]), (0, 1, 0), (0, 0, -1), (0.8, 0.8), (160, 110)) for x in (0.0, 3.0)]
    volume = volume_of(planes)
    usual, other = (masks_of(volume, one.in_cord, one.in_canal).probabilities for one in (SPINE, spine))
    maps = {structure: np.stack([usual[structure][0], other[structure][1]]) for structure in Structure}
    maps[CORD][1] = np.roll(maps[CORD][1], shift, axis=1)
    return measure(keypoints_of(SPINE.landmarks(), planes[0]), Masks(maps, MODEL), volume).sagittal.worst_slice


def test_a_slice_beside_whose_cord_leaves_the_canal_is_not_the_worst():
    worse = replace(SPINE, bulge_mm=3.5)
    assert CORD in worst_beside(worse, shift=0)
    assert CORD not in worst_beside(worse, shift=8)


def test_a_slice_beside_that_shows_much_less_cord_over_a_level_is_the_worst_with_a_doubt():
    worst = worst_beside(replace(SPINE, bulge_mm=5.0, bulge_sigma_mm=6.0), shift=0)[CORD].ratio
    assert worst.verdict is Verdict.FLAG
    assert Reason.CORD_LEAVES_SLICE in codes(worst)


def with_a_thinner_cord(share, offsets_mm, sigma_mm=10.0):
    """Return a volume, masks and corners: the slice at 0 mm shows only a share of the cord at the end of C7, the others all.

    The cord of that slice is pressed nowhere else.
    """
    planes = [stored_plane(MIDDLE + np.array([x, 0, 0]), (0, 1, 0), (0, 0, -1), (0.8, 0.8), (160, 110)) for x in offsets_mm]
    volume = volume_of(planes)
    whole = masks_of(volume, SPINE.in_cord, SPINE.in_canal).probabilities
    thinner = replace(SPINE, bulge_at_mm=SPINE.length_mm, bulge_sigma_mm=sigma_mm, bulge_mm=SPINE.cord_mm * (1 - share))
    at = offsets_mm.index(0.0)
    cord = whole[CORD].copy()
    cord[at] = masks_of(volume, thinner.in_cord, SPINE.in_canal).probabilities[CORD][at]
    return (
        volume,
        Masks({CORD: cord, CANAL: whole[CANAL]}, MODEL),
        replace(keypoints_of(SPINE.landmarks(), planes[at]), slice_index=at),
    )


def test_a_cord_that_runs_out_of_the_decisive_slice_is_read_on_the_next_one():
    volume, masks, keypoints = with_a_thinner_cord(0.5, [0.0, 3.0])
    ratio = measure(keypoints, masks, volume).sagittal.ratio(CORD)
    assert ratio.below.evidence[0].slice_index == 1
    unpressed = replace(SPINE, bulge_mm=0.0)
    assert ratio.ratio.value == pytest.approx(unpressed.compression_percent(unpressed.cord_width), abs=1.0)
    assert Reason.CORD_LEAVES_SLICE not in codes(ratio.ratio)


@pytest.mark.parametrize(("share", "verdict"), [(0.5, Verdict.WITHHOLD), (0.75, Verdict.FLAG)])
def test_a_cord_that_is_much_thicker_on_both_sides_is_not_taken_for_a_compressed_one(share, verdict):
    volume, masks, keypoints = with_a_thinner_cord(share, [-3.0, 0.0, 3.0])
    ratio = measure(keypoints, masks, volume).sagittal.ratio(CORD).ratio
    assert ratio.verdict is verdict
    assert Reason.CORD_LEAVES_SLICE in codes(ratio)


@pytest.mark.parametrize("sigma_mm", [3.0, 5.0])
def test_a_cord_that_runs_out_in_the_last_millimetres_of_c7_gives_no_compression(sigma_mm):
    """Over the whole vertebra it is still most of what is shown beside: the last stretch alone gives it away."""
    volume, masks, keypoints = with_a_thinner_cord(0.3, [-3.0, 0.0, 3.0], sigma_mm)
    assert withheld(measure(keypoints, masks, volume).sagittal.ratio(CORD).ratio, Reason.CORD_LEAVES_SLICE)


def test_a_cord_without_a_canal_around_it_is_flagged():
    ratio = measure(masks=edited(CANAL, lambda maps: maps.fill(0))).sagittal.ratio(CORD).ratio
    assert ratio.value is not None
    assert (ratio.verdict, Reason.CANAL_NOT_FOUND in codes(ratio)) == (Verdict.FLAG, True)


def test_a_canal_that_is_interrupted_flags_the_cord_at_that_level_alone():
    rows = slice(row_of(SPINE.length_mm / 2) - 2, row_of(SPINE.length_mm / 2) + 3)
    sagittal = measure(masks=edited(CANAL, lambda maps: maps[:, rows].fill(0))).sagittal
    flagged = {one.level for one in sagittal.levels if Reason.CANAL_NOT_FOUND in codes(one.cord_ap)}
    assert flagged == {Level.C5}


def pressed(fluid_mm):
    """A spine whose canal is so much wider than the cord at the narrowest place."""
    there = SPINE.canal_width(SPINE.bulge_at_mm) - SPINE.cord_width(SPINE.bulge_at_mm)
    return replace(SPINE, canal_mm=SPINE.canal_mm - there + fluid_mm)


def pressed_ratio(fluid_mm, contrast):
    """MSCC of a pressed cord that is brighter than what lies about it by a share of the brightest signal."""
    spine = pressed(fluid_mm)
    masks = masks_of(SAGITTAL, spine.in_cord, spine.in_canal)
    signal = (1 - contrast + contrast * masks.probabilities[CORD].astype(np.float32)) * 500
    return measure(masks=masks, sagittal=replace(SAGITTAL, voxels=signal)).sagittal.ratio(CORD).ratio


@pytest.mark.parametrize(
    ("fluid_mm", "contrast", "seen"), [(0.8, 0.0, True), (0.4, 0.5, True), (0.4, 0.05, False), (-0.3, 0.0, False)]
)
def test_a_pressed_cord_whose_border_the_image_does_not_show_is_withheld(fluid_mm, contrast, seen):
    ratio = pressed_ratio(fluid_mm, contrast)
    assert ratio.verdict is Verdict.REPORT if seen else withheld(ratio, Reason.CORD_FILLS_CANAL)


@pytest.mark.parametrize(("fluid_mm", "outside"), [(-0.3, False), (-0.6, True)])
def test_a_cord_that_is_drawn_wider_than_its_canal_is_withheld(fluid_mm, outside):
    """Neither border leaves the other by much: only the widths tell."""
    ratio = pressed_ratio(fluid_mm, 0.5)
    assert withheld(ratio, Reason.CORD_OUTSIDE_CANAL) if outside else ratio.verdict is Verdict.REPORT
