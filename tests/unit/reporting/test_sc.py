import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from node.config import ReportingConfig
from node.domain.study import SeriesRole
from node.reporting.provenance import Provenance, Software
from node.reporting.sc import build_sc
from node.reporting.source import read_source

PAGE = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def source(analysis):
    return read_source(analysis.series_by_role[SeriesRole.SAGITTAL_T2].volume)


def capture(source, fingerprint="a" * 64, qualification="RESEARCH"):
    settings = ReportingConfig(content_qualification=qualification)
    return build_sc(PAGE, source, Provenance(Software("cspine-node", "1.2.3"), settings, ()), fingerprint)


def test_the_pixels_are_those_of_the_page_without_loss(source):
    built = capture(source)
    assert built.SOPClassUID == SecondaryCaptureImageStorage
    assert built.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (built.pixel_array == PAGE).all()
    assert built.LossyImageCompression == "00"


def test_it_can_neither_be_measured_upon_nor_given_directions(source):
    built = capture(source)
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "ImageOrientationPatient"):
        assert keyword not in built
    assert not built.PatientOrientation


@pytest.mark.parametrize("qualification", ["RESEARCH", "SERVICE", "PRODUCT"])
def test_it_says_that_software_made_it_and_what_for(qualification, source):
    built = capture(source, qualification=qualification)
    assert built.SeriesDescription == f"AI summary {qualification}"
    assert built.ContentQualification == qualification
    assert list(built.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert built.BodyPartExamined == "CSPINE"
    assert "not verified" in built.DerivationDescription


def test_it_refers_to_the_images_that_it_was_drawn_from(source):
    built = capture(source)
    referred = [item.ReferencedSOPInstanceUID for item in built.SourceImageSequence]
    assert referred == [one.instance.sop_instance_uid for one in source.volume.sources]
    assert built.StudyInstanceUID == source.headers[0].StudyInstanceUID


def test_nothing_of_the_patient_or_of_the_clock_is_in_it(source):
    built = capture(source)
    assert not any(built.get(keyword) for keyword in ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber"))
    assert "DateOfSecondaryCapture" not in built
    assert "TimeOfSecondaryCapture" not in built
    assert built.BurnedInAnnotation == "NO"


def test_uids_follow_from_the_fingerprint(source):
    first, again, other = capture(source), capture(source), capture(source, "b" * 64)
    assert first.SOPInstanceUID == again.SOPInstanceUID != other.SOPInstanceUID
    assert first.SeriesInstanceUID == again.SeriesInstanceUID != other.SeriesInstanceUID
    assert first.SeriesInstanceUID != first.SOPInstanceUID
