"""A report that replaces an earlier version, and one that compares with an earlier study, through the eyes of readers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from highdicom import sr
from pydicom import dcmread

from node.config import Config, ReportingConfig
from node.domain.analysis import Analysis, History
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisStatus
from node.domain.prediction import ModelIdentity
from node.pipeline import open_pipeline
from node.reporting import Software, build_report, measurement_report, read_prior
from node.store import read_head
from node.store.store import Store
from node.worker import StoredStudyAnalyser
from tests.support.analyses import SPINE, Scene, synthetic_analysis
from tests.support.phantom_study import SMALL
from tests.support.validators import dciodvfy_complaints, dsrdump
from tools.phantom.series import Subject
from tools.phantom.study import write_phantom_study

SOFTWARE = Software("cspine-node", "1.2.3")
EARLIER, LATER = "20240102", "20250607"


def report(analysis: Analysis, folder: Path) -> Path:
    build_report(analysis, ReportingConfig(), SOFTWARE, folder)
    return folder


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Path:
    """The results folder of an earlier study."""
    folder = tmp_path_factory.mktemp("before")
    return report(synthetic_analysis(folder / "study"), folder / "report")


@pytest.fixture(scope="module")
def narrower(tmp_path_factory) -> Analysis:
    """The analysis of a later study, in which the cord is narrower."""
    later = Scene(subject=Subject("later"), spine=replace(SPINE, bulge_mm=SPINE.bulge_mm + 1))
    return synthetic_analysis(tmp_path_factory.mktemp("later"), later)


def with_prior(analysis: Analysis, before: Path) -> Analysis:
    found = measurement_report(before)
    assert found is not None
    prior = read_prior(found.instance.path)
    assert prior is not None
    return replace(analysis, fingerprint="a" * 64, history=History(prior=prior))


def measured(folder: Path) -> dict:
    return json.loads((folder / "measurements.json").read_text(encoding="utf-8"))


def groups_of(folder: Path, name: str = "sr_comprehensive_3d.dcm") -> dict:
    return {g.tracking_identifier: g for g in sr.srread(folder / name).content.get_planar_roi_measurement_groups()}


def numbers(group) -> dict[str, float]:
    return {number.name.value: number.value for number in group.get_measurements()}


@pytest.mark.parametrize("name", ["sr_comprehensive_3d.dcm", "sr_comprehensive.dcm"])
def test_the_change_is_present_less_prior_and_stands_where_the_present_value_stands(before, narrower, tmp_path, name):
    folder = report(with_prior(narrower, before), tmp_path / "report")
    then, now, groups = measured(before), measured(folder), groups_of(folder, name)
    mscc = numbers(groups["Change of maximum spinal cord compression since the prior"])
    assert mscc["MSCC_PRIOR"] == then["sagittal"]["mscc"]["value_percent"]
    assert mscc["MSCC_CHANGE"] == pytest.approx(now["sagittal"]["mscc"]["value_percent"] - mscc["MSCC_PRIOR"], abs=1e-9)
    assert mscc["MSCC_CHANGE"] > 5
    area = numbers(groups["Change of spinal cord area since the prior"])
    assert area["CORD_AREA_PRIOR"] == then["axial"]["ta_mm2"]
    place = groups["MSCC (c3-c7)"].roi.value
    assert (groups["Change of maximum spinal cord compression since the prior"].roi.value == place).all()
    assert now["prior"]["mscc_percent"] == {"prior": mscc["MSCC_PRIOR"], "change": mscc["MSCC_CHANGE"]}
    assert now["prior"]["study_instance_uid"] == then["study_instance_uid"] != now["study_instance_uid"]
    assert now["prior"]["reasons"] == []


def test_the_prior_is_pertinent_evidence_of_another_study(before, narrower, tmp_path):
    folder = report(with_prior(narrower, before), tmp_path / "report")
    prior = dcmread(before / "sr_comprehensive_3d.dcm")
    for name in ("sr_comprehensive_3d.dcm", "sr_comprehensive.dcm"):
        document = dcmread(folder / name)
        (study,) = document.PertinentOtherEvidenceSequence
        (series,) = study.ReferencedSeriesSequence
        assert study.StudyInstanceUID == prior.StudyInstanceUID
        assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == prior.SOPInstanceUID
        assert dciodvfy_complaints(folder / name) == []
        assert dsrdump(folder / name)[1] == []


def test_a_prior_of_other_networks_is_compared_with_a_warning(before, narrower, tmp_path):
    retrained = ModelIdentity("toy", "9.9.9", "9" * 64)
    analysis = with_prior(narrower, before)
    analysis = replace(analysis, measurements=replace(analysis.measurements, models=(retrained,)))
    folder = report(analysis, tmp_path / "report")
    said = groups_of(folder)["Change of maximum canal compromise since the prior"].get_qualitative_evaluations()
    assert {"QC_REVIEW", "R_PRIOR"} <= {one.value.value for one in said}
    assert [reason["code"] for reason in measured(folder)["prior"]["reasons"]] == ["prior_not_comparable"]


def test_what_was_withheld_then_is_not_compared(narrower, tmp_path):
    then = synthetic_analysis(tmp_path / "study", Scene(axial=None))
    before = report(then, tmp_path / "before")
    folder = report(with_prior(narrower, before), tmp_path / "report")
    assert "Change of maximum spinal cord compression since the prior" in groups_of(folder)
    assert "Change of spinal cord area since the prior" not in groups_of(folder)
    assert measured(folder)["prior"]["ta_mm2"] is None


def test_a_file_that_is_not_our_report_is_no_prior(before, tmp_path):
    assert read_prior(before / "seg_sagittal_t2.dcm") is None
    assert read_prior(before / "measurements.json") is None
    foreign = dcmread(before / "sr_comprehensive_3d.dcm")
    del foreign.CodingSchemeIdentificationSequence
    foreign.save_as(tmp_path / "foreign.dcm")
    assert read_prior(tmp_path / "foreign.dcm") is None
    assert measurement_report(tmp_path / "absent") is None


def test_a_new_version_names_its_predecessor_in_both_classes(before, narrower, tmp_path):
    history = History(predecessor=measurement_report(before))
    folder = report(replace(narrower, history=history), tmp_path / "report")
    for name in ("sr_comprehensive_3d.dcm", "sr_comprehensive.dcm"):
        old, new = dcmread(before / name), dcmread(folder / name)
        (study,) = new.PredecessorDocumentsSequence
        (series,) = study.ReferencedSeriesSequence
        (reference,) = series.ReferencedSOPSequence
        named = (study.StudyInstanceUID, series.SeriesInstanceUID, reference.ReferencedSOPInstanceUID)
        assert named == (old.StudyInstanceUID, old.SeriesInstanceUID, old.SOPInstanceUID)
        assert reference.ReferencedSOPClassUID == old.SOPClassUID
        assert dciodvfy_complaints(folder / name) == []
    assert measured(folder)["predecessor_sop_instance_uid"] == dcmread(before / "sr_comprehensive_3d.dcm").SOPInstanceUID


def test_the_worker_finds_predecessor_and_prior_in_the_store(tmp_path):
    """Two studies of one patient arrive, and the later one is analysed again, as it is and corrected."""
    store = Store(tmp_path / "store")
    first = _received(store, tmp_path / "first", 0, EARLIER)
    second = _received(store, tmp_path / "second", 1, LATER)
    analyser = StoredStudyAnalyser(open_pipeline(Config()), store)
    analysed_first = analyser.analyse(first, AnalysisId("a"), None)
    analysed_second = analyser.analyse(second, AnalysisId("b"), None)
    unchanged = analyser.analyse(second, AnalysisId("c"), analysed_second.folder)
    assert (unchanged.status, unchanged.object_count) == (AnalysisStatus.UNCHANGED, 0)
    _correct(store, second, AccessionNumber="CORRECTED")
    again = analyser.analyse(second, AnalysisId("c"), analysed_second.folder)
    documents = [measured(one.folder) for one in (analysed_first, analysed_second, again) if one.folder is not None]
    assert documents[0]["prior"] is None
    assert [one["prior"]["study_instance_uid"] for one in documents[1:]] == [first, first]
    assert [one["predecessor_sop_instance_uid"] for one in documents[:2]] == [None, None]
    assert documents[2]["predecessor_sop_instance_uid"] == _sr_uid(documents[1])
    assert _sr_uid(documents[2]) != _sr_uid(documents[1])


def _correct(store: Store, study: StudyInstanceUID, **attributes: str) -> None:
    """Change a study in the store as one that is sent again with other attributes."""
    for path in (store.root / "studies" / study).rglob("*.dcm"):
        data_set = dcmread(path)
        for keyword, value in attributes.items():
            setattr(data_set, keyword, value)
        data_set.save_as(path)


def _sr_uid(document: dict) -> str:
    return next(file["sop_instance_uid"] for file in document["files"] if file["path"] == "sr_comprehensive_3d.dcm")


def _received(store: Store, folder: Path, seed: int, date: str) -> StudyInstanceUID:
    """Put a phantom study into the store as the receiver does."""
    phantom = write_phantom_study(folder, replace(SMALL, seed=seed))
    for path in (path for paths in phantom.paths.values() for path in paths):
        data_set = dcmread(path)
        data_set.PatientID, data_set.StudyDate = "PHANTOM-0", date
        data_set.save_as(path)
        arrived = store.incoming / path.name
        arrived.write_bytes(path.read_bytes())
        store.receive(arrived, read_head(arrived))
    return next(uid for uid in store.study_uids() if uid == read_head(path).study_instance_uid)
