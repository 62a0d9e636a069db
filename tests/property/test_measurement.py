"""The measurement stage against shapes of known size, over every way in which a scanner may store them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.config import MeasurementConfig
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import Level, Structure
from node.domain.measurement import Measurements, ReferenceMethod, StudyStatus
from node.domain.study import SeriesRole
from node.measurement import measure_study
from tests.support.analytic_shapes import EllipticCord, StraightSpine, keypoints_of, masks_of, stored_plane, volume_of

CONFIG = MeasurementConfig()
CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL


def measure_sagittal(spine: StraightSpine, spacing: tuple[float, float], flips: int, shift: tuple[float, float]) -> Measurements:
    centre = np.array(spine.top) + spine.length_mm / 2 * spine.down + np.array([0.0, *shift])
    size = (int(130 / spacing[0]), int(90 / spacing[1]))
    volume = volume_of([stored_plane(centre, (0, 1, 0), (0, 0, -1), spacing, size, flips)])
    masks = masks_of(volume, spine.in_cord, spine.in_canal)
    keypoints = keypoints_of(spine.landmarks(), volume.planes[0])
    return measure_study({SeriesRole.SAGITTAL_T2: SegmentedSeries(volume, masks)}, keypoints, CONFIG)


@settings(max_examples=25, deadline=None)
@given(
    tilt_deg=st.floats(-25, 25),
    spacing=st.tuples(st.floats(0.35, 0.55), st.floats(0.35, 0.55)),
    flips=st.integers(0, 7),
    shift=st.tuples(st.floats(-5, 5), st.floats(-3, 3)),
    bulge=st.tuples(st.floats(0, 3.5), st.floats(30, 65), st.floats(3, 6)),
)
def test_sagittal_diameters_and_ratios_equal_the_truth(tilt_deg, spacing, flips, shift, bulge):
    spine = StraightSpine(tilt_deg=tilt_deg, bulge_mm=bulge[0], bulge_at_mm=bulge[1], bulge_sigma_mm=bulge[2])
    sagittal = measure_sagittal(spine, spacing, flips, shift).sagittal
    for structure, width in ((CORD, spine.cord_width), (CANAL, spine.canal_width)):
        ratio = sagittal.ratio(structure)
        assert ratio.ratio.value == pytest.approx(spine.compression_percent(width), abs=1.5)
        assert ratio.at_level.value == pytest.approx(width(np.linspace(0, spine.length_mm, 20001)).min(), abs=0.2)
        assert ratio.above.value == pytest.approx(spine.mean_width(width, 0), abs=0.2)
        assert ratio.below.value == pytest.approx(spine.mean_width(width, 4), abs=0.2)


@settings(max_examples=25, deadline=None)
@given(
    transverse_mm=st.floats(11, 16),
    ap_share=st.floats(0.35, 0.75),
    turn_deg=st.floats(-20, 20),
    spacing=st.tuples(st.floats(0.3, 0.55), st.floats(0.3, 0.55)),
    flips=st.integers(0, 7),
    centre=st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
)
def test_axial_area_and_diameters_equal_the_truth(transverse_mm, ap_share, turn_deg, spacing, flips, centre):
    cord = EllipticCord(transverse_mm, transverse_mm * ap_share, turn_deg, centre)
    size = (int(60 / spacing[0]), int(60 / spacing[1]))
    planes = [stored_plane((0, 0, z), (1, 0, 0), (0, 1, 0), spacing, size, flips) for z in (0.0, 3.0)]
    volume = volume_of(planes, "other frame")
    sagittal = volume_of([stored_plane((0, 0, 0), (0, 1, 0), (0, 0, -1), (1, 1), (200, 100))])
    spine = StraightSpine()
    measured = measure_study(
        {
            SeriesRole.SAGITTAL_T2: SegmentedSeries(sagittal, masks_of(sagittal, spine.in_cord, spine.in_canal)),
            SeriesRole.AXIAL_T2: SegmentedSeries(volume, masks_of(volume, cord.in_cord, cord.in_canal)),
        },
        keypoints_of(spine.landmarks(), sagittal.planes[0]),
        CONFIG,
    ).axial
    for one in measured.slices:
        assert one.area.value == pytest.approx(cord.area_mm2, rel=0.02)
        assert one.area_along_cord.value == pytest.approx(cord.area_mm2, rel=0.02)
        assert one.transverse.value == pytest.approx(transverse_mm, abs=0.2)
        assert one.ap.value == pytest.approx(cord.ap_mm, abs=0.2)
        assert one.compression_ratio.value == pytest.approx(ap_share, abs=0.02)
        assert one.canal_ap.value == pytest.approx(cord.canal_mm, abs=0.25)
    assert measured.decisive is None


def whole_study(spine: StraightSpine, z_offset_mm: float = 0.0, tilt: float = 0.0) -> Measurements:
    """Return the measurements of a spine imaged in both planes."""
    middle = np.array(spine.top) + spine.length_mm / 2 * spine.down
    beside = (-3.0, 0.0, 3.0)
    sagittal = volume_of(
        [stored_plane(middle + np.array([x, 0, 0]), (0, 1, 0), (0, 0, -1), (0.5, 0.5), (260, 180)) for x in beside]
    )
    normal = np.array([0.0, np.sin(tilt), np.cos(tilt)])
    down = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    centres = [middle + (z + z_offset_mm) * normal for z in np.arange(-51, 52, 3.0)]
    axial = volume_of([stored_plane(centre, (1, 0, 0), down, (0.5, 0.5), (120, 120)) for centre in centres])
    return measure_study(
        {
            SeriesRole.SAGITTAL_T2: SegmentedSeries(sagittal, masks_of(sagittal, spine.in_cord, spine.in_canal)),
            SeriesRole.AXIAL_T2: SegmentedSeries(axial, masks_of(axial, spine.in_cord, spine.in_canal)),
        },
        keypoints_of(spine.landmarks(), sagittal.planes[1], 1),
        CONFIG,
    )


def test_the_axial_slice_at_the_narrowest_sagittal_point_is_decisive():
    spine = StraightSpine()
    measured = whole_study(spine)
    assert measured.status is StudyStatus.MEASURED
    assert measured.sagittal.ratio(CORD).ratio.level is Level.C5_C6
    decisive = measured.axial.decisive
    assert decisive.level is Level.C5_C6
    narrowest_mm = spine.top[2] - spine.bulge_at_mm
    middle_mm = spine.top[2] - spine.length_mm / 2
    slice_mm = middle_mm + float(np.arange(-51, 52, 3.0)[decisive.slice_index])
    assert abs(slice_mm - narrowest_mm) <= 2.0
    assert measured.axial.ratios[CORD].ratio.value == pytest.approx(spine.compression_percent(spine.cord_width), abs=3)


def test_every_axial_slice_has_the_level_of_the_vertebra_that_it_cuts():
    spine = StraightSpine()
    measured = whole_study(spine)
    for one in measured.axial.slices:
        along = spine.length_mm / 2 - float(np.arange(-51, 52, 3.0)[one.slice_index])
        place, inside = divmod(along, spine.body_mm + spine.disc_mm)
        if not 0.5 <= along <= spine.length_mm - 0.5 or min(abs(inside), abs(inside - spine.body_mm)) < 0.3:
            continue
        expected = list(Level)[int(place) * 2 + (inside > spine.body_mm)]
        assert one.level is expected


def test_the_adjacent_method_uses_the_middles_of_the_neighbouring_vertebrae():
    spine = StraightSpine()
    ratio = whole_study(spine).sagittal.ratio(CORD, ReferenceMethod.ADJACENT)
    pitch = spine.body_mm + spine.disc_mm
    above, below = (float(spine.cord_width(np.array([k * pitch + spine.body_mm / 2]))[0]) for k in (2, 3))
    assert ratio.above.value == pytest.approx(above, abs=0.2)
    assert ratio.below.value == pytest.approx(below, abs=0.2)
    smallest = float(spine.cord_width(np.linspace(0, spine.length_mm, 20001)).min())
    assert ratio.ratio.value == pytest.approx((1 - 2 * smallest / (above + below)) * 100, abs=1.5)


def test_lines_of_evidence_are_as_long_as_the_diameters_that_they_prove():
    measured = whole_study(StraightSpine(tilt_deg=12))
    for ratio in measured.sagittal.ratios.values():
        for diameter in (ratio.at_level, ratio.above, ratio.below):
            (line,) = diameter.evidence
            assert np.linalg.norm(np.diff(np.array(line.points), axis=0)) * 0.5 == pytest.approx(diameter.value, abs=1e-6)
