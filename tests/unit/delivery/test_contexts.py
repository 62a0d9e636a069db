"""What we propose."""

from pathlib import Path
from typing import get_args

import pytest
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    KeyObjectSelectionDocumentStorage,
    MRImageStorage,
    SegmentationStorage,
)

from node.config import DestinationConfig
from node.config.delivery import ResultKind
from node.delivery.contexts import RESULT_SOP_CLASSES, SOP_CLASSES, contexts_for, proposed_contexts
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


def test_a_presentation_state_and_a_selection_are_proposed_when_they_are_sent(tmp_path: Path):
    sent = (GrayscaleSoftcopyPresentationStateStorage, KeyObjectSelectionDocumentStorage)
    objects = [report_object(tmp_path / f"{n}.dcm", kind, sent[n]) for n, kind in enumerate((ReportKind.PR, ReportKind.KO))]
    assert {sop_class for sop_class, _ in encodings(proposed_contexts(objects))} == set(sent)


def test_a_peer_is_asked_for_every_class_that_a_result_may_have():
    assert SOP_CLASSES.keys() == set(ReportKind)
    assert set(RESULT_SOP_CLASSES) == {sop_class for classes in SOP_CLASSES.values() for sop_class in classes}
    assert len(RESULT_SOP_CLASSES) == 6


def test_a_destination_can_ask_for_every_kind_and_gets_masks_numbers_and_lines_if_it_does_not():
    assert set(get_args(ResultKind)) == {kind.value for kind in ReportKind}
    fields = {"name": "pacs", "host": "pacs", "port": 104, "ae_title": "PACS"}
    assert DestinationConfig.model_validate(fields).objects == ("SEG", "SR", "PR")
    with pytest.raises(ValueError, match="objects"):
        DestinationConfig.model_validate(fields | {"objects": ["RTSTRUCT"]})


def test_lines_and_volumes_are_listed_as_the_reports_that_they_are():
    modalities = {kind.value: kind.modality for kind in ReportKind}
    assert modalities.pop("SR_LINES") == modalities.pop("SR_VOLUMES") == "SR"
    assert all(kind == modality for kind, modality in modalities.items())


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
