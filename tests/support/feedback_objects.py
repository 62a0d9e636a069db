"""What people and archives make of our results: the objects as a PACS would send them back."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence as Items
from pydicom.uid import ContentAssessmentResultsStorage, KeyObjectSelectionDocumentStorage, generate_uid

from node.domain.anatomy import Structure
from node.reporting.codes import STRUCTURES

REJECTED, EXPIRED, OF_INTEREST = "113001", "113039", "113000"


def corrected_seg(report: Path, out: Path, rows: int = 2) -> Path:
    """Write our sagittal SEG with the first marked rows of each frame of the cord erased, as a viewer saves it: new UIDs."""
    document = _renamed(dcmread(report / "seg_sagittal_t2.dcm"))
    pixels = np.array(document.pixel_array).reshape(-1, document.Rows, document.Columns)
    cord = STRUCTURES[Structure.SPINAL_CORD].value
    numbers = {int(one.SegmentNumber): one.SegmentedPropertyTypeCodeSequence[0].CodeValue for one in document.SegmentSequence}
    for frame, groups in zip(pixels, document.PerFrameFunctionalGroupsSequence, strict=True):
        if numbers[int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)] == cord:
            frame[np.flatnonzero(frame.any(axis=1))[:rows]] = 0
    document.PixelData = np.packbits(pixels.ravel(), bitorder="little").tobytes()
    return _saved(document, out)


def copied_seg(report: Path, out: Path) -> Path:
    """Write our sagittal SEG unchanged under new UIDs."""
    return _saved(_renamed(dcmread(report / "seg_sagittal_t2.dcm")), out)


def report_again(report: Path, out: Path, *, added: float = 0.0, verified: bool = False) -> Path:
    """Write our SR under new UIDs, each of its numbers changed by so much, verified or not."""
    document = _renamed(dcmread(report / "sr_comprehensive_3d.dcm"))
    for number in _numbers(document) if added else ():
        number.NumericValue = f"{float(number.NumericValue) + added:.4f}"
    document.VerificationFlag = "VERIFIED" if verified else "UNVERIFIED"
    return _saved(document, out)


def assessment(report: Path, out: Path, meaning: str) -> Path:
    """Write an SR that refers to ours and says what it thinks of it in a code of a private scheme."""
    document = _named_in_evidence(report, dcmread(report / "sr_comprehensive_3d.dcm"))
    item = Dataset()
    item.ValueType, item.RelationshipType = "CODE", "CONTAINS"
    item.ConceptNameCodeSequence = Items([_code("X1", "99TEST", "Assessment of the result")])
    item.ConceptCodeSequence = Items([_code("X2", "99TEST", meaning)])
    document.ContentSequence = Items([item])
    return _saved(document, out)


def key_objects(report: Path, out: Path, title: str) -> Path:
    """Write a key object selection with a title of PS3.16 CID 7010 that refers to our SR."""
    document = _named_in_evidence(report, dcmread(report / "ko.dcm"))
    document.SOPClassUID = document.file_meta.MediaStorageSOPClassUID = KeyObjectSelectionDocumentStorage
    document.ConceptNameCodeSequence = Items([_code(title, "DCM", "JANE DOE")])
    document.ContentSequence = Items([])
    return _saved(document, out)


def content_assessment(report: Path, out: Path, summary: str) -> Path:
    """Write a content assessment of our SR."""
    document = _named_in_evidence(report, dcmread(report / "ko.dcm"))
    document.SOPClassUID = document.file_meta.MediaStorageSOPClassUID = ContentAssessmentResultsStorage
    document.Modality, document.AssessmentSummary = "ASMT", summary
    document.AssessedSOPInstanceSequence = document.CurrentRequestedProcedureEvidenceSequence
    return _saved(document, out)


def _renamed(document: Dataset) -> Dataset:
    document.SeriesInstanceUID, document.SOPInstanceUID = generate_uid(), generate_uid()
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    document.ManufacturerModelName = "Some viewer"
    return document


def _named_in_evidence(report: Path, document: Dataset) -> Dataset:
    ours = dcmread(report / "sr_comprehensive_3d.dcm")
    one, series, study = Dataset(), Dataset(), Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = ours.SOPClassUID, ours.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = ours.SeriesInstanceUID, Items([one])
    study.StudyInstanceUID, study.ReferencedSeriesSequence = ours.StudyInstanceUID, Items([series])
    document.CurrentRequestedProcedureEvidenceSequence = Items([study])
    return _renamed(document)


def _numbers(document: Dataset) -> Iterator[Dataset]:
    for item in document.get("ContentSequence") or ():
        yield from item.get("MeasuredValueSequence") or ()
        yield from _numbers(item)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _saved(document: Dataset, out: Path) -> Path:
    path = out / f"{document.SOPInstanceUID}.dcm"
    document.save_as(path, enforce_file_format=True)
    return path
