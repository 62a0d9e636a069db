import gc

import pytest
import yaml

from node.config import parse_config
from node.pipeline import collector_paused, open_pipeline
from tests.support.models import write_model

MODELS = {"sagittal-segmentation": "sagittal_segmentation", "axial-segmentation": "axial_segmentation", "keypoints": "keypoints"}


def fingerprint(folder):
    config = parse_config("")
    inference = config.inference.model_copy(update={"models_dir": folder})
    return open_pipeline(config.model_copy(update={"inference": inference})).fingerprint()


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("sagittal-segmentation", {"border_probabilities": {"spinal_cord": 0.4}}),
        ("keypoints", {"calibration": {"heights": [0.0, 1.0], "probabilities": [0.0, 0.9]}}),
        ("axial-segmentation", {"reference_percentile": 98.0}),
        ("axial-segmentation", {"version": "1.0.1"}),
    ],
)
def test_whatever_a_manifest_says_is_part_of_what_decides_a_result(tmp_path, model, change):
    for name, task in MODELS.items():
        write_model(tmp_path, name, task)
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    path = tmp_path / model / "model.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    assert fingerprint(tmp_path) != before


def analyse_in_vain():
    with collector_paused():
        assert not gc.isenabled()
        raise LookupError


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_rests_while_a_study_is_analysed_and_is_as_before_afterwards(was_enabled):
    before = gc.isenabled()
    try:
        gc.enable() if was_enabled else gc.disable()
        with pytest.raises(LookupError):
            analyse_in_vain()
        assert gc.isenabled() is was_enabled
    finally:
        gc.enable() if before else gc.disable()
