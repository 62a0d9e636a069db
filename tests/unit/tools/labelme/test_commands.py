import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from tests.support.phantom_study import SMALL
from tools.labelme.__main__ import EXIT_DECLINED, EXIT_ERROR, main
from tools.phantom.study import write_phantom_study


def call(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The DICOM files of a small phantom by series."""
    return write_phantom_study(tmp_path_factory.mktemp("phantom"), replace(SMALL, distractors=False)).paths


def views(folder):
    return {path.name.split("-")[0] for path in folder.iterdir()}


def test_a_study_becomes_a_folder_that_passes_the_check(files, tmp_path):
    axial = files["axial_t2"]
    done = call("export", *files["sagittal_t2"], *axial, "--out", tmp_path, "--all-slices")
    assert done.exit_code == 0, done.output
    (folder,) = tmp_path.iterdir()
    assert views(folder) == {"sagittal", "axial"}
    assert call("check", tmp_path).exit_code == 0


def test_an_unusable_axial_series_is_left_out(files, tmp_path):
    axial = files["axial_t2"]
    done = call("export", *files["sagittal_t2"], *axial[:3], *axial[4:], "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "slice_missing" in done.output
    (folder,) = tmp_path.iterdir()
    assert views(folder) == {"sagittal"}


def test_a_declined_study_says_why(files, tmp_path):
    done = call("export", *files["axial_t2"], "--out", tmp_path)
    assert done.exit_code == EXIT_DECLINED
    assert "declined: no_sagittal_t2" in done.output
    assert not list(tmp_path.iterdir())


def test_missing_models_and_missing_studies_are_errors(files, tmp_path):
    assert "model_missing" in call("export", files["axial_t2"][0], "--out", tmp_path, "--models", tmp_path).output
    empty = tmp_path / "empty"
    empty.mkdir()
    done = call("export", empty, "--out", tmp_path)
    assert done.exit_code == EXIT_ERROR


def test_the_check_lists_every_problem(exported):
    assert call("check", exported.folder.parent).exit_code == 0

    def spoil(document):
        document["shapes"][0]["label"] = "kord"
        document["shapes"].append(document["shapes"][5])

    name = exported.change(exported.sagittal, spoil).name
    exported.axial.write_text("{", encoding="utf-8")
    done = call("check", exported.folder.parent)
    assert done.exit_code == EXIT_ERROR
    assert done.output.count(name) == 2
    assert all(word in done.output for word in ("kord", "unknown label", "point twice", "unreadable", "3 problems"))


def test_the_check_of_nothing_fails(tmp_path):
    assert call("check", tmp_path).exit_code == EXIT_ERROR


def test_measurements_are_written_by_study(exported, tmp_path):
    done = call("measure", exported.folder.parent, "--out", tmp_path / "reader")
    assert done.exit_code == 0, done.output
    (path,) = (tmp_path / "reader").rglob("measurements.json")
    assert json.loads(path.read_text(encoding="utf-8"))["models"][0]["name"] == "reader"
    assert "maximum spinal cord compression" in done.output


def test_a_broken_file_is_not_measured(exported, tmp_path):
    exported.axial.write_text("{", encoding="utf-8")
    done = call("measure", exported.folder.parent, "--out", tmp_path / "reader")
    assert done.exit_code == EXIT_ERROR
    assert exported.axial.name in done.output
    assert not (tmp_path / "reader").exists()
