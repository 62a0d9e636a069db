import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from node.config import ReportingConfig
from node.reporting.provenance import Provenance, Software
from node.reporting.sc import build_sc
from node.reporting.source import read_source

PAGE = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def sources(analysis):
    return [read_source(series.volume) for series in analysis.series_by_role.values()]


def capture(sources, fingerprint="a" * 64, qualification="RESEARCH"):
    settings = ReportingConfig(content_qualification=qualification)
    return build_sc(PAGE, sources, Provenance(Software("cspine-node", "1.2.3"), settings, ()), fingerprint)


def test_the_pixels_are_those_of_the_page_without_loss(sources):
    built = capture(sources)
    assert built.SOPClassUID == SecondaryCaptureImageStorage
    assert built.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (built.pixel_array == PAGE).all()
    assert built.LossyImageCompression == "00"


def test_it_can_neither_be_measured_upon_nor_given_directions(sources):
    built = capture(sources)
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "ImageOrientationPatient"):
        assert keyword not in built
    assert not built.PatientOrientation


@pytest.mark.parametrize("qualification", ["RESEARCH", "SERVICE", "PRODUCT"])
def test_it_says_that_software_made_it_and_what_for(qualification, sources):
    built = capture(sources, qualification=qualification)
    assert built.SeriesDescription == f"AI summary {qualification}"
    assert built.ContentQualification == qualification
    assert list(built.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert built.BodyPartExamined == "CSPINE"
    assert "not verified" in built.DerivationDescription


def test_it_refers_to_the_images_that_it_was_drawn_from(sources):
    built = capture(sources)
    referred = [item.ReferencedSOPInstanceUID for item in built.SourceImageSequence]
    assert referred == [one.instance.sop_instance_uid for source in sources for one in source.volume.sources]
    assert len(sources) == 2
    assert built.StudyInstanceUID == sources[0].headers[0].StudyInstanceUID


def test_nothing_of_the_patient_or_of_the_clock_is_in_it(sources):
    built = capture(sources)
    assert not any(built.get(keyword) for keyword in ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber"))
    assert "DateOfSecondaryCapture" not in built
    assert "TimeOfSecondaryCapture" not in built
    assert built.BurnedInAnnotation == "NO"


def test_uids_follow_from_the_fingerprint(sources):
    first, again, other = capture(sources), capture(sources), capture(sources, "b" * 64)
    assert first.SOPInstanceUID == again.SOPInstanceUID != other.SOPInstanceUID
    assert first.SeriesInstanceUID == again.SeriesInstanceUID != other.SeriesInstanceUID
    assert first.SeriesInstanceUID != first.SOPInstanceUID
