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
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import ComprehensiveSRStorage

from node.domain.analysis import Analysis
from node.domain.anatomy import Level
from node.domain.errors import Reason
from node.domain.identity import InstanceRef
from node.domain.image import FrameSource
from node.domain.measurement import Evidence, Verdict
from node.domain.prediction import ModelIdentity
from node.domain.study import SeriesRole
from node.reporting import codes
from node.reporting.items import (
    CONTAINS,
    CONTEXT,
    MODIFIER,
    code_item,
    container_item,
    line_item,
    number_item,
    text_item,
    uid_item,
)
from node.reporting.library import image_library
from node.reporting.provenance import Provenance
from node.reporting.references import reference_of, references_to
from node.reporting.source import SourceSeries
from node.reporting.sr_content import Group, Number, groups_of, is_complete
from node.reporting.uids import derived_uid

_SERIES_NUMBER = 9310
_LANGUAGE = sr.CodedConcept("en-US", "RFC5646", "English (United States)")
# Named as highdicom names them.
_FINDING_CATEGORY = Code("276214006", "SCT", "Finding category")
_FINDING_SITE = Code("363698007", "SCT", "Finding Site")
_MEASUREMENT_METHOD = Code("370129005", "SCT", "Measurement Method")


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
    procedure = procedure_of(next(iter(sources.values())).headers[0])
    report = measurement_report(procedure, provenance, image_library(images), [_encode(group, context) for group in groups])
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


def measurement_report(procedure: Code, provenance: Provenance, library: Dataset | None, groups: Sequence[Dataset]) -> Dataset:
    """Return the root of a report: what every report says of itself, its images, and its measurement groups (TID 1500)."""
    language = sr.LanguageOfContentItemAndDescendants(_LANGUAGE)
    head = [*language, *provenance.observation_context(), code_item(MODIFIER, dicom_codes.DCM.ProcedureReported, procedure)]
    measured = container_item(CONTAINS, dicom_codes.DCM.ImagingMeasurements, None, groups)
    return container_item(
        None, dicom_codes.DCM.ImagingMeasurementReport, "1500", [*head, *([] if library is None else [library]), measured]
    )


def preliminary_document(
    report: Dataset,
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
        content=_without_branches(report),
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
    document.ContentSequence = report.ContentSequence
    missing = set(_referenced(report.ContentSequence)) - {str(one.SOPInstanceUID) for one in evidence}
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


def _encode(group: Group, context: _Context) -> Dataset:
    """Return a group of TID 1410: one place, and what was measured there."""
    source = context.sources[group.place.role]
    return container_item(
        CONTAINS,
        dicom_codes.DCM.MeasurementGroup,
        "1410",
        [
            *about(group.name, derived_uid(context.fingerprint, f"SR tracking {group.name}"), group.finding, group.sites),
            *context.algorithms[group.place.role],
            *(number_item(one.name, one.value, one.unit, _method(one)) for one in group.numbers),
            *evaluations(group.verdict, (one.code for one in group.findings), group.level_of_minimum),
            line_of(CONTAINS, dicom_codes.DCM.ImageRegion, group.place.evidence, source),
        ],
    )


def about(name: str, uid: str, finding: Code, sites: Iterable[Code]) -> Iterator[Dataset]:
    """Yield what a group is called, and what it is about."""
    yield text_item(CONTEXT, dicom_codes.DCM.TrackingIdentifier, name)
    yield uid_item(CONTEXT, dicom_codes.DCM.TrackingUniqueIdentifier, uid)
    yield code_item(CONTAINS, _FINDING_CATEGORY, codes.ANATOMICAL_STRUCTURE)
    yield code_item(CONTAINS, dicom_codes.DCM.Finding, finding)
    for site in sites:
        yield code_item(MODIFIER, _FINDING_SITE, site)


def _method(number: Number) -> Iterator[Dataset]:
    if number.method is not None:
        yield code_item(MODIFIER, _MEASUREMENT_METHOD, number.method)


def evaluations(verdict: Verdict, reasons: Iterable[Reason], level_of_minimum: Level | None = None) -> Iterator[Dataset]:
    """Yield the verdict of a group, its reasons, and the level of a smallest diameter that was not withheld."""
    yield code_item(CONTAINS, codes.QUALITY, codes.VERDICTS[verdict])
    for code in dict.fromkeys(map(codes.reason_code, reasons)):
        yield code_item(CONTAINS, codes.QUALITY_REASON, code)
    if level_of_minimum is not None and verdict is not Verdict.WITHHOLD:
        yield code_item(CONTAINS, codes.MAXIMUM_LEVEL, codes.LEVELS[level_of_minimum])


def line_of(relation: str, name: Code, evidence: Evidence, source: SourceSeries) -> Dataset:
    """Return points as they lie on their image, or frame."""
    return line_item(relation, name, points_of(evidence, source), source.volume.sources[evidence.slice_index])


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
