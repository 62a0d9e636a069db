import pytest

from node.domain.errors import PermanentError, Reason
from node.inference import load_library, load_manifest
from node.inference.manifest import Task
from tests.support.models import manifest_fields, write_model

NAMES = ("sagittal", "axial", "corners")


@pytest.fixture
def models_dir(tmp_path):
    for name, task in zip(NAMES, Task, strict=True):
        write_model(tmp_path, name, task)
    return tmp_path


def test_a_library_loads_one_model_for_each_task(models_dir):
    library = load_library(models_dir, NAMES, ("tensorrt", "cuda", "cpu"), 1)
    assert [one.name for one in library.identities] == list(NAMES)
    assert set(library.providers) == set(NAMES)
    assert all(len(one.sha256) == 64 for one in library.identities)


def test_changed_weights_are_refused(models_dir):
    path = models_dir / "axial" / "model.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(PermanentError, match="'axial' have SHA-256") as error:
        load_library(models_dir, NAMES, ("cpu",), 1)
    assert error.value.reason is Reason.MODEL_CORRUPT


def test_missing_weights_are_named(models_dir):
    (models_dir / "corners" / "model.onnx").unlink()
    with pytest.raises(PermanentError, match=r"'model\.onnx' of model 'corners' are not there") as error:
        load_library(models_dir, NAMES, ("cpu",), 1)
    assert error.value.reason is Reason.MODEL_MISSING


def test_a_model_that_is_not_there_is_named(models_dir):
    with pytest.raises(PermanentError, match="'elsewhere'") as error:
        load_library(models_dir, ("elsewhere", *NAMES[1:]), ("cpu",), 1)
    assert error.value.reason is Reason.MODEL_MISSING


def test_a_task_without_a_model_is_named(models_dir):
    with pytest.raises(PermanentError, match="keypoints") as error:
        load_library(models_dir, NAMES[:2], ("cpu",), 1)
    assert error.value.reason is Reason.MODEL_MISSING


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("name: [", "not valid"), ("name: x\nversion: '1'", "task: Field required"), ("just text", "valid dictionary")],
)
def test_a_manifest_that_is_not_one_is_refused(tmp_path, text, complaint):
    (tmp_path / "model.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PermanentError, match=complaint) as error:
        load_manifest(tmp_path)
    assert error.value.reason is Reason.MODEL_CORRUPT


def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path):
    folder = write_model(tmp_path, "m", "keypoints")
    text = (folder / "model.yaml").read_text(encoding="utf-8").replace("file: model.onnx", "file: ../model.onnx")
    (folder / "model.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PermanentError, match="file"):
        load_manifest(folder)


def test_manifest_fields_of_the_tests_are_valid(tmp_path):
    assert load_manifest(write_model(tmp_path, "m", "keypoints")).channels == tuple(manifest_fields("m", "keypoints")["channels"])
