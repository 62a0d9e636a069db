"""``cspine-node analyze`` as scripts call it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import dcmread

from node.cli.analyze import analyze
from tests.support.phantom_study import SMALL
from tools.phantom.study import write_phantom_study


def call(study: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(analyze, [str(study), "--out", str(out), *options])


@pytest.fixture(scope="module")
def follow_up(tmp_path_factory) -> Path:
    """A folder with the studies ``first`` and ``second`` of one patient, without axial series."""
    folder = tmp_path_factory.mktemp("follow-up")
    for seed, name in enumerate(("first", "second")):
        write_phantom_study(folder / name, replace(SMALL, seed=seed, with_axial=False))
        for path in (folder / name).rglob("*.dcm"):
            data_set = dcmread(path)
            data_set.PatientID = "7"
            data_set.save_as(path)
    return folder


@pytest.fixture(scope="module")
def prior(follow_up) -> Path:
    """The measurement SR of the first study."""
    assert call(follow_up / "first", follow_up / "results").exit_code == 0
    return follow_up / "results" / "sr_comprehensive_3d.dcm"


def test_a_prior_of_the_same_patient_is_compared(follow_up, prior, tmp_path):
    result = call(follow_up / "second", tmp_path / "out", "--prior", str(prior))
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "out" / "measurements.json").read_text(encoding="utf-8"))
    then = json.loads((prior.parent / "measurements.json").read_text(encoding="utf-8"))
    change = document["prior"]["mcc_percent"]
    assert change["prior"] == then["sagittal"]["mcc"]["value_percent"]
    assert f"MCC: prior {change['prior']:g}, change {change['change']:+g}" in result.output


def test_a_prior_of_somebody_else_is_an_error_and_nothing_is_written(follow_up, prior, tmp_path):
    other = dcmread(prior)
    other.PatientBirthDate = "19800101"
    other.save_as(tmp_path / "other.dcm")
    result = call(follow_up / "second", tmp_path / "out", "--prior", str(tmp_path / "other.dcm"))
    assert result.exit_code == 1
    assert "not of the same patient" in result.output
    assert not (tmp_path / "out").exists()


def test_a_prior_that_is_no_report_of_ours_is_an_error(follow_up, prior, tmp_path):
    result = call(follow_up / "second", tmp_path / "out", "--prior", str(next((follow_up / "first").rglob("*.dcm"))))
    assert result.exit_code == 1
    assert "not a measurement SR of this node" in result.output


def test_a_study_that_is_not_for_us_ends_with_3_and_says_why(follow_up, tmp_path):
    (tmp_path / "study").mkdir()
    for path in (follow_up / "first").rglob("*.dcm"):
        data_set = dcmread(path)
        data_set.BodyPartExamined, data_set.SeriesDescription, data_set.StudyDescription = "LSPINE", "LUMBAR", "LUMBAR SPINE"
        data_set.ProtocolName = "LUMBAR"
        data_set.save_as(tmp_path / "study" / path.name)
    result = call(tmp_path / "study", tmp_path / "out")
    assert result.exit_code == 3, result.output
    assert "declined" in result.output
    assert json.loads((tmp_path / "out" / "measurements.json").read_text(encoding="utf-8"))["status"] == "declined"


def test_a_folder_without_a_study_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    result = call(tmp_path / "empty", tmp_path / "out")
    assert result.exit_code == 1
    assert "no DICOM study was found" in result.output
