"""The volume of every segment as a second report (TID 1500, groups by TID 1411) that refers to the SEG.

Each group also has the outline of its segment where that is largest. The template does not ask for it, and allows it: of a report
one of whose groups has no coordinates OHIF shows no image at all, and it does not follow the reference to the segment.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import cv2
import numpy as np
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes

from node.domain.analysis import Analysis, History, SegmentedSeries
from node.domain.anatomy import Structure
from node.domain.errors import Reason, Severity
from node.domain.geometry import PixelPoint
from node.domain.measurement import Evidence, Verdict
from node.domain.study import SeriesRole
from node.reporting import codes
from node.reporting.items import CONTAINS, container_item, number_item
from node.reporting.provenance import Provenance
from node.reporting.source import SourceSeries
from node.reporting.sr import Heading, about, as_comprehensive_sr, evaluations, line_of, measurement_report, preliminary_document
from node.reporting.sr_content import Group, groups_of

_SERIES_NUMBER = 9320
_SMALLEST_OUTLINE = 3
_CUBIC_MILLIMETRE = dicom_codes.UCUM.CubicMillimeter
_STRUCTURES = {code.value: structure for structure, code in codes.STRUCTURES.items()}
#: What the plausibility gate says against a mask as a whole, not against a line or a level.
_AGAINST_MASK = frozenset(
    {
        Reason.CORD_NOT_FOUND,
        Reason.CANAL_NOT_FOUND,
        Reason.CORD_OUTSIDE_CANAL,
        Reason.CORD_MULTIPLE_COMPONENTS,
        Reason.CANAL_MULTIPLE_COMPONENTS,
        Reason.MASK_CONFIDENCE_LOW,
        Reason.PLANES_DISAGREE,
    }
)


def build_sr_volumes(
    analysis: Analysis,
    sources: Mapping[SeriesRole, SourceSeries],
    segmentations: Mapping[SeriesRole, Dataset],
    provenance: Provenance,
) -> Dataset | None:
    """Return the volumes of all segments as Comprehensive 3D SR; None without a segment.

    No rule of the plausibility gate judges a volume, so each is to be reviewed; one whose mask gave no diameter or area
    somewhere is withheld.

    Parameters
    ----------
    segmentations
        The SEG of each series whose masks are not empty.
    """
    if not segmentations:
        return None
    images = [header for role in segmentations for header in sources[role].instance_headers]
    measured = groups_of(analysis)
    segments = [(role, one) for role, segmentation in segmentations.items() for one in segmentation.SegmentSequence]
    reasons = [_reasons(role, segment, measured) for role, segment in segments]
    groups = [
        _group(segment, segmentations[role], analysis.series_by_role[role], sources[role], against, provenance)
        for (role, segment), against in zip(segments, reasons, strict=True)
    ]
    return preliminary_document(
        measurement_report(codes.MAGNETIC_RESONANCE_IMAGING, provenance, None, groups),
        [*images, *segmentations.values()],
        Heading("SR volumes", _SERIES_NUMBER, "AI segment volumes"),
        analysis.fingerprint,
        provenance,
        is_complete=not any(reasons),
    )


def volumes_as_comprehensive_sr(document: Dataset, analysis: Analysis) -> Dataset:
    """Return the same report as Comprehensive SR, with an identity and a series of its own."""
    own = replace(analysis, fingerprint=f"{analysis.fingerprint}/volumes", history=History())
    other = as_comprehensive_sr(document, own)
    other.SeriesNumber = _SERIES_NUMBER + 1
    return other


def volume_mm3(series: SegmentedSeries, structure: Structure, thickness_mm: float) -> float:
    """Return the volume of a mask within the slices.

    Every pixel counts whole and fills the distance to the next slice, so with slices of 3 to 5 mm it is approximate, and it
    ends where the slices end.

    Parameters
    ----------
    thickness_mm
        Thickness of a slice, for a series of one slice.
    """
    geometry = series.volume.geometry
    pixels = np.count_nonzero(series.masks.binary(structure))
    return pixels * geometry.planes[0].pixel_area_mm2 * (geometry.spacing_between_slices_mm or thickness_mm)


def _reasons(role: SeriesRole, segment: Dataset, measured: Iterable[Group]) -> tuple[Reason, ...]:
    """Return why values of the structure of a segment are withheld because of its mask."""
    structure = codes.STRUCTURES[_structure(segment)]
    findings = (
        finding
        for group in measured
        if group.finding == structure and (role is SeriesRole.AXIAL_T2) == group.name.startswith("Axial")
        for finding in group.findings
    )
    against = (one.code for one in findings if one.severity is Severity.WITHHOLD and one.code in _AGAINST_MASK)
    return tuple(dict.fromkeys(against))


def _structure(segment: Dataset) -> Structure:
    return _STRUCTURES[segment.SegmentedPropertyTypeCodeSequence[0].CodeValue]


def _group(
    segment: Dataset,
    segmentation: Dataset,
    series: SegmentedSeries,
    source: SourceSeries,
    reasons: tuple[Reason, ...],
    provenance: Provenance,
) -> Dataset:
    structure = _structure(segment)
    referenced = sr.ReferencedSegment(
        sop_class_uid=segmentation.SOPClassUID,
        sop_instance_uid=segmentation.SOPInstanceUID,
        segment_number=segment.SegmentNumber,
        source_series=sr.SourceSeriesForSegmentation(source.volume.series_instance_uid),
    )
    volumes = [] if reasons else [round(volume_mm3(series, structure, source.thickness_mm))]
    return container_item(
        CONTAINS,
        dicom_codes.DCM.MeasurementGroup,
        "1411",
        [
            *about(segment.TrackingID, segment.TrackingUID, codes.STRUCTURES[structure], [codes.CERVICAL_SPINE]),
            *provenance.algorithm([series.masks.model]),
            *(number_item(dicom_codes.SCT.Volume, volume, _CUBIC_MILLIMETRE) for volume in volumes),
            *evaluations(Verdict.WITHHOLD if reasons else Verdict.FLAG, reasons),
            *referenced,
            _outline(series, structure, source),
        ],
    )


def _outline(series: SegmentedSeries, structure: Structure, source: SourceSeries) -> Dataset:
    """Return the border of a segment on the slice that shows most of it: through the outermost pixels of its largest piece."""
    marked = series.masks.binary(structure)
    index = int(marked.sum(axis=(1, 2)).argmax())
    contours, _ = cv2.findContours(marked[index].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    border = max(contours, key=cv2.contourArea).reshape(-1, 2)
    if len(border) < _SMALLEST_OUTLINE:
        border = border[0] + np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    evidence = Evidence(index, tuple(PixelPoint(float(row), float(column)) for column, row in border))
    return line_of(CONTAINS, dicom_codes.DCM.Outline, evidence, source)
