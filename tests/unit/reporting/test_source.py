import pytest
from pydicom.dataset import Dataset

from node.domain.errors import PermanentError, Reason
from node.domain.study import SeriesRole
from node.reporting.source import content_moment, read_source
from tests.support.analyses import SAGITTAL, Scene, synthetic_analysis
from tools.phantom.series import Encoding


def dated(**values):
    data_set = Dataset()
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return data_set


def test_results_bear_the_latest_moment_of_their_sources():
    one = dated(StudyDate="20240101", StudyTime="101500", ContentDate="20240101", ContentTime="103000.5")
    other = dated(StudyDate="20240101", StudyTime="101500", AcquisitionDate="20240102", AcquisitionTime="000100")
    assert content_moment([one]) == ("20240101", "103000")
    assert content_moment([one, other]) == ("20240102", "000100")


@pytest.mark.parametrize("header", [dated(), dated(StudyDate="", StudyTime="101500")])
def test_without_a_date_there_is_a_plain_blank(header):
    assert content_moment([header]) == ("19000101", "000000")


@pytest.mark.parametrize("enhanced", [False, True])
def test_headers_name_every_slice_and_every_instance_once(enhanced, tmp_path):
    analysis = synthetic_analysis(tmp_path, Scene(axial=None, encoding=Encoding(enhanced=enhanced)))
    source = read_source(analysis.series_by_role[SeriesRole.SAGITTAL_T2].volume)
    assert len({header.SOPInstanceUID for header in source.slice_headers}) == SAGITTAL.slices
    instances = [header.SOPInstanceUID for header in source.instance_headers]
    assert instances == list(dict.fromkeys(one.instance.sop_instance_uid for one in source.volume.sources))
    assert len(instances) == (1 if enhanced else SAGITTAL.slices)
    assert source.thickness_mm == pytest.approx(SAGITTAL.thickness_mm)
    assert all(header.PatientName == "" and header.PatientID == "" for header in source.slice_headers)


def test_every_slice_has_its_own_place_in_its_header(tmp_path):
    analysis = synthetic_analysis(tmp_path, Scene(axial=None, encoding=Encoding(enhanced=True)))
    source = read_source(analysis.series_by_role[SeriesRole.SAGITTAL_T2].volume)
    (instance,) = source.instance_headers
    assert instance.SOPInstanceUID not in {header.SOPInstanceUID for header in source.slice_headers}, "the copy alone was renamed"
    for number, (header, plane) in enumerate(zip(source.slice_headers, source.volume.planes, strict=True), start=1):
        assert header.ImagePositionPatient == pytest.approx(plane.position)
        assert header.InstanceNumber == number


def test_a_source_that_went_away_is_named(tmp_path):
    analysis = synthetic_analysis(tmp_path, Scene(axial=None))
    volume = analysis.series_by_role[SeriesRole.SAGITTAL_T2].volume
    volume.sources[1].instance.path.unlink()
    with pytest.raises(PermanentError, match=volume.sources[1].instance.sop_instance_uid) as raised:
        read_source(volume)
    assert raised.value.reason is Reason.NOT_DICOM
