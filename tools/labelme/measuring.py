"""The numbers of a reader: what the node measures on the masks and corners that a person drew."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from node import __version__
from node.config import MeasurementConfig
from node.domain.analysis import Analysis, SegmentedSeries
from node.domain.anatomy import Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.geometry import VolumeGeometry
from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.image import FrameSource, Volume
from node.domain.measurement import Measurements
from node.domain.prediction import Keypoint, Keypoints, Masks, ModelIdentity
from node.domain.study import SeriesRole
from node.measurement import measure_axial, measure_study
from node.reporting import Software, measured_document
from node.reporting.measurements_json import encode
from tools.labelme.annotation import Annotation
from tools.labelme.export import short_name
from tools.labelme.geometry import SliceGeometry

_NAME = "measurements.json"


def measure_annotations(annotations: Sequence[Annotation], config: MeasurementConfig) -> tuple[Analysis, ...]:
    """Return one analysis for each study among annotated slices, with the model ``reader``.

    Raises
    ------
    ValueError
        If slices of one plane do not belong to one series, or a slice is there twice.
    """
    studies: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        studies.setdefault(annotation.geometry.study_instance_uid, []).append(annotation)
    return tuple(_analysis(uid, drawn, config) for uid, drawn in sorted(studies.items()))


def write_measurements(analysis: Analysis, out_dir: Path) -> Path:
    """Write the ``measurements.json`` of an analysis to a folder of its own below ``out_dir``; return its path."""
    folder = out_dir / short_name(analysis.study_instance_uid)
    folder.mkdir(parents=True, exist_ok=True)
    document = measured_document(analysis, Software("cspine-node", __version__), objects=(), pictures=())
    (folder / _NAME).write_bytes(encode(document))
    return folder / _NAME


def _analysis(uid: str, annotations: Sequence[Annotation], config: MeasurementConfig) -> Analysis:
    reader = _reader(annotations)
    by_role = {role: _ordered([one for one in annotations if one.geometry.role is role]) for role in SeriesRole}
    series = {role: SegmentedSeries(_volume(drawn), _masks(drawn, reader)) for role, drawn in by_role.items() if drawn}
    keypoints = _keypoints(by_role[SeriesRole.SAGITTAL_T2], reader)
    measurements = _without_levels(series, reader, config) if keypoints is None else measure_study(series, keypoints, config)
    return Analysis(StudyInstanceUID(uid), reader.sha256, series, measurements)


def _without_levels(
    series_by_role: Mapping[SeriesRole, SegmentedSeries], reader: ModelIdentity, config: MeasurementConfig
) -> Measurements:
    """Return what can be measured where no sagittal slice has corners: the axial slices, each for itself."""
    text = "no corner was set on a sagittal slice: there are no levels to measure at"
    finding = Finding(Reason.LEVEL_MISSING, Severity.WITHHOLD, text)
    axial = series_by_role.get(SeriesRole.AXIAL_T2)
    measured = None if axial is None else measure_axial(axial.volume, axial.masks, None, None, config)
    return Measurements(None, measured, (reader,), (finding,))


def _reader(annotations: Sequence[Annotation]) -> ModelIdentity:
    """Return the reader as a model; what is hashed in place of weights are the files that were drawn."""
    drawn = sorted(hashlib.sha256(one.path.read_bytes()).hexdigest() for one in annotations)
    return ModelIdentity("reader", "1", hashlib.sha256("\n".join(drawn).encode()).hexdigest())


def _ordered(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Return the slices of one series by their place along its normal.

    Raises
    ------
    ValueError
        If they do not belong to one series, or a slice is there twice.
    """
    if not annotations:
        return []
    if len({(one.geometry.series_instance_uid, one.geometry.rows, one.geometry.columns) for one in annotations}) > 1:
        raise ValueError(f"{annotations[0].path.parent}: the {annotations[0].geometry.role} slices are of several series")
    slices = {(one.geometry.sop_instance_uid, one.geometry.frame_number) for one in annotations}
    if len(slices) < len(annotations):
        raise ValueError(f"{annotations[0].path.parent}: a slice of the {annotations[0].geometry.role} series is there twice")
    first = annotations[0].geometry.plane
    return sorted(annotations, key=lambda one: float(first.distance_mm(one.geometry.plane.position)))


def _volume(annotations: Sequence[Annotation]) -> Volume:
    """Return annotated slices as a volume; it is dark, because nothing is measured on its pixels."""
    geometry = VolumeGeometry(tuple(one.geometry.plane for one in annotations))
    sources = tuple(_source(one.geometry) for one in annotations)
    voxels = np.zeros(geometry.shape, dtype=np.float32)
    return Volume(voxels, geometry, sources, annotations[0].geometry.frame_of_reference_uid)


def _source(geometry: SliceGeometry) -> FrameSource:
    uids = (
        StudyInstanceUID(geometry.study_instance_uid),
        SeriesInstanceUID(geometry.series_instance_uid),
        SOPInstanceUID(geometry.sop_instance_uid),
        SOPClassUID(geometry.sop_class_uid),
    )
    return FrameSource(InstanceRef(*uids, Path()), geometry.frame_number)


def _masks(annotations: Sequence[Annotation], reader: ModelIdentity) -> Masks:
    return Masks({one: np.stack([_cover(drawn, one) for drawn in annotations]) for one in Structure}, reader)


def _cover(annotation: Annotation, structure: Structure) -> npt.NDArray[np.float16]:
    empty = np.zeros((annotation.geometry.rows, annotation.geometry.columns), dtype=np.float16)
    return annotation.masks.get(structure, empty).astype(np.float16)


def _keypoints(annotations: Sequence[Annotation], reader: ModelIdentity) -> Keypoints | None:
    """Return the corners of the slice on which most were set, as sure as a person is; None without corners."""
    counts = [len(one.landmarks) for one in annotations]
    if not any(counts):
        return None
    index = counts.index(max(counts))
    found = {one: Keypoint(one, point, 1.0) for one, point in annotations[index].landmarks.items()}
    return Keypoints(index, found, reader)
