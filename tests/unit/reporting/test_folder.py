import errno
from pathlib import Path

import pytest

from node.domain.errors import Declined, Finding, PermanentError, Reason, Severity, TransientError
from node.domain.identity import InstanceRef
from node.domain.report import ReportKind, ReportObject
from node.reporting import Software, read_report, write_declined
from node.reporting.folder import write_report


def report_object(path: Path, uid: str, fallback: ReportObject | None = None) -> ReportObject:
    return ReportObject(ReportKind.SR, InstanceRef("1.2", "1.3", uid, "1.4", path), "1.2.840.10008.1.2.1", fallback)


def writer(content: bytes):
    def write_files(folder: Path) -> tuple[ReportObject, ...]:
        (folder / "first.dcm").write_bytes(content)
        (folder / "other.dcm").write_bytes(b"other")
        return (report_object(folder / "first.dcm", "1.5", report_object(folder / "other.dcm", "1.6")),)

    return write_files


def test_objects_come_back_with_their_fallbacks_and_final_paths(tmp_path):
    written = write_report(tmp_path / "out", writer(b"one"))
    assert written == read_report(tmp_path / "out")
    assert written == writer_objects(tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def writer_objects(folder):
    return (report_object(folder / "first.dcm", "1.5", report_object(folder / "other.dcm", "1.6")),)


def test_a_writer_that_fails_leaves_nothing_behind(tmp_path):
    def failing(folder: Path) -> tuple[ReportObject, ...]:
        (folder / "half.dcm").write_bytes(b"half")
        raise PermanentError(Reason.REPORT_FAILED, "no")

    write_report(tmp_path / "out", writer(b"one"))
    before = (tmp_path / "out" / "first.dcm").read_bytes()
    with pytest.raises(PermanentError):
        write_report(tmp_path / "out", failing)
    assert (tmp_path / "out" / "first.dcm").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_the_same_report_is_kept_and_another_replaces_it(tmp_path):
    out = tmp_path / "out"
    write_report(out, writer(b"one"))
    inode = out.stat().st_ino
    write_report(out, writer(b"one"))
    assert out.stat().st_ino == inode
    write_report(out, writer(b"two"))
    assert (out / "first.dcm").read_bytes() == b"two"
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_a_damaged_report_is_written_anew(tmp_path):
    out = tmp_path / "out"
    write_report(out, writer(b"one"))
    (out / "first.dcm").write_bytes(b"bad")
    write_report(out, writer(b"one"))
    assert (out / "first.dcm").read_bytes() == b"one"


def test_files_of_others_are_never_deleted(tmp_path):
    out = tmp_path / "out"
    write_report(out, writer(b"one"))
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(PermanentError, match=r"notes\.txt") as raised:
        write_report(out, writer(b"two"))
    assert raised.value.reason is Reason.OUTPUT_FOLDER_IN_USE
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(("code", "reason"), [(errno.ENOSPC, Reason.DISK_FULL), (errno.EIO, Reason.STORE_FAILED)])
def test_a_disk_that_refuses_is_tried_again_later(code, reason, tmp_path):
    def refused(folder: Path) -> tuple[ReportObject, ...]:
        raise OSError(code, "no")

    with pytest.raises(TransientError) as raised:
        write_report(tmp_path / "out", refused)
    assert raised.value.reason is reason
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    assert len(write_report(tmp_path / "out", writer(b"one"))) == 1


@pytest.mark.parametrize("damage", ["no folder", "no index", "half an index", "no object"])
def test_a_report_that_is_not_whole_is_not_read(damage, tmp_path):
    out = tmp_path / "out"
    if damage != "no folder":
        write_report(out, writer(b"one"))
    if damage == "no index":
        (out / "report.json").unlink()
    if damage == "half an index":
        (out / "report.json").write_bytes((out / "report.json").read_bytes()[:40])
    if damage == "no object":
        (out / "other.dcm").unlink()
    with pytest.raises(PermanentError) as raised:
        read_report(out)
    assert raised.value.reason is Reason.REPORT_UNREADABLE


def test_a_declined_study_has_a_report_without_objects(tmp_path):
    found = (Finding(Reason.WRONG_CONTRAST, Severity.DECLINE, "series 1.2.3: T1"),)
    declined = Declined(Reason.NO_SAGITTAL_T2, "no sagittal T2", found)
    write_declined("1.2.3", declined, Software("cspine-node", "1"), tmp_path / "out")
    assert read_report(tmp_path / "out") == ()
