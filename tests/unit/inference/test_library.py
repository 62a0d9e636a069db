import pytest
import yaml

from node.domain.errors import PermanentError, Reason
from node.inference import list_manifests, load_library, load_manifest, verify_manifest
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


def test_a_network_that_has_not_the_channels_of_its_manifest_is_refused(models_dir):
    write_model(models_dir, "other", "keypoints", channels=2)
    with pytest.raises(PermanentError, match=r"'other' answers with maps of shape \(1, 2, 128, 128\)") as error:
        load_library(models_dir, (*NAMES[:2], "other"), ("cpu",), 1)
    assert error.value.reason is Reason.MODEL_CORRUPT


@pytest.mark.parametrize(
    ("task", "channels", "complaint"),
    [
        ("axial_segmentation", ["spinal_cord"], "needs also spinal_canal"),
        ("sagittal_segmentation", ["spinal_cord", "spinal_canal", "spinal_cord"], "named twice"),
        ("keypoints", ["spinal_cord", "spinal_canal"], r"needs also C2, C3, C3\.anterior_inferior"),
    ],
)
def test_a_manifest_names_all_that_its_task_has_to_find(tmp_path, task, channels, complaint):
    folder = write_model(tmp_path, "m", task)
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest_fields("m", task, channels=channels)), encoding="utf-8")
    with pytest.raises(PermanentError, match=f"channels: .*{complaint}") as error:
        load_manifest(folder)
    assert error.value.reason is Reason.MODEL_CORRUPT


def test_all_models_of_a_folder_are_listed_the_broken_one_with_its_error(models_dir):
    (models_dir / "axial" / "model.yaml").write_text("name: [", encoding="utf-8")
    (models_dir / "notes").mkdir()
    listed = list_manifests(models_dir)
    assert list(listed) == ["axial", "corners", "sagittal"]
    assert isinstance(listed["axial"], PermanentError)
    assert listed["corners"] == load_manifest(models_dir / "corners")


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_a_folder_without_models_is_named(tmp_path, name):
    with pytest.raises(PermanentError, match=r"fetch the models or correct inference\.models_dir") as error:
        list_manifests(tmp_path / name)
    assert error.value.reason is Reason.MODEL_MISSING


def test_weights_are_verified_without_being_loaded(models_dir):
    assert verify_manifest(models_dir / "corners").name == "corners"
    (models_dir / "corners" / "model.onnx").write_bytes(b"other")
    with pytest.raises(PermanentError, match="have SHA-256"):
        verify_manifest(models_dir / "corners")


def test_the_confidence_of_a_peak_is_read_off_the_calibration(tmp_path):
    curve = {"heights": [0.2, 0.6], "probabilities": [0.1, 0.9]}
    folder = write_model(tmp_path, "m", "keypoints")
    uncalibrated = load_manifest(folder)
    fields = manifest_fields("m", "keypoints", calibration=curve, sha256=uncalibrated.sha256)
    (folder / "model.yaml").write_text(yaml.safe_dump(fields), encoding="utf-8")
    manifest = load_manifest(folder)
    assert [manifest.confidence_at(height) for height in (0.0, 0.4, 0.8)] == pytest.approx([0.1, 0.5, 0.9])
    assert uncalibrated.confidence_at(uncalibrated.peak_of_certainty / 2) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "curve",
    [
        {"heights": [0.5, 0.2], "probabilities": [0.1, 0.9]},
        {"heights": [0.2, 0.5], "probabilities": [0.9, 0.1]},
        {"heights": [0.2, 0.5], "probabilities": [0.1, 1.2]},
        {"heights": [0.2, 0.5, 0.7], "probabilities": [0.1, 0.2]},
    ],
)
def test_a_calibration_that_is_no_rising_curve_is_refused(tmp_path, curve):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest_fields("m", "keypoints", calibration=curve)), encoding="utf-8")
    with pytest.raises(PermanentError, match="calibration"):
        load_manifest(folder)


def with_a_witness(models_dir, task="keypoints", **changes):
    """Give the corners a witness inside their folder."""
    corners = models_dir / "corners"
    inside = write_model(corners, "second", task)
    _rewrite(inside, name="second-corners", **changes)
    _rewrite(corners, witness="second")
    return inside


def _rewrite(folder, **changes):
    fields = yaml.safe_load((folder / "model.yaml").read_text(encoding="utf-8"))
    (folder / "model.yaml").write_text(yaml.safe_dump(fields | changes), encoding="utf-8")


def test_a_witness_is_loaded_verified_and_cited_with_its_model(models_dir):
    inside = with_a_witness(models_dir)
    library = load_library(models_dir, NAMES, ("cpu",), 1)
    assert [one.name for one in library.identities] == [*NAMES, "second-corners"]
    assert library.providers["second-corners"] == "cpu"
    (inside / "model.onnx").write_bytes(b"other")
    for broken in (lambda: verify_manifest(models_dir / "corners"), lambda: load_library(models_dir, NAMES, ("cpu",), 1)):
        with pytest.raises(PermanentError, match="'second' have SHA-256"):
            broken()


@pytest.mark.parametrize(("task", "changes"), [("sagittal_segmentation", {}), ("keypoints", {"witness": "third"})])
def test_a_witness_is_a_model_for_corners_without_one_of_its_own(models_dir, task, changes):
    inside = with_a_witness(models_dir, task, **changes)
    write_model(inside, "third", "keypoints")
    with pytest.raises(PermanentError, match="without a witness of its own") as error:
        load_library(models_dir, NAMES, ("cpu",), 1)
    assert error.value.reason is Reason.MODEL_CORRUPT


def test_only_corners_have_a_witness(tmp_path):
    folder = write_model(tmp_path, "m", "axial_segmentation")
    _rewrite(folder, witness="second")
    with pytest.raises(PermanentError, match="only a model for keypoints"):
        load_manifest(folder)
