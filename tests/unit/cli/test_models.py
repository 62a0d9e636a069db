import pytest
from click.testing import CliRunner

from node.cli.models import models
from node.domain.errors import PermanentError, Reason
from node.inference.manifest import Task
from tests.support.models import write_model

USED = ("sagittal-segmentation", "axial-segmentation", "keypoints")


@pytest.fixture
def config(tmp_path):
    for name, task in zip(USED, Task, strict=True):
        write_model(tmp_path / "models", name, task)
    path = tmp_path / "config.yaml"
    path.write_text(f"inference: {{models_dir: {tmp_path / 'models'}}}", encoding="utf-8")
    return path


def call(config, command):
    return CliRunner().invoke(models, [command, "--config", str(config)])


def test_installed_models_are_listed_and_those_in_use_are_marked(config):
    write_model(config.parent / "models", "spare", Task.KEYPOINTS)
    (config.parent / "models" / "axial-segmentation" / "model.yaml").write_text("name: [", encoding="utf-8")
    result = call(config, "list")
    rows = {name: rest for name, _, rest in (line.partition(" ") for line in result.stdout.splitlines())}
    assert result.exit_code == 0
    assert rows["sagittal-segmentation"].split()[:2] == ["1.0.0", "sagittal_segmentation"]
    assert rows["keypoints"].split()[-1] == "yes"
    assert rows["spare"].split()[-1] != "yes"
    assert "model_corrupt" in rows["axial-segmentation"]


def test_sound_models_are_verified(config):
    result = call(config, "verify")
    assert result.exit_code == 0
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == list(USED)
    assert all(line.endswith("verified") for line in result.stdout.splitlines())


def test_changed_weights_give_exit_code_1_and_the_others_are_still_verified(config):
    path = config.parent / "models" / "sagittal-segmentation" / "model.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    result = call(config, "verify")
    assert result.exit_code == 1
    assert result.stderr.startswith("sagittal-segmentation: model_corrupt: ")
    assert result.stdout.count("verified") == 2


def test_a_configured_model_that_is_not_installed_is_an_error(config):
    config.write_text(config.read_text(encoding="utf-8").replace("}", ", keypoints: better}"), encoding="utf-8")
    result = call(config, "verify")
    assert result.exit_code == 1
    assert result.stderr.startswith("better: model_missing: ")


def test_an_empty_folder_of_models_is_an_error(config):
    config.write_text(f"inference: {{models_dir: {config.parent / 'nowhere'}}}", encoding="utf-8")
    error = call(config, "list").exception
    assert isinstance(error, PermanentError)
    assert error.reason is Reason.MODEL_MISSING
