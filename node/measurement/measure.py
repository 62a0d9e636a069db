"""Predictions of one study in, measurements out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from node.config import MeasurementConfig
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.measurement import AxialMeasurements, Measurements, SagittalMeasurements
from node.domain.prediction import Keypoints, ModelIdentity
from node.domain.study import SeriesRole
from node.measurement.axial_doubts import ratio_findings
from node.measurement.axial_series import SagittalFrame, measure_axial
from node.measurement.judging import with_findings
from node.measurement.sagittal import measure_sagittal, sagittal_layers


def measure_study(
    series_by_role: Mapping[SeriesRole, SegmentedSeries], keypoints: Keypoints, config: MeasurementConfig
) -> Measurements:
    """Return the measurements of a study.

    Parameters
    ----------
    series_by_role
        The sagittal series and, if there is one, the axial series, with their masks.
    keypoints
        Corners on the decisive sagittal slice.
    """
    keypoints = _finite(keypoints)
    sagittal_series = series_by_role[SeriesRole.SAGITTAL_T2]
    sagittal = measure_sagittal(sagittal_series.volume, sagittal_series.masks, keypoints, config)
    axial, findings = _axial(series_by_role, sagittal, config)
    findings = (*findings, *_ratio_findings(sagittal, axial))
    models = _models(series_by_role, keypoints)
    return Measurements(_doubted(sagittal, findings), axial, models, (*sagittal.findings, *findings))


def _finite(keypoints: Keypoints) -> Keypoints:
    """Return the corners whose place and confidence are numbers; the others count as not found."""
    found = {mark: one for mark, one in keypoints.by_landmark.items() if np.isfinite((*one.point, one.confidence)).all()}
    return replace(keypoints, by_landmark=found)


def _doubted(sagittal: SagittalMeasurements, findings: Sequence[Finding]) -> SagittalMeasurements:
    """Return the sagittal results with MSCC flagged where the planes disagree: nobody knows which of the two masks is wrong.

    Flagged only: on true masks, thick axial slices blunt a short dent and contradict a right MSCC in 3 of 20 compressed phantoms.
    """
    doubts = [replace(one, severity=Severity.FLAG) for one in findings if one.code is Reason.PLANES_DISAGREE]
    ratios = {
        key: replace(one, ratio=with_findings(one.ratio, doubts)) if key[0] is Structure.SPINAL_CORD else one
        for key, one in sagittal.ratios.items()
    }
    return replace(sagittal, ratios=ratios)


def _ratio_findings(sagittal: SagittalMeasurements, axial: AxialMeasurements | None) -> tuple[Finding, ...]:
    axial_ratio = None if axial is None else axial.ratios.get(Structure.SPINAL_CORD)
    return () if axial_ratio is None else ratio_findings(sagittal.ratio(Structure.SPINAL_CORD).ratio, axial_ratio.ratio)


def _axial(
    series_by_role: Mapping[SeriesRole, SegmentedSeries], sagittal: SagittalMeasurements, config: MeasurementConfig
) -> tuple[AxialMeasurements | None, tuple[Finding, ...]]:
    axial_series = series_by_role.get(SeriesRole.AXIAL_T2)
    if axial_series is None:
        text = "the study has no usable axial T2 series: transverse area and compression ratio are withheld"
        return None, (Finding(Reason.NO_AXIAL_T2, Severity.WITHHOLD, text),)
    sagittal_volume = series_by_role[SeriesRole.SAGITTAL_T2].volume
    if axial_series.volume.frame_of_reference_uid != sagittal_volume.frame_of_reference_uid:
        measured = measure_axial(axial_series.volume, axial_series.masks, None, None, config)
        text = "the sagittal and the axial series do not share a frame of reference: no axial slice can be given a level"
        return measured, (Finding(Reason.FRAME_OF_REFERENCE_DIFFERS, Severity.WITHHOLD, text),)
    plane = sagittal_volume.planes[sagittal.slice_index]
    layers = sagittal_layers(sagittal.keypoints, plane, config)
    frame = SagittalFrame(layers, sagittal_volume.planes, sagittal.slice_index)
    measured = measure_axial(axial_series.volume, axial_series.masks, sagittal, frame, config)
    return measured, measured.findings


def _models(series_by_role: Mapping[SeriesRole, SegmentedSeries], keypoints: Keypoints) -> tuple[ModelIdentity, ...]:
    identities = [series.masks.model for series in series_by_role.values()]
    return tuple(dict.fromkeys([*identities, *keypoints.models]))
