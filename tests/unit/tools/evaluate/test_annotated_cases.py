import json
import shutil

import numpy as np
import pytest

from node.config import MeasurementConfig, SelectionConfig
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import LANDMARKS, Structure
from node.domain.geometry import PixelPoint
from node.domain.prediction import Keypoint, Keypoints, Masks
from node.domain.study import SeriesRole
from node.measurement import measure_study
from node.pipeline import load_volumes
from node.selection import select_series
from node.store import collect_studies
from tests.support.analytic_shapes import MODEL
from tools.evaluate.annotated_cases import annotated_sources
from tools.evaluate.readings import Measure
from tools.labelme.export import write_slices
from tools.phantom.stack import StackGeometry
from tools.phantom.study import PhantomSettings, write_phantom_study

SAGITTAL, AXIAL = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A phantom study and its true masks and corners as a reader's labelme files."""
    folder = tmp_path_factory.mktemp("own")
    small = PhantomSettings(
        seed=12,
        sagittal=StackGeometry(3, 4.0, 3.0, (0.8, 0.8), 224, 128),
        axial=StackGeometry(6, 8.0, 3.0, (0.8, 0.8), 96, 96),
        distractors=False,
        minimum_mscc_percent=0,
    )
    phantom = write_phantom_study(folder / "studies" / "one", small)
    (received,) = collect_studies([folder / "studies"]).studies
    volumes, _ = load_volumes(select_series(received, SelectionConfig()))
    series = {}
    for role, volume in volumes.items():
        names = [path.name for path in phantom.paths[role.value]]
        order = [names.index(source.instance.path.name) for source in volume.sources]
        words = {Structure.SPINAL_CORD: "cord", Structure.SPINAL_CANAL: "canal"}
        maps = {one: phantom.masks[f"{role.value}_{word}"][order].astype(np.float16) for one, word in words.items()}
        series[role] = SegmentedSeries(volume, Masks(maps, MODEL))
    plane = volumes[SAGITTAL].planes[1]
    corners = {
        one: Keypoint(one, PixelPoint(*map(float, plane.to_pixels(phantom.truth.landmarks[f"{one.vertebra} {one.corner}"]))), 1.0)
        for one in LANDMARKS
    }
    keypoints = Keypoints(1, corners, MODEL)
    write_slices(series, keypoints, folder / "labels" / "anna", all_slices=True)
    return folder, series, measure_study(series, keypoints, MeasurementConfig()).sagittal


def test_what_a_reader_drew_becomes_the_truth_of_the_study(study):
    folder, series, measured = study
    (source,) = annotated_sources(folder / "studies", folder / "labels")
    assert source.person == "anna"
    truth = source.load().truth
    for role in (SAGITTAL, AXIAL):
        for structure in Structure:
            drawn, true = truth.covers[role, structure], series[role].masks.binary(structure)
            known = np.isfinite(drawn).all(axis=(1, 2))
            overlap = 2 * ((drawn[known] >= 0.5) & true[known]).sum() / ((drawn[known] >= 0.5).sum() + true[known].sum())
            assert overlap > 0.97
    assert truth.middle == 1
    assert len(truth.landmarks) == 20
    for measure, structure in ((Measure.MSCC, Structure.SPINAL_CORD), (Measure.MCC, Structure.SPINAL_CANAL)):
        assert truth.numbers[measure, ""] == pytest.approx(measured.ratio(structure).ratio.value, abs=2)


def test_files_of_a_study_that_is_not_there_are_named(study, tmp_path):
    folder, _, _ = study
    labels = shutil.copytree(folder / "labels", tmp_path / "labels")
    for path in labels.rglob("*.geometry.json"):
        geometry = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(geometry | {"study_instance_uid": "1.2.3"}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"no study below .* belongs to sagittal|axial"):
        annotated_sources(folder / "studies", labels)


def test_a_folder_without_annotations_is_named(study, tmp_path):
    with pytest.raises(ValueError, match="no labelme file"):
        annotated_sources(study[0] / "studies", tmp_path)
