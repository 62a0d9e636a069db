"""Files and folders as studies."""

from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from node.domain.errors import Reason
from node.store import collect_studies
from tests.support.dicom_peers import Uids, mr_instance, write_instance


def reasons(collected) -> dict[str, Reason]:
    return {path.name: finding.code for path, finding in collected.unusable}


def test_studies_are_found_below_folders_and_sorted_out(tmp_path: Path):
    first, second = Uids.new(), Uids.new()
    write_instance(tmp_path / "a" / "1.dcm", mr_instance(first))
    write_instance(tmp_path / "a" / "deep" / "2", mr_instance(Uids.new(first.study, first.series)))
    single = write_instance(tmp_path / "b.dcm", mr_instance(second))
    (tmp_path / "a" / "DICOMDIR").write_bytes(b"ignored")
    collected = collect_studies([tmp_path / "a", single])
    assert collected.unusable == ()
    counts = {study.study_instance_uid: [len(series.instances) for series in study.all_series] for study in collected.studies}
    assert counts == {first.study: [2], second.study: [1]}


def test_files_that_cannot_be_used_are_named_with_a_reason(tmp_path: Path):
    instance = mr_instance()
    whole = write_instance(tmp_path / "1whole.dcm", instance).read_bytes()
    (tmp_path / "2copy.dcm").write_bytes(whole)
    (tmp_path / "3cut.dcm").write_bytes(whole[:-10])
    (tmp_path / "4head.dcm").write_bytes(whole[:250])
    (tmp_path / "5text.txt").write_text("hello")
    (tmp_path / "6empty").touch()
    write_instance(tmp_path / "7hostile.dcm", mr_instance(Uids("../x", "1.2", "1.3")))
    collected = collect_studies([tmp_path, tmp_path / "missing"])
    assert len(collected.studies) == 1
    assert reasons(collected) == {
        "2copy.dcm": Reason.SLICE_DUPLICATED,
        "3cut.dcm": Reason.FILE_TRUNCATED,
        "4head.dcm": Reason.FILE_TRUNCATED,
        "5text.txt": Reason.NOT_DICOM,
        "6empty": Reason.NOT_DICOM,
        "7hostile.dcm": Reason.UID_INVALID,
        "missing": Reason.NOT_DICOM,
    }


@pytest.mark.parametrize("transfer_syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_a_file_that_lacks_its_last_bytes_is_truncated(tmp_path: Path, transfer_syntax):
    path = write_instance(tmp_path / "a.dcm", mr_instance(rows=64), transfer_syntax)
    assert collect_studies([path]).unusable == ()
    path.write_bytes(path.read_bytes()[:-9])
    assert reasons(collect_studies([path])) == {"a.dcm": Reason.FILE_TRUNCATED}


def test_no_message_holds_a_patient_or_a_path(tmp_path: Path):
    path = write_instance(tmp_path / "Sentinel.dcm", mr_instance())
    path.write_bytes(path.read_bytes()[:-9])
    assert all("Sentinel" not in finding.message for _, finding in collect_studies([tmp_path]).unusable)
