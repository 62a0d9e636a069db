"""The pipeline with the shipped models, on studies that lack something."""

import json
from pathlib import Path

import pydicom
import pytest

from node.config import Config
from node.domain.errors import Declined, PermanentError, Reason
from node.pipeline import Pipeline, open_pipeline
from node.store import collect_studies
from tests.support.phantom_study import SMALL
from tools.phantom.study import PhantomStudy, write_phantom_study


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return open_pipeline(Config())


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> PhantomStudy:
    return write_phantom_study(tmp_path_factory.mktemp("phantom"), SMALL)


def analyse(pipeline: Pipeline, files: list[Path], out: Path) -> dict:
    (study,) = collect_studies(files).studies
    pipeline.analyse(study, out)
    return json.loads((out / "measurements.json").read_text(encoding="utf-8"))


def codes(document: dict) -> set[str]:
    return {reason["code"] for reason in document["reasons"]}


def test_without_axial_slices_the_sagittal_values_are_there(pipeline, phantom, tmp_path):
    document = analyse(pipeline, list(phantom.paths["sagittal_t2"]), tmp_path / "out")
    assert document["status"] == "partial"
    assert document["sagittal"]["mscc"]["value_percent"] is not None
    assert Reason.NO_AXIAL_T2 in codes(document)
    assert {file["kind"] for file in document["files"]} == {"SEG", "SR", "PR", "KO", "SC"}


def test_an_axial_series_with_a_missing_slice_does_not_take_the_sagittal_values_away(pipeline, phantom, tmp_path):
    axial = list(phantom.paths["axial_t2"])
    document = analyse(pipeline, [*phantom.paths["sagittal_t2"], *axial[:3], *axial[4:]], tmp_path / "out")
    assert document["status"] == "partial"
    assert document["sagittal"]["mscc"]["value_percent"] is not None
    assert Reason.SLICE_MISSING in codes(document)


def test_without_sagittal_slices_the_study_is_declined_in_writing(pipeline, phantom, tmp_path):
    with pytest.raises(Declined) as declined:
        analyse(pipeline, list(phantom.paths["axial_t2"]), tmp_path / "out")
    assert declined.value.reason is Reason.NO_SAGITTAL_T2
    document = json.loads((tmp_path / "out" / "measurements.json").read_text(encoding="utf-8"))
    assert document["status"] == "declined"
    assert Reason.NO_SAGITTAL_T2 in codes(document)


def test_a_sagittal_series_with_a_missing_slice_is_declined(pipeline, phantom, tmp_path):
    sagittal = list(phantom.paths["sagittal_t2"])
    with pytest.raises((Declined, PermanentError)) as declined:
        analyse(pipeline, [*sagittal[:3], *sagittal[4:], *phantom.paths["axial_t2"]], tmp_path / "out")
    assert declined.value.reason is Reason.SLICE_MISSING


def test_a_study_without_a_spine_is_declined(pipeline, phantom, tmp_path):
    for path in phantom.paths["sagittal_t2"]:
        image = pydicom.dcmread(path)
        image.PixelData = (image.pixel_array[::-1, ::-1] % 7).astype("<u2").tobytes()
        image.save_as(tmp_path / path.name)
    with pytest.raises(Declined) as declined:
        analyse(pipeline, sorted(tmp_path.glob("*.dcm")), tmp_path / "out")
    assert declined.value.reason is Reason.CORD_NOT_FOUND


def test_the_same_study_gives_the_same_bytes(pipeline, phantom, tmp_path):
    files = [*phantom.paths["sagittal_t2"], *phantom.paths["axial_t2"]]
    documents = [analyse(pipeline, files, tmp_path / name) for name in ("first", "second")]
    assert documents[0] == documents[1]
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "second").iterdir())
    different = [name for name in names if (tmp_path / "first" / name).read_bytes() != (tmp_path / "second" / name).read_bytes()]
    assert different == []
