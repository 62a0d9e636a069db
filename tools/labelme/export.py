"""Slices of a study as pictures with the node's outlines and corners, ready to be corrected in labelme."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from node.config import Config
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import Structure
from node.domain.errors import Finding, PermanentError, Reason
from node.domain.geometry import Points
from node.domain.image import FrameSource
from node.domain.prediction import Keypoints
from node.domain.study import ReceivedStudy, SeriesRole
from node.inference import ModelLibrary
from node.measurement import trace_outlines
from node.pipeline import examine, load_volumes
from node.selection import select_series
from tools.labelme.annotation import picture_path
from tools.labelme.coordinates import to_labelme
from tools.labelme.document import (
    LANDMARK_LABELS,
    POINT,
    POLYGON,
    STRUCTURE_LABELS,
    LabelmeDocument,
    LabelmeShape,
    write_document,
)
from tools.labelme.geometry import geometry_path, slice_geometry, write_geometry
from tools.labelme.picture import robust_window, to_grey, write_png
from tools.labelme.polygon import untangled

# A piece below this is noise of the model that a person would only have to delete.
_SMALLEST_MM2 = 4.0
# The chords of a round cord cut 0.3 % off its area; a finer outline has more points than a person wants to move.
_TOLERANCE_MM = 0.05
_VIEWS = {SeriesRole.SAGITTAL_T2: "sagittal", SeriesRole.AXIAL_T2: "axial"}


def short_name(*parts: object) -> str:
    """Return ten hexadecimal digits that stand for UIDs in names of files and folders."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:10]


@dataclass(frozen=True, slots=True)
class ExportedStudy:
    """Where a study was written, and why a series of it could not be used."""

    folder: Path
    findings: tuple[Finding, ...]


def export_study(
    study: ReceivedStudy, library: ModelLibrary, config: Config, out_dir: Path, *, all_slices: bool
) -> ExportedStudy:
    """Analyse a study as the node does, and write its slices to a folder of its own below ``out_dir``.

    Raises
    ------
    Declined
        If the study is not for us.
    PermanentError
        If it could not be analysed, or ``output_folder_in_use``: corrections are never written over.
    """
    volumes, findings = load_volumes(select_series(study, config.selection))
    series, measurements = examine(volumes, library, config.measurement)
    assert measurements.sagittal is not None  # noqa: S101 - a study without a sagittal series was declined
    folder = out_dir / short_name(study.study_instance_uid)
    write_slices(series, measurements.sagittal.keypoints, folder, all_slices=all_slices)
    return ExportedStudy(folder, findings)


def write_slices(
    series_by_role: Mapping[SeriesRole, SegmentedSeries], keypoints: Keypoints, folder: Path, *, all_slices: bool
) -> tuple[Path, ...]:
    """Write the decisive sagittal slice, or every slice that shows cord, and return the labelme files.

    Raises
    ------
    PermanentError
        ``output_folder_in_use``.
    """
    if folder.exists() and any(folder.iterdir()):
        text = f"{folder} holds files: corrections are not written over; move it away or choose another --out"
        raise PermanentError(Reason.OUTPUT_FOLDER_IN_USE, text)
    folder.mkdir(parents=True, exist_ok=True)
    slices = [
        _Slice(role, series, index, keypoints if _carries(keypoints, role, index) else None)
        for role, series in series_by_role.items()
        for index in range(len(series.volume.planes))
        if _carries(keypoints, role, index) or (all_slices and _shows_cord(series, index))
    ]
    return tuple(one.write(folder) for one in slices)


def _carries(keypoints: Keypoints, role: SeriesRole, index: int) -> bool:
    return role is SeriesRole.SAGITTAL_T2 and index == keypoints.slice_index


def _shows_cord(series: SegmentedSeries, index: int) -> bool:
    return bool(_outlines(series, Structure.SPINAL_CORD, index))


def _outlines(series: SegmentedSeries, structure: Structure, index: int) -> list[Points]:
    probabilities, plane = series.masks.probabilities[structure][index], series.volume.planes[index]
    return [untangled(one) for one in trace_outlines(probabilities, plane, _SMALLEST_MM2, _TOLERANCE_MM)]


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """One slice to be written, with the corners that were found on it."""

    role: SeriesRole
    series: SegmentedSeries
    index: int
    keypoints: Keypoints | None

    def write(self, folder: Path) -> Path:
        """Write picture, annotation and geometry; return the path of the annotation."""
        path = folder / f"{_VIEWS[self.role]}-{self.index + 1:02d}-{_source_name(self.series.volume.sources[self.index])}.json"
        pixels = self.series.volume.voxels[self.index]
        window = robust_window(pixels)
        write_png(to_grey(pixels, window), picture_path(path))
        write_geometry(slice_geometry(self.role, self.series.volume, self.index, window), geometry_path(path))
        rows, columns = pixels.shape
        shapes = (*self._polygons(), *self._points())
        name = picture_path(path).name
        write_document(LabelmeDocument(shapes=shapes, image_path=name, image_height=rows, image_width=columns), path)
        return path

    def _polygons(self) -> Iterator[LabelmeShape]:
        plane = self.series.volume.planes[self.index]
        for label, structure in STRUCTURE_LABELS.items():
            for outline in _outlines(self.series, structure, self.index):
                points = to_labelme(outline, plane.rows, plane.columns)
                yield LabelmeShape(label=label, points=points, shape_type=POLYGON)

    def _points(self) -> Iterator[LabelmeShape]:
        plane = self.series.volume.planes[self.index]
        found = {} if self.keypoints is None else self.keypoints.by_landmark
        for label, landmark in LANDMARK_LABELS.items():
            if landmark not in found:
                continue
            one = found[landmark]
            name = f"{landmark.vertebra} {landmark.corner.value.replace('_', ' ')}, confidence {one.confidence:.2f}"
            point = to_labelme(one.point, plane.rows, plane.columns)
            yield LabelmeShape(label=label, points=point, shape_type=POINT, description=name)


def _source_name(source: FrameSource) -> str:
    return short_name(source.instance.sop_instance_uid, source.frame_number)
