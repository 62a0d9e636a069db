"""What we make of the answers to STOW-RS: only what a peer lists as stored is stored."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, SegmentationStorage

from node.config import DestinationConfig
from node.delivery import Receipt, deliver_objects, echo, send_files
from node.domain.errors import NodeError, PermanentError, Reason, TransientError
from node.domain.report import ReportKind, ReportObject
from tests.support.dicom_peers import report_object
from tests.support.external import drops_sockets, free_port
from tests.support.web_pacs import Answer, running_web_pacs


def uid_in(body: bytes) -> str:
    """Return the UID of the instance in a request, as its part holds it."""
    boundary = body[: body.index(b"\r\n")]
    part = body[body.index(b"\r\n\r\n") + 4 : body.rindex(b"\r\n" + boundary)]
    return str(dcmread(DicomBytesIO(part)).SOPInstanceUID)


def listing(stored: Sequence[str] = (), failed: Sequence[tuple[str, int]] = (), warning: int | None = None) -> bytes:
    """Return the body of an answer (PS3.18 table 10.5.3-1)."""
    answer = Dataset()
    answer.ReferencedSOPSequence, answer.FailedSOPSequence = [], []
    for uid in stored:
        item = Dataset()
        item.ReferencedSOPInstanceUID = uid
        if warning is not None:
            item.WarningReason = warning
        answer.ReferencedSOPSequence.append(item)
    for uid, reason in failed:
        item = Dataset()
        item.ReferencedSOPInstanceUID, item.FailureReason = uid, reason
        answer.FailedSOPSequence.append(item)
    return answer.to_json().encode()


def deliver(objects: Sequence[ReportObject], answers: Sequence[Answer | str]) -> Receipt:
    """Deliver to a service with an answer to each request; a word stands for one that lists the instance."""
    queue = iter(answers)

    def answer(body: bytes) -> Answer:
        chosen = next(queue)
        return (200, listing([uid_in(body)])) if isinstance(chosen, str) else chosen

    with running_web_pacs(answer) as pacs:
        return deliver_objects(pacs.destination(), "CSPINE", objects)


@pytest.fixture
def seg(tmp_path: Path) -> ReportObject:
    return report_object(tmp_path / "seg.dcm", ReportKind.SEG, SegmentationStorage)


@pytest.fixture
def sr(tmp_path: Path) -> ReportObject:
    fallback = report_object(tmp_path / "sr2d.dcm", ReportKind.SR, ComprehensiveSRStorage)
    return report_object(tmp_path / "sr3d.dcm", ReportKind.SR, Comprehensive3DSRStorage, fallback=fallback)


def uid_of(item: ReportObject) -> str:
    return item.instance.sop_instance_uid


def test_the_file_is_sent_byte_for_byte_with_who_we_are(seg, tmp_path: Path):
    (tmp_path / "token").write_text("secret\n")
    with running_web_pacs(lambda body: (200, listing([uid_in(body)]))) as pacs:
        receipt = deliver_objects(pacs.destination(token_file=tmp_path / "token"), "CSPINE", [seg])
    assert receipt.is_complete
    ((line, headers, body),) = pacs.requests
    assert line == "POST /dicom-web/studies"
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Accept"] == "application/dicom+json"
    assert re.fullmatch(r'multipart/related; type="application/dicom"; boundary=\w+', headers["Content-Type"])
    assert seg.instance.path.read_bytes() in body


def test_a_user_comes_with_his_password(seg, tmp_path: Path):
    (tmp_path / "password").write_text("geheim")
    with running_web_pacs(lambda _body: (200, b"[]")) as pacs:
        report = echo(pacs.destination(user="node", password_file=tmp_path / "password"), "CSPINE")
    assert pacs.requests[0][0] == "GET /dicom-web/studies?limit=1"
    assert pacs.requests[0][1]["Authorization"] == "Basic bm9kZTpnZWhlaW0="
    assert report.accepted is None


@pytest.mark.parametrize(("status", "warning"), [(200, None), (202, 0xB000), (409, None)])
def test_what_is_listed_is_stored_whatever_the_status(seg, status, warning):
    receipt = deliver([seg], [(status, listing([uid_of(seg)], warning=warning))])
    assert [one.status for one in receipt.stored] == [warning or 0]


def test_a_duplicate_counts_as_stored(seg):
    assert deliver([seg], [(409, listing(failed=[(uid_of(seg), 0x0111)]))]).is_complete


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, listing()), "does not say that it stored it"),
        ((200, b""), "without a readable list"),
        ((200, b"<xml/>"), "without a readable list"),
        ((200, b"[" * 100_000), "without a readable list"),
        ((200, b'{"00081199": {"vr": "SQ", "Value": 7}}'), "without a readable list"),
        ((400, b"{}"), "HTTP 400"),
        ((413, b"too large"), "HTTP 413"),
        ((200, listing(["1.2.3"])), "does not say that it stored it"),
    ],
)
def test_what_is_not_listed_is_not_stored_and_the_next_is_sent(seg, sr, answer, said):
    receipt = deliver([seg, sr], [answer, "stored"])
    assert [one.requested for one in receipt.stored] == [sr]
    ((reason, message),) = [(one.reason, one.message) for one in receipt.refused]
    assert reason is Reason.STORE_FAILED
    assert said in message


def test_a_failure_has_its_reason(seg):
    (refused,) = deliver([seg], [(409, listing(failed=[(uid_of(seg), 0xC122)]))]).refused
    assert (refused.reason, "0xC122" in refused.message) == (Reason.STORE_FAILED, True)


@pytest.mark.parametrize("status", [409, 415])
def test_a_refused_class_falls_back(sr, status):
    refusal = (status, listing(failed=[(uid_of(sr), 0x0122)]))
    (stored,) = deliver([sr], [refusal, "stored"]).stored
    assert (stored.requested, stored.sent) == (sr, sr.fallback)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((401, b""), Reason.PEER_REJECTED),
        ((403, b""), Reason.PEER_REJECTED),
        ((404, b""), Reason.PEER_REJECTED),
        ((302, b""), Reason.PEER_REJECTED),
    ],
)
def test_what_an_administrator_can_change_is_tried_again(seg, answer, reason):
    with pytest.raises(TransientError) as refused:
        deliver([seg], [answer])
    assert refused.value.reason is reason


@pytest.mark.parametrize("status", [429, 500, 503])
def test_one_that_cannot_be_taken_now_does_not_hold_up_the_others(seg, sr, status):
    with running_web_pacs(lambda body: (status, b"") if uid_in(body) == uid_of(seg) else (200, listing([uid_in(body)]))) as pacs:
        with pytest.raises(TransientError) as refused:
            deliver_objects(pacs.destination(), "CSPINE", [seg, sr])
        assert len(pacs.requests) == 2
    assert refused.value.reason is Reason.PEER_OUT_OF_RESOURCES


def test_a_full_archive_is_tried_again(seg):
    with pytest.raises(TransientError) as refused:
        deliver([seg], [(409, listing(failed=[(uid_of(seg), 0xA700)]))])
    assert refused.value.reason is Reason.PEER_OUT_OF_RESOURCES


def test_an_answer_without_end_is_not_kept(seg):
    (refused,) = deliver([seg], [(200, b" " * (9 << 20))]).refused
    assert "more than" in refused.message


@drops_sockets
def test_a_service_that_is_away_is_tried_again(seg):
    away = {"url": f"http://127.0.0.1:{free_port()}/dicom-web"}
    destination = DestinationConfig.model_validate({"name": "pacs", "dicomweb": away, "timeout_s": 1})
    with pytest.raises(TransientError) as refused:
        deliver_objects(destination, "CSPINE", [seg])
    assert refused.value.reason is Reason.PEER_UNREACHABLE


def test_a_secret_that_cannot_be_read_says_so(tmp_path: Path):
    with running_web_pacs(lambda _body: (200, b"")) as pacs, pytest.raises(NodeError) as refused:
        echo(pacs.destination(token_file=tmp_path / "absent"), "CSPINE")
    assert isinstance(refused.value, PermanentError)
    assert refused.value.reason is Reason.CONFIG_INVALID


def test_send_sends_any_file_and_says_what_failed(seg, sr):
    answers = iter([(200, listing([uid_of(seg)])), (409, listing(failed=[(uid_of(sr), 0xC000)]))])
    with running_web_pacs(lambda _body: next(answers)) as pacs:
        sent = send_files(pacs.destination(), "CSPINE", [seg.instance.path, sr.instance.path], lambda _done, _total: None)
    assert sent.stored_count == 1
    assert [(path, "0xC000" in why) for path, why in sent.failed] == [(sr.instance.path, True)]
