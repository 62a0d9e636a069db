"""An analysis as ``measurements.json``: the numbers for programs, with the same rounding as the SR."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from node.domain.analysis import Analysis
from node.domain.anatomy import LANDMARKS, Structure
from node.domain.errors import Declined, Finding, PermanentError, Reason, Severity
from node.domain.identity import StudyInstanceUID
from node.domain.image import Volume
from node.domain.measurement import (
    AxialMeasurements,
    AxialSliceMeasurements,
    CompressionRatio,
    Measurement,
    Quantity,
    ReferenceMethod,
    SagittalMeasurements,
    Verdict,
)
from node.domain.report import ReportObject
from node.domain.study import SeriesRole
from node.reporting.document import (
    AxialEntry,
    AxialSliceEntry,
    ChangeEntry,
    FileEntry,
    KeypointEntry,
    LevelEntry,
    LineEntry,
    MeasurementsDocument,
    ModelEntry,
    PriorEntry,
    RatioEntry,
    RatioWithAlternativesEntry,
    ReasonEntry,
    SagittalEntry,
    SkippedSeriesEntry,
    SoftwareEntry,
)
from node.reporting.figures import shown
from node.reporting.prior import changes_of
from node.reporting.provenance import Software

MEASUREMENTS_NAME = "measurements.json"

_VERDICTS = tuple(Verdict)


def measurements_schema() -> dict[str, object]:
    """Return the JSON Schema of ``measurements.json``."""
    return dict(MeasurementsDocument.model_json_schema(mode="serialization"))


def encode(document: MeasurementsDocument) -> bytes:
    """Return a document as indented UTF-8 JSON with a final newline."""
    return (document.model_dump_json(indent=2) + "\n").encode()


def read_measurements(folder: Path) -> MeasurementsDocument:
    """Return what the ``measurements.json`` of a report says.

    Raises
    ------
    PermanentError
        ``report_unreadable`` if the folder holds none of this version.
    """
    try:
        return MeasurementsDocument.model_validate_json((folder / MEASUREMENTS_NAME).read_bytes())
    except (OSError, ValidationError) as error:
        what = f"{folder.name} holds no {MEASUREMENTS_NAME} that can be read; analyse the study again"
        raise PermanentError(Reason.REPORT_UNREADABLE, what) from error


def measured_document(
    analysis: Analysis, software: Software, objects: Sequence[ReportObject], pictures: Sequence[str]
) -> MeasurementsDocument:
    """Return everything that was measured on a study; withheld values are null and say why."""
    measured = analysis.measurements
    series = analysis.series_by_role
    sagittal, axial, predecessor = measured.sagittal, measured.axial, analysis.history.predecessor
    return MeasurementsDocument(
        study_instance_uid=analysis.study_instance_uid,
        status=measured.status.value,
        reasons=_reasons((*measured.findings, *analysis.history.findings)),
        software=SoftwareEntry(name=software.name, version=software.version),
        models=tuple(ModelEntry(name=one.name, version=one.version, sha256=one.sha256) for one in measured.models),
        sagittal=None if sagittal is None else _sagittal(sagittal, series[SeriesRole.SAGITTAL_T2].volume),
        axial=None if axial is None else _axial(axial, series[SeriesRole.AXIAL_T2].volume),
        files=tuple(_file(one) for one in objects),
        pictures=tuple(pictures),
        skipped=tuple(
            SkippedSeriesEntry(series_instance_uid=uid, reasons=_reasons(found))
            for uid, found in sorted(analysis.skipped.items())
        ),
        prior=_prior(analysis),
        predecessor_sop_instance_uid=predecessor.instance.sop_instance_uid if predecessor is not None else None,
    )


def _prior(analysis: Analysis) -> PriorEntry | None:
    if (prior := analysis.history.prior) is None:
        return None
    changes = {one.measured.quantity: one for one in changes_of(analysis)}
    entries = {quantity: ChangeEntry(prior=one.prior, change=one.difference) for quantity, one in changes.items()}
    return PriorEntry(
        study_instance_uid=prior.report.study_instance_uid,
        sop_instance_uid=prior.report.sop_instance_uid,
        mscc_percent=entries.get(Quantity.MAXIMUM_SPINAL_CORD_COMPRESSION),
        mcc_percent=entries.get(Quantity.MAXIMUM_CANAL_COMPROMISE),
        ta_mm2=entries.get(Quantity.CROSS_SECTIONAL_AREA),
        cr=entries.get(Quantity.CORD_COMPRESSION_RATIO),
        reasons=_reasons(finding for one in changes.values() for finding in one.findings),
    )


def declined_document(study_instance_uid: StudyInstanceUID, declined: Declined, software: Software) -> MeasurementsDocument:
    """Return the document of a study that is not for us, with the reasons."""
    findings = (Finding(declined.reason, Severity.DECLINE, declined.message), *declined.findings)
    return MeasurementsDocument(
        study_instance_uid=study_instance_uid,
        status="declined",
        reasons=_reasons(findings),
        software=SoftwareEntry(name=software.name, version=software.version),
        models=(),
        sagittal=None,
        axial=None,
        files=(),
        pictures=(),
        skipped=(),
        prior=None,
        predecessor_sop_instance_uid=None,
    )


def _reasons(findings: Iterable[Finding]) -> tuple[ReasonEntry, ...]:
    entries = (ReasonEntry(code=one.code.value, severity=one.severity.value, message=one.message) for one in findings)
    return tuple(dict.fromkeys(entries))


def _sagittal(measured: SagittalMeasurements, volume: Volume) -> SagittalEntry:
    source = volume.sources[measured.slice_index]
    spacing = volume.planes[measured.slice_index].spacing
    keypoints = [measured.keypoints.by_landmark[one] for one in LANDMARKS if one in measured.keypoints.by_landmark]
    return SagittalEntry(
        series_instance_uid=source.instance.series_instance_uid,
        sop_instance_uid=source.instance.sop_instance_uid,
        frame_number=source.frame_number,
        pixel_spacing_mm=(spacing.row_mm, spacing.column_mm),
        keypoints=tuple(
            KeypointEntry(
                vertebra=one.landmark.vertebra.value,
                corner=one.landmark.corner.value,
                row=_pixel(one.point.row),
                column=_pixel(one.point.column),
                confidence=round(float(one.confidence), 4),
            )
            for one in keypoints
        ),
        levels=tuple(
            LevelEntry(
                level=one.level.value,
                cord_ap_mm=shown(one.cord_ap),
                canal_ap_mm=shown(one.canal_ap),
                cord_verdict=one.cord_ap.verdict.value,
                canal_verdict=one.canal_ap.verdict.value,
                reasons=_reasons((*one.cord_ap.findings, *one.canal_ap.findings)),
            )
            for one in measured.levels
        ),
        mscc=_with_alternatives(measured, Structure.SPINAL_CORD, volume),
        mcc=_with_alternatives(measured, Structure.SPINAL_CANAL, volume),
    )


def _with_alternatives(measured: SagittalMeasurements, structure: Structure, volume: Volume) -> RatioWithAlternativesEntry:
    others = (method for method in ReferenceMethod if method is not ReferenceMethod.C3_C7)
    found = (measured.ratios.get((structure, method)) for method in others)
    worst = measured.worst_slice.get(structure)
    return RatioWithAlternativesEntry(
        **dict(_ratio(measured.ratio(structure), volume)),
        alternatives=tuple(_ratio(one, volume) for one in found if one is not None),
        worst_slice=None if worst is None else _ratio(worst, volume),
    )


def _ratio(ratio: CompressionRatio, volume: Volume) -> RatioEntry:
    level = ratio.at_level.level if ratio.at_level is not None else ratio.ratio.level
    return RatioEntry(
        value_percent=shown(ratio.ratio),
        level=None if level is None else level.value,
        d_i_mm=shown(ratio.at_level),
        d_a_mm=shown(ratio.above),
        d_b_mm=shown(ratio.below),
        reference=ratio.reference.value,
        verdict=ratio.ratio.verdict.value,
        reasons=_reasons(ratio.ratio.findings),
        line=_line(ratio.at_level, volume),
    )


def _line(measured: Measurement | None, volume: Volume) -> LineEntry | None:
    if measured is None or not measured.evidence:
        return None
    evidence = measured.evidence[0]
    source = volume.sources[evidence.slice_index]
    return LineEntry(
        sop_instance_uid=source.instance.sop_instance_uid,
        frame_number=source.frame_number,
        points=tuple((_pixel(point.row), _pixel(point.column)) for point in evidence.points),
    )


def _axial(measured: AxialMeasurements, volume: Volume) -> AxialEntry:
    decisive = None if measured.decisive is None else _slice(measured.decisive, volume)
    general = _reasons(measured.findings)
    own = {name: () if decisive is None else getattr(decisive, name) or () for name in ("reasons", "ta_reasons", "cr_reasons")}
    values = {} if decisive is None else decisive.model_dump(exclude={"slice_index", *own})
    empty = dict.fromkeys(set(AxialSliceEntry.model_fields) - {"slice_index", *own})
    missing = dict.fromkeys(("verdict", "ta_verdict", "cr_verdict"), Verdict.WITHHOLD.value)
    missing_reasons = {"ta_along_cord_reasons": (), "canal_reasons": ()}
    ratios = {structure: _ratio(ratio, volume) for structure, ratio in measured.ratios.items()}
    return AxialEntry(
        series_instance_uid=volume.series_instance_uid,
        **{**empty, **missing, **missing_reasons, **values},
        **{name: tuple(dict.fromkeys((*general, *found))) for name, found in own.items()},
        slices=tuple(_slice(one, volume) for one in measured.slices),
        mscc=ratios.get(Structure.SPINAL_CORD),
        mcc=ratios.get(Structure.SPINAL_CANAL),
    )


def _slice(one: AxialSliceMeasurements, volume: Volume) -> AxialSliceEntry:
    source = volume.sources[one.slice_index]
    cord = (one.area, one.ap, one.transverse, one.compression_ratio)
    return AxialSliceEntry(
        sop_instance_uid=source.instance.sop_instance_uid,
        frame_number=source.frame_number,
        slice_index=one.slice_index,
        level=None if one.level is None else one.level.value,
        ta_mm2=shown(one.area),
        ta_along_cord_mm2=shown(one.area_along_cord),
        ap_mm=shown(one.ap),
        transverse_mm=shown(one.transverse),
        cr=shown(one.compression_ratio),
        canal_area_mm2=shown(one.canal_area),
        canal_ap_mm=shown(one.canal_ap),
        verdict=max((measured.verdict for measured in cord), key=_VERDICTS.index).value,
        reasons=_reasons(finding for measured in cord for finding in measured.findings),
        ta_verdict=one.area.verdict.value,
        ta_reasons=_reasons(one.area.findings),
        cr_verdict=one.compression_ratio.verdict.value,
        cr_reasons=_reasons(one.compression_ratio.findings),
        ta_along_cord_reasons=_reasons(one.area_along_cord.findings),
        canal_reasons=_reasons((*one.canal_area.findings, *one.canal_ap.findings)),
    )


def _file(one: ReportObject) -> FileEntry:
    return FileEntry(
        kind=one.kind.modality,
        sop_class_uid=one.instance.sop_class_uid,
        sop_instance_uid=one.instance.sop_instance_uid,
        path=one.instance.path.name,
        fallback=None if one.fallback is None else _file(one.fallback),
    )


def _pixel(value: float) -> float:
    return round(float(value), 3) + 0.0
