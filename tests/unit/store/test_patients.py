from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from node.domain.identity import StudyInstanceUID
from node.store import PatientStudy, Store, identify_patient

FIRST, SECOND, THIRD = (StudyInstanceUID(f"1.2.{number}") for number in (1, 2, 3))


WHO = {
    "PatientID": "7",
    "IssuerOfPatientID": "HOSPITAL",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "PatientName": "Wang^X",
    "StudyDate": "20240102",
    "StudyTime": "101500.25",
}


def image(folder: Path, **changes: str) -> Path:
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = MRImageStorage, "1.2.3"
    for keyword, value in (WHO | changes).items():
        setattr(data_set, keyword, value)
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{len(list(folder.iterdir()))}.dcm"
    data_set.save_as(path, enforce_file_format=True)
    return path


def analysed(store: Store, study: StudyInstanceUID, performed: str, key: str = "k", analysis: str = "a") -> Path:
    folder = store.results_folder(study, analysis)
    store.note_analysis(PatientStudy(key, performed), study, analysis)
    return folder


def test_the_same_patient_has_the_same_key_at_another_date(tmp_path):
    now = identify_patient(image(tmp_path))
    assert now is not None
    assert now.performed == "20240102101500"
    assert identify_patient(image(tmp_path, StudyDate="20250607", StudyTime="0812")) == PatientStudy(now.key, "20250607081200")
    assert identify_patient(image(tmp_path, StudyDate="20250607", StudyTime="")) == PatientStudy(now.key, "20250607000000")


@pytest.mark.parametrize(
    "change",
    [
        {"PatientID": "8"},
        {"IssuerOfPatientID": ""},
        {"PatientBirthDate": "19700102"},
        {"PatientSex": "M"},
        {"PatientName": "B^C"},
    ],
)
def test_a_patient_who_differs_in_anything_is_another_one(tmp_path, change):
    now, other = identify_patient(image(tmp_path)), identify_patient(image(tmp_path, **change))
    assert now is not None
    assert other is not None
    assert now.key != other.key


@pytest.mark.parametrize("keyword", ["PatientID", "PatientBirthDate", "StudyDate"])
def test_without_number_birth_date_or_date_nobody_is_identified(tmp_path, keyword):
    assert identify_patient(image(tmp_path, **{keyword: ""})) is None


def test_what_is_no_dicom_identifies_nobody(tmp_path):
    (tmp_path / "text").write_text("no DICOM")
    assert identify_patient(tmp_path / "text") is None
    assert identify_patient(tmp_path / "absent") is None


def test_earlier_results_come_latest_first_and_never_from_the_study_itself_or_the_future(tmp_path):
    store = Store(tmp_path)
    first, second = analysed(store, FIRST, "20200101000000"), analysed(store, SECOND, "20210101000000")
    analysed(store, THIRD, "20220101000000")
    analysed(store, StudyInstanceUID("1.2.9"), "20200601000000", key="somebody else")
    assert store.earlier_results(PatientStudy("k", "20220101000000"), THIRD) == (second, first)
    assert store.earlier_results(PatientStudy("k", "20200601000000"), StudyInstanceUID("1.2.4")) == (first,)
    assert store.earlier_results(PatientStudy("nobody", "20220101000000"), THIRD) == ()


def test_the_latest_analysis_of_a_study_counts(tmp_path):
    store = Store(tmp_path)
    analysed(store, FIRST, "20200101000000", analysis="one")
    two = analysed(store, FIRST, "20200101000000", analysis="two")
    assert store.earlier_results(PatientStudy("k", "20220101000000"), SECOND) == (two,)


def test_a_deleted_study_is_forgotten(tmp_path):
    store = Store(tmp_path)
    analysed(store, FIRST, "20200101000000")
    second = analysed(store, SECOND, "20210101000000")
    store.delete_study(FIRST)
    assert store.earlier_results(PatientStudy("k", "20220101000000"), THIRD) == (second,)
    store.delete_study(SECOND)
    assert list((tmp_path / "patients").iterdir()) == []


def test_a_study_that_was_corrected_is_no_prior_of_the_wrong_patient(tmp_path):
    store = Store(tmp_path)
    analysed(store, FIRST, "20200101000000", key="wrong")
    for who in (PatientStudy("right", "20200101000000"), None):
        store.release_patient(FIRST, who)
        assert store.earlier_results(PatientStudy("wrong", "20220101000000"), SECOND) == ()
        if who is not None:
            right = analysed(store, FIRST, "20200101000000", key="right")
            store.release_patient(FIRST, who)
            assert store.earlier_results(PatientStudy("right", "20220101000000"), SECOND) == (right,)
    assert store.earlier_results(PatientStudy("right", "20220101000000"), SECOND) == ()
