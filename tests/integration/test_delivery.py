"""Our SCU against real peers: Orthanc, and DCMTK's storescp with a choice of SOP classes."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    MRImageStorage,
    SegmentationStorage,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification

from node.config import DestinationConfig
from node.delivery import deliver_objects, echo, send_files
from node.domain.errors import PermanentError, Reason, TransientError
from node.domain.report import ReportKind
from tests.support.dicom_peers import Uids, dataset_bytes, mr_instance, report_object, running_storescp, write_instance
from tests.support.external import drops_sockets, free_port
from tests.support.orthanc import Orthanc, running_orthanc

# An association profile of storescp that takes Comprehensive SR in Implicit VR only, and verification.
STORESCP_PROFILE = """
[[TransferSyntaxes]]
[Implicit]
TransferSyntax1 = LittleEndianImplicit
[[PresentationContexts]]
[SROnly]
PresentationContext1 = ComprehensiveSRStorage\\Implicit
PresentationContext2 = VerificationSOPClass\\Implicit
[[Profiles]]
[Default]
PresentationContexts = SROnly
"""


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@contextmanager
def answering(status: Callable[[int], int], folder: Path) -> Iterator[DestinationConfig]:
    """Run a peer that answers the n-th C-STORE with a status of our choice."""
    count = iter(range(1000))
    entity = AE(ae_title="PEER")
    for sop_class in (SegmentationStorage, Comprehensive3DSRStorage, ComprehensiveSRStorage):
        entity.add_supported_context(sop_class, ExplicitVRLittleEndian)
    handlers = [(evt.EVT_C_STORE, lambda _event: status(next(count)))]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield DestinationConfig(name="peer", host="127.0.0.1", port=server.server_address[1], ae_title="PEER", timeout_s=5)
    finally:
        entity.shutdown()


def seg_and_sr(folder: Path):
    fallback = report_object(folder / "sr2d.dcm", ReportKind.SR, ComprehensiveSRStorage)
    return (
        report_object(folder / "seg.dcm", ReportKind.SEG, SegmentationStorage),
        report_object(folder / "sr3d.dcm", ReportKind.SR, Comprehensive3DSRStorage, fallback=fallback),
    )


@pytest.mark.parametrize("language", ["dicom", "dicomweb"])
def test_orthanc_stores_objects_and_again(orthanc: Orthanc, tmp_path: Path, language: str):
    objects = seg_and_sr(tmp_path)
    destination = orthanc.destination() if language == "dicom" else orthanc.web_destination()
    assert echo(destination, "CSPINE").ms > 0
    for _ in range(2):
        receipt = deliver_objects(destination, "CSPINE", objects)
        assert receipt.is_complete
        assert [stored.sent for stored in receipt.stored] == list(objects)
    for item in objects:
        (identifier,) = orthanc.find(item.instance.sop_instance_uid)
        (tmp_path / "back.dcm").write_bytes(orthanc.bytes_of(f"/instances/{identifier}/file"))
        assert dataset_bytes(tmp_path / "back.dcm") == dataset_bytes(item.instance.path)


def test_the_fallback_is_sent_where_a_sop_class_is_refused(tmp_path: Path):
    profile = tmp_path / "storescp.cfg"
    profile.write_text(STORESCP_PROFILE)
    seg, sr = seg_and_sr(tmp_path / "objects")
    with running_storescp(tmp_path / "received", ["-xf", str(profile), "Default"]) as destination:
        receipt = deliver_objects(destination, "CSPINE", [seg, sr])
        report = echo(destination, "CSPINE")
    (stored,) = receipt.stored
    assert (stored.requested, stored.sent) == (sr, sr.fallback)
    (refused,) = receipt.refused
    assert (refused.requested, refused.reason) == (seg, Reason.SOP_CLASS_REFUSED)
    assert "Segmentation Storage" in refused.message
    (received,) = (tmp_path / "received").iterdir()
    read = dcmread(received)
    assert read.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert read == dcmread(sr.fallback.instance.path)
    assert report.accepted == {
        "Segmentation Storage": (),
        "Comprehensive 3D SR Storage": (),
        "Comprehensive SR Storage": ("Implicit VR Little Endian",),
        "Grayscale Softcopy Presentation State Storage": (),
        "Key Object Selection Document Storage": (),
        "Secondary Capture Image Storage": (),
    }


def test_a_peer_that_takes_nothing_of_ours_refuses_every_object(tmp_path: Path):
    entity = AE(ae_title="PEER")
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    destination = DestinationConfig(name="peer", host="127.0.0.1", port=server.server_address[1], ae_title="PEER")
    try:
        receipt = deliver_objects(destination, "CSPINE", seg_and_sr(tmp_path))
    finally:
        entity.shutdown()
    assert receipt.stored == ()
    assert [refused.reason for refused in receipt.refused] == [Reason.SOP_CLASS_REFUSED] * 2


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xB007, 0x0111])
def test_success_warnings_and_duplicates_count_as_stored(tmp_path: Path, status: int):
    with answering(lambda _n: status, tmp_path) as destination:
        receipt = deliver_objects(destination, "CSPINE", seg_and_sr(tmp_path))
    assert [stored.status for stored in receipt.stored] == [status] * 2


def test_one_object_that_fails_does_not_stop_the_next(tmp_path: Path):
    with answering(lambda n: 0xC000 if n == 0 else 0, tmp_path) as destination:
        seg, sr = seg_and_sr(tmp_path)
        receipt = deliver_objects(destination, "CSPINE", [seg, sr])
    assert [(refused.requested, refused.reason) for refused in receipt.refused] == [(seg, Reason.STORE_FAILED)]
    assert "0xC000" in receipt.refused[0].message
    assert [stored.sent for stored in receipt.stored] == [sr]


def test_a_sop_class_refused_by_status_falls_back(tmp_path: Path):
    with answering(lambda n: 0x0122 if n == 0 else 0, tmp_path) as destination:
        _, sr = seg_and_sr(tmp_path)
        receipt = deliver_objects(destination, "CSPINE", [sr])
    assert [stored.sent for stored in receipt.stored] == [sr.fallback]


def test_a_missing_result_file_is_refused_and_the_others_are_sent(orthanc: Orthanc, tmp_path: Path):
    seg, sr = seg_and_sr(tmp_path)
    seg.instance.path.unlink()
    receipt = deliver_objects(orthanc.destination(), "CSPINE", [seg, sr])
    assert [refused.reason for refused in receipt.refused] == [Reason.NOT_DICOM]
    assert [stored.sent for stored in receipt.stored] == [sr]


def test_out_of_resources_is_tried_again_later(tmp_path: Path):
    with (
        answering(lambda _n: 0xA700, tmp_path) as destination,
        pytest.raises(TransientError) as caught,
    ):
        deliver_objects(destination, "CSPINE", seg_and_sr(tmp_path))
    assert caught.value.reason is Reason.PEER_OUT_OF_RESOURCES


@drops_sockets
def test_a_peer_that_is_down_is_tried_again_later(tmp_path: Path):
    destination = DestinationConfig(name="down", host="127.0.0.1", port=free_port(), ae_title="DOWN", timeout_s=1)
    with pytest.raises(TransientError) as caught:
        deliver_objects(destination, "CSPINE", seg_and_sr(tmp_path))
    assert caught.value.reason is Reason.PEER_UNREACHABLE
    assert "check host, port" in caught.value.message


def test_a_peer_that_accepts_and_says_nothing_is_left_after_the_timeout(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        destination = DestinationConfig(name="silent", host="127.0.0.1", port=port, ae_title="SILENT", timeout_s=1)
        with pytest.raises(TransientError) as caught:
            deliver_objects(destination, "CSPINE", seg_and_sr(tmp_path))
    assert caught.value.reason is Reason.PEER_UNREACHABLE


def test_a_peer_that_hangs_up_during_a_store_is_tried_again_later(tmp_path: Path):
    entity = AE(ae_title="PEER")
    entity.add_supported_context(SegmentationStorage, ExplicitVRLittleEndian)
    hung_up = threading.Event()

    def hang_up(event: evt.Event) -> int:
        event.assoc.abort()
        hung_up.set()
        return 0

    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, hang_up)])
    destination = DestinationConfig(name="peer", host="127.0.0.1", port=server.server_address[1], ae_title="PEER", timeout_s=5)
    try:
        with pytest.raises(TransientError) as caught:
            deliver_objects(destination, "CSPINE", seg_and_sr(tmp_path)[:1])
    finally:
        entity.shutdown()
    assert hung_up.is_set()
    assert caught.value.reason is Reason.PEER_UNREACHABLE


def test_a_wrong_ae_title_is_named_in_the_error(orthanc: Orthanc, tmp_path: Path):
    with pytest.raises(TransientError) as caught:
        echo(orthanc.destination(ae_title="WRONG"), "CSPINE")
    assert caught.value.reason is Reason.PEER_REJECTED
    assert "does not answer to this AE title" in caught.value.message


def test_echo_reports_what_orthanc_accepts(orthanc: Orthanc):
    report = echo(orthanc.destination(), "CSPINE")
    assert 0 < report.ms < 5000
    assert report.accepted["Segmentation Storage"]
    assert report.accepted["Comprehensive 3D SR Storage"]


def test_send_streams_files_of_several_encodings_and_names_what_failed(orthanc: Orthanc, tmp_path: Path):
    native, compressed = mr_instance(), mr_instance()
    text = tmp_path / "text.dcm"
    text.write_text("not DICOM")
    paths = [
        write_instance(tmp_path / "native.dcm", native),
        text,
        write_instance(tmp_path / "compressed.dcm", compressed, JPEGLSLossless),
    ]
    seen: list[tuple[int, int]] = []
    sent = send_files(orthanc.destination(), "CSPINE", paths, lambda done, total: seen.append((done, total)))
    assert sent.stored_count == 2
    assert [path for path, _ in sent.failed] == [text]
    assert seen == [(2, 3), (3, 3)]
    assert all(orthanc.find(str(instance.SOPInstanceUID)) for instance in (native, compressed))


def test_send_names_files_that_the_peer_does_not_take(tmp_path: Path):
    profile = tmp_path / "storescp.cfg"
    profile.write_text(STORESCP_PROFILE)
    path = write_instance(tmp_path / "mr.dcm", mr_instance(Uids.new(), sop_class=MRImageStorage))
    with running_storescp(tmp_path / "received", ["-xf", str(profile), "Default"]) as destination:
        sent = send_files(destination, "CSPINE", [path], lambda _done, _total: None)
    assert sent.stored_count == 0
    assert [failed for failed, _ in sent.failed] == [path]


def test_echo_of_a_peer_without_verification_is_a_permanent_error(tmp_path: Path):
    entity = AE(ae_title="PEER")
    entity.add_supported_context(MRImageStorage)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    destination = DestinationConfig(name="peer", host="127.0.0.1", port=server.server_address[1], ae_title="PEER", timeout_s=5)
    try:
        with pytest.raises(PermanentError) as caught:
            echo(destination, "CSPINE")
    finally:
        entity.shutdown()
    assert caught.value.reason is Reason.SOP_CLASS_REFUSED


def test_a_host_that_is_no_name_is_said_and_tried_again(tmp_path: Path):
    nowhere = DestinationConfig(name="nowhere", host="pacs..example", port=104, ae_title="PACS")  # fails before a server is asked
    with pytest.raises(TransientError, match=r"nowhere \(PACS at pacs\.\.example:104\): .*; check host") as refused:
        deliver_objects(nowhere, "CSPINE", seg_and_sr(tmp_path))
    assert refused.value.reason is Reason.PEER_UNREACHABLE
