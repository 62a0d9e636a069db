"""The report of segment volumes: the numbers, what they refer to, and when there is none."""

from dataclasses import replace

import numpy as np
import pytest
from highdicom.sr import Comprehensive3DSR
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from node.config import ReportingConfig
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.geometry import ImagePlane, Spacing
from node.domain.measurement import Verdict
from node.domain.prediction import Masks, ModelIdentity
from node.domain.study import SeriesRole
from node.reporting.provenance import Provenance, Software
from node.reporting.seg import build_seg
from node.reporting.source import read_source
from node.reporting.sr_volumes import build_sr_volumes, volume_mm3, volumes_as_comprehensive_sr
from tests.support.analyses import SPINE
from tests.support.analytic_shapes import volume_of

SAG, AX = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2
CORD = Structure.SPINAL_CORD


def box_series(slices):
    """A cord of 4 x 5 pixels on every slice; pixels of 0.5 x 0.8 mm, slices of 3.3 mm."""
    planes = [ImagePlane([-3.3 * n, 0, 0], [0, 1, 0], [0, 0, -1], Spacing(0.5, 0.8), 12, 10) for n in range(slices)]
    probabilities = np.zeros((slices, 12, 10), dtype=np.float16)
    probabilities[:, 3:7, 2:7] = 0.9
    probabilities[:, 7, 2:7] = 0.4
    return SegmentedSeries(volume_of(planes), Masks({CORD: probabilities}, ModelIdentity("box", "1", "0")))


def test_a_volume_is_pixels_times_area_times_distance_between_slices():
    assert volume_mm3(box_series(3), CORD, 2.0) == pytest.approx(3 * (4 * 0.5) * (5 * 0.8) * 3.3)


def test_a_single_slice_is_as_thick_as_it_says():
    assert volume_mm3(box_series(1), CORD, 2.0) == pytest.approx((4 * 0.5) * (5 * 0.8) * 2.0)


def provenance_of(analysis):
    return Provenance(Software("cspine-node", "1.2.3"), ReportingConfig(), analysis.measurements.models)


def built(analysis):
    """The report with the SEGs that it refers to."""
    provenance = provenance_of(analysis)
    sources = {role: read_source(series.volume) for role, series in analysis.series_by_role.items()}
    masks = {role: series.masks for role, series in analysis.series_by_role.items()}
    segs = {role: build_seg(role, sources[role], masks[role], provenance, analysis.fingerprint) for role in sources}
    return build_sr_volumes(analysis, sources, segs, provenance), segs


def said(group):
    """What the plausibility gate says of a group, as codes."""
    evaluations = ((one.name.value, one.value.value) for one in group.get_qualitative_evaluations())
    return {name: value for name, value in evaluations if name.startswith("QC_")}


def groups(document):
    return Comprehensive3DSR.from_dataset(document).content.get_volumetric_roi_measurement_groups()


@pytest.fixture(scope="module")
def report(analysis):
    return built(analysis)


def test_every_segment_has_its_volume_and_its_tracking(analysis, report):
    document, segs = report
    found = {(one.referenced_segment.referenced_sop_instance_uid, one.tracking_uid): one for one in groups(document)}
    assert len(found) == 4
    for role, seg in segs.items():
        series = analysis.series_by_role[role]
        for segment, structure in zip(seg.SegmentSequence, Structure, strict=True):
            group = found[seg.SOPInstanceUID, segment.TrackingUID]
            (number,) = group.get_measurements()
            thickness_mm = series.volume.geometry.spacing_between_slices_mm
            assert number.value == pytest.approx(volume_mm3(series, structure, thickness_mm), abs=0.51)
            assert number.unit.value == "mm3"
            assert group.tracking_identifier == segment.TrackingID
            (item,) = (one for one in group.referenced_segment if one.ValueType == "IMAGE")
            assert item.referenced_segment_numbers == [segment.SegmentNumber]


def test_a_volume_is_that_of_the_shape(analysis):
    series = analysis.series_by_role[AX]
    along_mm = SPINE.top[2] - np.array([plane.position[2] for plane in series.volume.planes])
    # 22 mm wide, and as deep as the spine says at each slice; whole pixels make the difference
    expected_mm3 = 22.0 * SPINE.canal_width(along_mm).sum() * 5.4
    assert volume_mm3(series, Structure.SPINAL_CANAL, 1.0) == pytest.approx(expected_mm3, rel=0.05)


def test_no_volume_passes_without_review(report):
    assert report[0].CompletionFlag == "COMPLETE"
    for group in groups(report[0]):
        assert said(group) == {"QC_STATUS": "QC_REVIEW"}


def test_a_mask_that_gave_no_diameter_has_no_volume(analysis):
    finding = Finding(Reason.CORD_MULTIPLE_COMPONENTS, Severity.WITHHOLD, "the cord is in two pieces")
    measured = analysis.measurements.sagittal
    lost = [
        replace(one, cord_ap=replace(one.cord_ap, value=None, verdict=Verdict.WITHHOLD, findings=(finding,)))
        if one.level == "C4"
        else one
        for one in measured.levels
    ]
    changed = replace(analysis.measurements, sagittal=replace(measured, levels=tuple(lost)))
    document, _ = built(replace(analysis, measurements=changed))
    assert document.CompletionFlag == "PARTIAL"
    by_name = {one.tracking_identifier: one for one in groups(document)}
    assert [name for name, one in by_name.items() if not one.get_measurements()] == ["Spinal cord SAG T2"]
    assert said(by_name["Spinal cord SAG T2"]) == {"QC_STATUS": "QC_WITHHELD", "QC_REASON": "R_CORD_PIECES"}


def test_the_same_content_is_there_as_comprehensive_sr_in_a_series_of_its_own(analysis, report):
    document, _ = report
    other = volumes_as_comprehensive_sr(document, analysis)
    assert (document.SOPClassUID, other.SOPClassUID) == (Comprehensive3DSRStorage, ComprehensiveSRStorage)
    assert (document.SeriesNumber, other.SeriesNumber) == (9320, 9321)
    assert document.SOPInstanceUID != other.SOPInstanceUID
    assert document.SeriesInstanceUID != other.SeriesInstanceUID
    assert other.ContentSequence == document.ContentSequence


def test_without_a_segment_there_is_no_report(analysis):
    assert build_sr_volumes(analysis, {}, {}, provenance_of(analysis)) is None
