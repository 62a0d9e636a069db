"""The measurement report: Comprehensive 3D SR (TID 1500, groups by TID 1410), and the same content as Comprehensive SR."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import NotRequired, TypedDict, Unpack

import numpy as np
from highdicom import sr
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import ComprehensiveSRStorage

from node.domain.analysis import Analysis
from node.domain.anatomy import Level
from node.domain.errors import Finding
from node.domain.identity import InstanceRef
from node.domain.image import FrameSource
from node.domain.measurement import Evidence, Verdict
from node.domain.prediction import ModelIdentity
from node.domain.study import SeriesRole
from node.reporting import codes
from node.reporting.library import add_image_library
from node.reporting.provenance import Provenance
from node.reporting.references import reference_of, references_to
from node.reporting.source import SourceSeries
from node.reporting.sr_content import Group, Place, groups_of, is_complete
from node.reporting.uids import derived_uid

_SERIES_NUMBER = 9310


@dataclass(frozen=True, slots=True, eq=False)
class _Context:
    """What every group needs besides its own content."""

    sources: Mapping[SeriesRole, SourceSeries]
    fingerprint: str
    algorithms: Mapping[SeriesRole, sr.AlgorithmIdentification]


class _Status(TypedDict):
    """How far a document is, and what it replaces, by the parameter names of highdicom."""

    is_complete: bool
    previous_versions: NotRequired[list[Dataset] | None]


@dataclass(frozen=True, slots=True)
class Heading:
    """What tells one of our SRs from the others.

    Parameters
    ----------
    name
        What its UIDs are derived from.
    description
        Of its series.
    """

    name: str
    series_number: int
    description: str


def build_sr(analysis: Analysis, sources: Mapping[SeriesRole, SourceSeries], provenance: Provenance) -> Dataset:
    """Return the measurement report of an analysis as Comprehensive 3D SR.

    Complete or partial, always preliminary and unverified: no software verifies. Source: PS3.16 TID 1500, 1410, 1001,
    1600, 4019.
    """
    groups = groups_of(analysis)
    algorithms = {role: provenance.algorithm(models) for role, models in models_of(analysis).items()}
    context = _Context(sources, analysis.fingerprint, algorithms)
    images = [header for source in sources.values() for header in source.instance_headers]
    report = sr.MeasurementReport(
        observation_context=provenance.observation_context(),
        procedure_reported=procedure_of(next(iter(sources.values())).headers[0]),
        imaging_measurements=[_encode(group, context) for group in groups],
    )
    add_image_library(report, images)
    predecessor, prior = analysis.history.predecessor, analysis.history.prior
    return preliminary_document(
        report,
        images if prior is None else [*images, reference_of(prior.report)],
        Heading("SR", _SERIES_NUMBER, "AI cervical cord measurements"),
        analysis.fingerprint,
        provenance,
        is_complete=is_complete(groups),
        previous_versions=None if predecessor is None else [reference_of(predecessor.instance)],
    )


def preliminary_document(
    report: sr.MeasurementReport,
    evidence: Sequence[Dataset],
    heading: Heading,
    fingerprint: str,
    provenance: Provenance,
    **status: Unpack[_Status],
) -> Dataset:
    """Return a Comprehensive 3D SR that is preliminary and unverified, in a series of its own.

    Raises
    ------
    ValueError
        If the report refers to an instance that is not among the evidence.
    """
    document: Dataset = sr.Comprehensive3DSR(
        evidence=evidence,
        # a root without branches: highdicom copies a tree and walks it three times before it takes it over as it is
        content=_without_branches(report[0]),
        series_instance_uid=derived_uid(fingerprint, f"{heading.name} series"),
        series_number=heading.series_number,
        sop_instance_uid=derived_uid(fingerprint, heading.name),
        instance_number=1,
        is_final=False,
        is_verified=False,
        series_description=f"{heading.description} {provenance.settings.content_qualification}",
        **status,
        **provenance.equipment,
        coding_schemes=[codes.coding_scheme(provenance.settings.manufacturer)],
    )
    document.ContentSequence = report[0].ContentSequence
    missing = set(_referenced(report[0].ContentSequence)) - {str(one.SOPInstanceUID) for one in evidence}
    if missing:
        raise ValueError(f"{len(missing)} instances that the report refers to are not among its evidence")
    return document


def _without_branches(root: Dataset) -> Items:
    shell = Dataset({tag: element for tag, element in root.items() if tag != Tag("ContentSequence")})
    shell.ContentSequence = []
    return Items([shell])


def _referenced(items: Iterable[Dataset]) -> Iterator[str]:
    """Yield the UID of every instance that a content tree refers to."""
    for item in items:
        for reference in item.get("ReferencedSOPSequence") or ():
            yield str(reference.ReferencedSOPInstanceUID)
        yield from _referenced(item.get("ContentSequence") or ())


def as_comprehensive_sr(document: Dataset, analysis: Analysis) -> Dataset:
    """Return the same report as Comprehensive SR, which more systems take, with an identity and a series of its own.

    It replaces the Comprehensive SR of the version before. Its regions are two-dimensional (SCOORD), so nothing in it
    needs the other class.
    """
    # copies, because pydicom changes the element in place when a value is set; what is inside sequences stays shared
    other = Dataset({tag: copy(element) for tag, element in document.items()})
    other.SOPClassUID = ComprehensiveSRStorage
    other.SOPInstanceUID = derived_uid(analysis.fingerprint, "SR fallback")
    other.SeriesInstanceUID = derived_uid(analysis.fingerprint, "SR fallback series")
    other.SeriesNumber = _SERIES_NUMBER + 1
    other.file_meta = FileMetaDataset(document.file_meta)
    del other.file_meta.MediaStorageSOPClassUID, other.file_meta.MediaStorageSOPInstanceUID
    other.file_meta.MediaStorageSOPClassUID = other.SOPClassUID
    other.file_meta.MediaStorageSOPInstanceUID = other.SOPInstanceUID
    predecessor = analysis.history.predecessor
    if predecessor is not None and predecessor.fallback is not None:
        other.PredecessorDocumentsSequence = Items([_predecessor(predecessor.fallback.instance)])
    return other


def _predecessor(instance: InstanceRef) -> Dataset:
    """Return an item of the Predecessor Documents Sequence. Source: PS3.3 section C.17.2.3, table 10-4."""
    series, item = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = instance.series_instance_uid, references_to([FrameSource(instance)])
    item.StudyInstanceUID, item.ReferencedSeriesSequence = instance.study_instance_uid, Items([series])
    return item


def models_of(analysis: Analysis) -> dict[SeriesRole, tuple[ModelIdentity, ...]]:
    """Return which networks the measurements on the series of each role come from."""
    sagittal = analysis.measurements.sagittal
    keypoints = sagittal.keypoints.models if sagittal is not None else ()
    return {role: tuple(dict.fromkeys((one.masks.model, *keypoints))) for role, one in analysis.series_by_role.items()}


def procedure_of(header: Dataset) -> Code:
    """Return the procedure that the source names, if it is a whole ASCII code; else a general one (CID 100)."""
    for item in header.get("ProcedureCodeSequence") or ():
        parts = [str(item.get(keyword) or "") for keyword in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")]
        if all(part and part.isascii() for part in parts) and len(parts[0]) <= 16 and len(parts[2]) <= 64:
            return Code(*parts)
    return codes.MAGNETIC_RESONANCE_IMAGING


def _encode(group: Group, context: _Context) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=derived_uid(context.fingerprint, f"SR tracking {group.name}"), identifier=group.name
        ),
        referenced_region=_region(group.place, context.sources[group.place.role]),
        finding_category=codes.ANATOMICAL_STRUCTURE,
        finding_type=group.finding,
        finding_sites=[sr.FindingSite(site) for site in group.sites],
        algorithm_id=context.algorithms[group.place.role],
        measurements=[sr.Measurement(one.name, one.value, one.unit, method=one.method) for one in group.numbers] or None,
        qualitative_evaluations=list(evaluations(group.verdict, group.findings, group.level_of_minimum)),
    )


def evaluations(
    verdict: Verdict, findings: Iterable[Finding], level_of_minimum: Level | None = None
) -> Iterator[sr.QualitativeEvaluation]:
    """Yield the verdict of a group, its reasons, and the level of a smallest diameter that was not withheld."""
    yield sr.QualitativeEvaluation(codes.QUALITY, codes.VERDICTS[verdict])
    for code in dict.fromkeys(codes.reason_code(finding.code) for finding in findings):
        yield sr.QualitativeEvaluation(codes.QUALITY_REASON, code)
    if level_of_minimum is not None and verdict is not Verdict.WITHHOLD:
        yield sr.QualitativeEvaluation(codes.MAXIMUM_LEVEL, codes.LEVELS[level_of_minimum])


def _region(place: Place, source: SourceSeries) -> sr.ImageRegion:
    return sr.ImageRegion("POLYLINE", points_of(place.evidence, source), image_of(place.evidence, source))


def image_of(evidence: Evidence, source: SourceSeries) -> sr.SourceImageForRegion:
    """Return a reference to the image, or frame, that points lie on."""
    frame = source.volume.sources[evidence.slice_index]
    return sr.SourceImageForRegion(
        referenced_sop_class_uid=frame.instance.sop_class_uid,
        referenced_sop_instance_uid=frame.instance.sop_instance_uid,
        referenced_frame_numbers=None if frame.frame_number is None else [frame.frame_number],
    )


def points_of(evidence: Evidence, source: SourceSeries) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return points as SCOORD graphic data of their image."""
    plane = source.volume.planes[evidence.slice_index]
    return graphic_data(evidence, plane.rows, plane.columns)


def graphic_data(evidence: Evidence, rows: int, columns: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return points as SCOORD graphic data, (column, row) shape (n, 2); an outline is closed.

    Source: PS3.3 section C.18.6.1.2: the centre of the first pixel is at (0.5, 0.5) there, and at (0, 0) in our points.
    """
    points = np.array([(point.column, point.row) for point in evidence.points], dtype=np.float64) + 0.5
    if len(points) > 2:
        points = np.concatenate([points, points[:1]])
    return np.clip(points, 0.0, (math.nextafter(columns, 0), math.nextafter(rows, 0)))
