"""What we make of the answers to QIDO-RS and WADO-RS that are not as they should be."""

import json
from pathlib import Path

import pytest

from node.delivery import Archive, StudyQuery
from node.delivery.query import FoundStudy
from node.domain.errors import NodeError, PermanentError, Reason, TransientError
from tests.support.dicom_peers import mr_instance, write_instance
from tests.support.web_pacs import Answer, running_web_pacs


def study(uid: str, patient: str) -> dict[str, object]:
    return {"0020000D": {"vr": "UI", "Value": [uid]}, "00100020": {"vr": "LO", "Value": [patient]}}


def find(answer: Answer) -> list[str]:
    answers = iter([answer, *[(204, b"")] * 9])
    with running_web_pacs(lambda _body: next(answers)) as pacs:
        return [one.study_instance_uid for one in Archive(pacs.source(), "CSPINE").find(StudyQuery(patient_id="P1"))]


def get(answer: Answer, folder: Path) -> tuple[int, int]:
    with running_web_pacs(lambda _body: answer) as pacs:
        outcome = Archive(pacs.source(), "CSPINE").get(FoundStudy("1.2", "", ("1.2.3",)), folder)
    return outcome.completed, outcome.failed


def parts(*contents: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in contents) + end


def test_a_study_of_another_patient_is_not_taken():
    assert find((200, json.dumps([study("1.2", "P1"), study("1.3", "P2")]).encode())) == ["1.2"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"a": 1}', b"[" * 100_000])
def test_what_is_no_list_of_studies_is_refused(body: bytes):
    with pytest.raises(PermanentError) as refused:
        find((200, body))
    assert refused.value.reason is Reason.QUERY_REFUSED


def test_a_uid_that_is_none_goes_into_no_path():
    with pytest.raises(NodeError) as refused:
        find((200, json.dumps([study("../../x", "P1")]).encode()))
    assert refused.value.reason in (Reason.UID_INVALID, Reason.QUERY_REFUSED)


def test_each_part_becomes_a_file_and_one_that_is_not_dicom_is_counted(tmp_path: Path):
    image = mr_instance()
    content = write_instance(tmp_path / "sent.dcm", image).read_bytes()
    (tmp_path / "got").mkdir()
    assert get((200, parts(content, b"junk")), tmp_path / "got") == (1, 1)
    (file,) = (tmp_path / "got").iterdir()
    assert (file.stem, file.read_bytes()) == (image.SOPInstanceUID, content)


@pytest.mark.parametrize(
    ("answer", "reason", "kind"),
    [
        ((200, parts(b"junk", end=b"")), Reason.PEER_UNREACHABLE, TransientError),
        ((200, b""), Reason.PEER_UNREACHABLE, TransientError),
        ((200, b"nonsense"), Reason.RETRIEVE_REFUSED, PermanentError),
        ((206, parts(b"junk")), Reason.RETRIEVE_REFUSED, PermanentError),
        ((406, b""), Reason.RETRIEVE_REFUSED, PermanentError),
        ((503, b""), Reason.PEER_OUT_OF_RESOURCES, TransientError),
    ],
)
def test_what_is_not_the_whole_series_is_an_error(tmp_path: Path, answer: Answer, reason: Reason, kind: type[NodeError]):
    with pytest.raises(kind) as refused:
        get(answer, tmp_path)
    assert refused.value.reason is reason
    assert list(tmp_path.iterdir()) == []
