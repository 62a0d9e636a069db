import numpy as np
import pytest
import yaml

from node.domain.anatomy import LANDMARKS
from node.inference import load_manifest
from tests.support.models import write_model
from tools.evaluate.calibration import fit_calibration, write_calibration
from tools.evaluate.results import CaseResult, CornerResult


def case(heights, errors_mm, named=True):
    marks = [LANDMARKS[i % len(LANDMARKS)] for i in range(len(heights))]
    others = {one.vertebra: LANDMARKS[(i * 4 + 4) % len(LANDMARKS)].vertebra for i, one in enumerate(LANDMARKS[::4])}
    corners = [
        CornerResult(mark, error, mark.vertebra if named else others[mark.vertebra], height)
        for mark, error, height in zip(marks, errors_mm, heights, strict=True)
    ]
    return CaseResult("case", "person", corners=tuple(corners))


def test_the_share_of_right_corners_is_found_again():
    rng = np.random.default_rng(1)
    heights = rng.uniform(0.2, 1, 6000)
    errors = np.where(rng.random(6000) < heights, 1.0, 3.0)  # a peak of height h is right with probability h
    fitted = fit_calibration([case(heights, errors)])
    assert np.interp([0.3, 0.6, 0.9], fitted["heights"], fitted["probabilities"]) == pytest.approx([0.3, 0.6, 0.9], abs=0.05)
    assert (fitted["heights"][0], fitted["probabilities"][0]) == (0.0, 0.0)
    assert np.all(np.diff(fitted["probabilities"]) >= 0)


def test_corners_of_wrong_names_and_of_guessed_names_do_not_count():
    rng = np.random.default_rng(2)
    sound = case(rng.uniform(0.5, 1, 600), np.full(600, 1.0))
    wrong = case(rng.uniform(0.5, 1, 600), np.full(600, 18.0), named=False)
    guessed = case(rng.uniform(0.0, 0.2, 600), np.full(600, 5.0))
    assert fit_calibration([sound, wrong, guessed]) == fit_calibration([sound])


def test_too_few_corners_are_refused():
    with pytest.raises(ValueError, match="too few"):
        fit_calibration([case([0.9] * 5, [1.0] * 5)])


def test_the_manifest_reads_what_was_written(tmp_path):
    folder = write_model(tmp_path, "m", "keypoints")
    before = yaml.safe_load((folder / "model.yaml").read_text(encoding="utf-8"))
    write_calibration(folder, {"heights": [0.2, 0.8], "probabilities": [0.1, 0.9]})
    manifest = load_manifest(folder)
    assert manifest.confidence_at(0.5) == pytest.approx(0.5)
    assert {k: v for k, v in yaml.safe_load((folder / "model.yaml").read_text()).items() if k != "calibration"} == before
