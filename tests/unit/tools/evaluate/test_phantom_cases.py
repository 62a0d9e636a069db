import json
from dataclasses import replace

import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, Structure
from node.domain.errors import NodeError
from node.domain.study import SeriesRole
from tests.support.phantom_study import SMALL, SMALL_SAGITTAL
from tools.evaluate.phantom_cases import phantom_case, phantom_sources, settings_of
from tools.evaluate.readings import Measure
from tools.phantom.study import write_phantom_study

SAGITTAL = SeriesRole.SAGITTAL_T2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small study whose slices are stored the other way round than a volume holds them."""
    folder = tmp_path_factory.mktemp("phantom")
    settings = replace(SMALL, sagittal=replace(SMALL_SAGITTAL, reverse_slices=True), distractors=False)
    write_phantom_study(folder, settings)
    return folder


def test_the_masks_lie_on_the_slices_of_the_volume(folder):
    case = phantom_case(folder, "phantom")
    volume, cover = case.volumes[SAGITTAL], case.truth.covers[SAGITTAL, Structure.SPINAL_CANAL]
    assert cover.shape == volume.voxels.shape
    # the canal is brighter than what surrounds it on every slice that shows it, and on no other slice of its place
    shown = [k for k in range(len(cover)) if (cover[k] > 0.9).sum() > 50]
    assert shown
    for k in shown:
        assert volume.voxels[k][cover[k] > 0.9].mean() > 1.5 * volume.voxels[k][cover[k] == 0].mean()
    areas = (cover >= 0.5).sum((1, 2))
    assert areas[case.truth.middle] > 0.8 * areas.max()


def test_the_truth_is_that_of_the_study(folder):
    case, truth = phantom_case(folder, "phantom"), json.loads((folder / "truth.json").read_text())
    assert case.truth.numbers[Measure.MSCC, ""] == truth["mscc"]["value_percent"]
    assert case.truth.numbers[Measure.TRANSVERSE, ""] == truth["axial"]["transverse_mm"]
    assert case.truth.numbers[Measure.CANAL_AP, "C5/C6"] == truth["levels_mm"]["C5/C6"]["canal_ap_mm"]
    assert set(case.truth.landmarks) == set(LANDMARKS)
    plane = case.volumes[SAGITTAL].planes[case.truth.middle]
    assert np.abs(plane.distance_mm(np.stack(list(case.truth.landmarks.values())))).max() < 2


def test_a_folder_without_a_study_says_so(tmp_path):
    with pytest.raises(NodeError, match="holds 0 studies"):
        phantom_case(tmp_path, "nothing")


def test_seeds_are_counted_from_the_first_and_nothing_is_written_yet(tmp_path):
    sources = list(phantom_sources(tmp_path / "studies", 3, 5010))
    assert [one.name for one in sources] == ["phantom-5010", "phantom-5011", "phantom-5012"]
    assert not (tmp_path / "studies").exists()
    assert settings_of(5010).varied
    assert settings_of(5010).compressions is None
