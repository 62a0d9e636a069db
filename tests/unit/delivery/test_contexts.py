"""What we propose."""

from pathlib import Path

from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    MRImageStorage,
    SegmentationStorage,
)

from node.delivery.contexts import contexts_for, proposed_contexts
from node.delivery.receipt import Receipt, RefusedObject
from node.delivery.scu import is_stored
from node.domain.errors import Reason
from node.domain.report import ReportKind
from tests.support.dicom_peers import report_object


def encodings(contexts) -> list[tuple[str, str]]:
    return [(context.abstract_syntax, context.transfer_syntax[0]) for context in contexts]


def test_only_what_is_sent_and_its_fallbacks_is_proposed(tmp_path: Path):
    fallback = report_object(tmp_path / "b.dcm", ReportKind.SR, ComprehensiveSRStorage)
    objects = [
        report_object(tmp_path / "a.dcm", ReportKind.SR, Comprehensive3DSRStorage, fallback=fallback),
        report_object(tmp_path / "c.dcm", ReportKind.SEG, SegmentationStorage),
        report_object(tmp_path / "d.dcm", ReportKind.SEG, SegmentationStorage),
    ]
    assert encodings(proposed_contexts(objects)) == [
        (sop_class, transfer_syntax)
        for sop_class in (Comprehensive3DSRStorage, ComprehensiveSRStorage, SegmentationStorage)
        for transfer_syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    ]


def test_compressed_files_are_proposed_as_they_are():
    assert encodings(contexts_for([(MRImageStorage, JPEGLSLossless)])) == [(MRImageStorage, JPEGLSLossless)]


def test_a_receipt_is_complete_if_nothing_was_refused(tmp_path: Path):
    item = report_object(tmp_path / "a.dcm", ReportKind.SEG, SegmentationStorage)
    assert Receipt((), ()).is_complete
    assert not Receipt((), (RefusedObject(item, Reason.STORE_FAILED, ""),)).is_complete


def test_statuses_that_mean_stored():
    assert [status for status in (0, 1, 0x0111, 0xB000, 0xB006, 0xA700, 0xA900, 0xC000, 0x0122, 0x0110) if is_stored(status)] == [
        0,
        1,
        0x0111,
        0xB000,
        0xB006,
    ]
