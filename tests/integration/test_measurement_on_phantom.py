"""The measurement stage on curved, degenerated phantoms; the truth is computed by the phantom from its own shape."""

from dataclasses import replace

import numpy as np
import pytest

from node.config import MeasurementConfig
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import Structure
from node.domain.geometry import ImagePlane
from node.domain.prediction import Masks
from node.domain.study import SeriesRole
from node.measurement import measure_study
from tests.support.analytic_shapes import MODEL, keypoints_of, stored_plane, volume_of
from tools.phantom.anatomy import Anatomy, draw_anatomy
from tools.phantom.expected import expected_values
from tools.phantom.render import T2_TSE, render_slice


def segmented(anatomy: Anatomy, planes: list[ImagePlane], thickness_mm: float) -> SegmentedSeries:
    """Return the phantom's clean signal with its true coverage as masks."""
    rng = np.random.default_rng(0)
    slices = [render_slice(anatomy, plane, thickness_mm, T2_TSE, rng) for plane in planes]
    cord, canal = (np.stack([getattr(one, name) for one in slices]).astype(np.float16) for name in ("cord", "canal"))
    volume = replace(volume_of(planes), voxels=np.stack([one.pixels for one in slices]))
    return SegmentedSeries(volume, Masks({Structure.SPINAL_CORD: cord, Structure.SPINAL_CANAL: canal}, MODEL))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_phantom_is_measured_as_it_was_built(seed):
    anatomy = draw_anatomy(np.random.default_rng(seed), sway=False)
    landmarks = anatomy.truth().landmarks
    corners = np.array(list(landmarks.values()))
    centre = corners.mean(axis=0) + np.array([0, 12, 0])
    sagittal = stored_plane(centre, (0, 1, 0), (0, 0, -1), (0.5, 0.5), (280, 160), flips=seed)
    heights = np.arange(corners[:, 2].min() - 6, corners[:, 2].max() + 6, 3.0)
    axial = [stored_plane((centre[0], centre[1], z), (1, 0, 0), (0, 1, 0), (0.5, 0.5), (160, 140)) for z in heights]
    truth = expected_values(anatomy, axial, 3.0)
    series = {
        SeriesRole.SAGITTAL_T2: segmented(anatomy, [sagittal], 0.01),
        SeriesRole.AXIAL_T2: segmented(anatomy, axial, 3.0),
    }
    measured = measure_study(series, keypoints_of(landmarks, sagittal), MeasurementConfig())
    for structure, expected in ((Structure.SPINAL_CORD, truth.mscc), (Structure.SPINAL_CANAL, truth.mcc)):
        ratio = measured.sagittal.ratio(structure)
        assert ratio.ratio.value == pytest.approx(expected.value_percent, abs=1.5)
        diameters = [ratio.at_level.value, ratio.above.value, ratio.below.value]
        assert diameters == pytest.approx([expected.d_i_mm, expected.d_a_mm, expected.d_b_mm], abs=0.2)
    decisive = measured.axial.decisive
    assert decisive.slice_index == truth.axial.slice_index
    assert decisive.area.value == pytest.approx(truth.axial.ta_mm2, rel=0.02)
    assert decisive.ap.value == pytest.approx(truth.axial.ap_mm, abs=0.2)
    # The truth of the transverse diameter is itself a rectangle around 0.1 mm pixels.
    assert decisive.transverse.value == pytest.approx(truth.axial.transverse_mm, rel=0.02)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_neck_that_bends_sideways_is_not_taken_for_a_compressed_one(seed):
    """The cord wanders by 6 mm between C3 and C7; read on one slice, MSCC came out 10 to 19 points too high."""
    straight = draw_anatomy(np.random.default_rng(seed), sway=False)
    anatomy = replace(straight, curve=replace(straight.curve, sway_mm=7.0))
    landmarks = anatomy.truth().landmarks
    centre = np.mean(list(landmarks.values()), axis=0) + np.array([0, 12, 0])
    offsets = np.arange(-9, 10, 3.0)
    planes = [stored_plane(centre + np.array([x, 0, 0]), (0, 1, 0), (0, 0, -1), (0.6, 0.6), (240, 140)) for x in offsets]
    keypoints = replace(keypoints_of(landmarks, planes[3]), slice_index=3)
    sagittal = measure_study({SeriesRole.SAGITTAL_T2: segmented(anatomy, planes, 3.0)}, keypoints, MeasurementConfig()).sagittal
    truth = expected_values(anatomy, [], 3.0)
    for structure, expected in ((Structure.SPINAL_CORD, truth.mscc), (Structure.SPINAL_CANAL, truth.mcc)):
        ratio = sagittal.ratio(structure)
        assert ratio.ratio.value == pytest.approx(expected.value_percent, abs=4)
    slices = {one.cord_ap.evidence[0].slice_index for one in sagittal.levels}
    assert len(slices) > 1
