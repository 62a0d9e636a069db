import pytest
import yaml

from node.domain.study import SeriesRole
from tools.evaluate.case import CaseSource
from tools.evaluate.folds import Folds, SeenPeopleError, refuse_seen

BOTH = (SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2)


@pytest.fixture
def models(tmp_path):
    """Write folders of models: ``all`` has seen errsm_18 and gm_1, ``without`` nobody who is named, ``old`` does not say."""

    def write(folder, name, people):
        fields = {"name": name, "version": "1", "sha256": "0" * 64} | ({} if people is None else {"training_people": people})
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / name / "model.yaml").write_text(yaml.safe_dump(fields))

    for folder, sagittal, axial in (("all", ["errsm_18"], ["gm_1Ses1"]), ("without", [], []), ("old", None, None)):
        write(folder, "sagittal-segmentation", sagittal)
        write(folder, "keypoints", sagittal)
        write(folder, "axial-segmentation", axial)
    return tmp_path


def source(person, roles=BOTH):
    return CaseSource(person, person, roles, lambda: None)


def test_people_that_a_model_was_trained_on_are_found(models):
    folds = Folds(models / "all", {})
    assert folds.seen([source("errsm_18"), source("errsm_21")]) == ("errsm_18",)
    assert folds.seen([source("errsm_21"), source("phantom-5000")]) == ()


def test_two_sessions_are_one_person(models):
    assert Folds(models / "all", {}).seen([source("gm_1", (SeriesRole.AXIAL_T2,))]) == ("gm_1",)


def test_only_the_models_that_are_used_count(models):
    assert Folds(models / "all", {}).seen([source("errsm_18", (SeriesRole.AXIAL_T2,))]) == ()


def test_the_fold_of_a_person_goes_before_the_models_for_everyone(models):
    folds = Folds(models / "all", {"errsm_18": models / "without"})
    assert folds.seen([source("errsm_18")]) == ()
    assert {one.folder for one in folds.models([source("errsm_18"), source("errsm_21")])} == {"all", "without"}


def test_a_manifest_that_does_not_say_is_unknown_and_not_nobody(models):
    people = {one.folder: one.training_people for one in Folds(models / "old", {}).models([source("a")])}
    assert people == {"old": None}
    assert {one.training_people for one in Folds(models / "without", {}).models([source("a")])} == {()}


def test_seen_people_are_refused_with_what_to_do():
    with pytest.raises(SeenPeopleError, match=r"trained on errsm_11, errsm_18.*--fold PERSON=MODELS_DIR.*--seen"):
        refuse_seen(["errsm_11", "errsm_18"])
    refuse_seen([])


def test_a_person_without_models_is_named():
    with pytest.raises(ValueError, match="no models for errsm_21"):
        Folds(None, {}).folder_of("errsm_21")
