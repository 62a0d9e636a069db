"""Measured on its true masks and corners, a phantom study gives the values that ``truth.json`` promises."""

from dataclasses import replace

import numpy as np
import pytest

from node.config import MeasurementConfig, SelectionConfig
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import LANDMARKS, Structure
from node.domain.geometry import PixelPoint
from node.domain.prediction import Keypoint, Keypoints, Masks, ModelIdentity
from node.domain.study import SeriesRole
from node.loading import load_volume
from node.measurement import decisive_slice, measure_study
from node.selection import select_series
from tests.support.phantom_study import received_study
from tools.phantom.study import PhantomSettings, write_phantom_study

PERFECT = ModelIdentity("truth", "1", "0" * 64)


@pytest.fixture(scope="module", params=[None, 0, 1, 2], ids=lambda seed: "plain" if seed is None else f"varied-{seed}")
def study(request, tmp_path_factory):
    settings = PhantomSettings(seed=0, distractors=False)
    if request.param is not None:
        settings = replace(settings, seed=request.param, varied=True, compressions=None, minimum_mscc_percent=-100)
    return write_phantom_study(tmp_path_factory.mktemp("phantom"), settings)


@pytest.fixture(scope="module")
def measured(study):
    chosen = select_series(received_study(study.all_paths), SelectionConfig()).series_by_role
    by_role = {role: segmented(study, role, series) for role, series in chosen.items()}
    sagittal = by_role[SeriesRole.SAGITTAL_T2]
    index = decisive_slice(sagittal.volume, sagittal.masks)
    plane = sagittal.volume.planes[index]
    corners = {
        one: Keypoint(one, PixelPoint(*plane.to_pixels(study.truth.landmarks[f"{one.vertebra} {one.corner}"])), 1.0)
        for one in LANDMARKS
    }
    return measure_study(by_role, Keypoints(index, corners, PERFECT), MeasurementConfig())


def segmented(study, role, series):
    volume = load_volume(series)
    files = [path.name for path in study.paths[role.value]]
    order = [files.index(source.instance.path.name) for source in volume.sources]
    names = {Structure.SPINAL_CORD: "cord", Structure.SPINAL_CANAL: "canal"}
    shares = {one: study.masks[f"{role.value}_{name}"][order].astype(np.float16) for one, name in names.items()}
    return SegmentedSeries(volume, Masks(shares, PERFECT))


@pytest.mark.parametrize(("structure", "name"), [(Structure.SPINAL_CORD, "mscc"), (Structure.SPINAL_CANAL, "mcc")])
def test_the_ratios_are_those_of_the_anatomy(study, measured, structure, name):
    found, truth = measured.sagittal.ratio(structure), getattr(study.truth, name)
    # slabs of 3 mm and smoothing blunt the narrowest place
    assert found.ratio.value == pytest.approx(truth.value_percent, abs=2.0)
    assert found.ratio.level is truth.level
    assert found.at_level.value == pytest.approx(truth.d_i_mm, abs=0.25)
    assert found.above.value == pytest.approx(truth.d_a_mm, abs=0.2)
    assert found.below.value == pytest.approx(truth.d_b_mm, abs=0.2)


def test_the_decisive_axial_slice_is_that_of_the_anatomy(study, measured):
    found, truth = measured.axial.decisive, study.truth.axial
    assert found.area.value == pytest.approx(truth.ta_mm2, rel=0.06)
    assert found.ap.value == pytest.approx(truth.ap_mm, abs=0.4)
    assert found.transverse.value == pytest.approx(truth.transverse_mm, abs=0.6)
