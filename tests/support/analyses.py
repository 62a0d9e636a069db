"""Analyses of synthetic studies, for tests of reporting: real DICOM files, and masks of known shapes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from node.config import MeasurementConfig
from node.domain.analysis import Analysis, SegmentedSeries
from node.domain.anatomy import Landmark, Structure
from node.domain.geometry import ImagePlane
from node.domain.identity import StudyInstanceUID
from node.domain.image import Volume
from node.domain.prediction import Keypoints, Masks
from node.domain.study import SelectedSeries, SeriesRole
from node.loading import load_volume
from node.measurement import measure_study
from tests.support.analytic_shapes import StraightSpine, coverage, keypoints_of, masks_of
from tests.support.phantom_study import received_study
from tools.phantom.dicom import write_series
from tools.phantom.series import Acquisition, Encoding, SeriesImages, SliceImage, Subject
from tools.phantom.stack import AXIAL_AXES, SAGITTAL_AXES, Axes, StackGeometry, stack_planes

SPINE = StraightSpine()
SAGITTAL = StackGeometry(3, 3.3, 3.0, (0.9, 0.8), 144, 100)
AXIAL = StackGeometry(19, 5.4, 4.0, (0.7, 0.8), 56, 48)
_CENTRES = {SeriesRole.SAGITTAL_T2: (0.0, 2.0, 13.0), SeriesRole.AXIAL_T2: (0.0, 8.0, 13.0)}
_AXES: dict[SeriesRole, Axes] = {SeriesRole.SAGITTAL_T2: SAGITTAL_AXES, SeriesRole.AXIAL_T2: AXIAL_AXES}
_ACQUISITIONS = {
    SeriesRole.SAGITTAL_T2: Acquisition("T2_TSE_SAG", 2, repetition_time_ms=3200, echo_time_ms=104),
    SeriesRole.AXIAL_T2: Acquisition("T2_TSE_TRA", 5, repetition_time_ms=4100, echo_time_ms=98),
}


@dataclass(frozen=True)
class Scene:
    """What decides a synthetic analysis; ``missing`` landmarks were not found, ``empty`` masks hold nothing."""

    sagittal: StackGeometry = SAGITTAL
    axial: StackGeometry | None = AXIAL
    subject: Subject = field(default_factory=lambda: Subject("reporting"))
    encoding: Encoding = field(default_factory=Encoding)
    missing: Sequence[Landmark] = ()
    empty: Sequence[tuple[SeriesRole, Structure]] = ()
    spine: StraightSpine = SPINE

    def stacks(self) -> dict[SeriesRole, StackGeometry]:
        stacks = {SeriesRole.SAGITTAL_T2: self.sagittal}
        return stacks if self.axial is None else {**stacks, SeriesRole.AXIAL_T2: self.axial}


def synthetic_analysis(folder: Path, scene: Scene | None = None) -> Analysis:
    """Write the study of a scene into ``folder`` and return the analysis that the node would make of it."""
    scene = scene or Scene()
    series: dict[SeriesRole, SegmentedSeries] = {}
    for role, stack in scene.stacks().items():
        volume = _volume(folder / role, role, stack, scene)
        series[role] = SegmentedSeries(volume, _masks(volume, role, scene))
    sagittal = series[SeriesRole.SAGITTAL_T2].volume
    index = int(np.argmin([abs(float(plane.distance_mm(scene.spine.top))) for plane in sagittal.planes]))
    found = keypoints_of(scene.spine.landmarks(), sagittal.planes[index], index)
    kept = {landmark: one for landmark, one in found.by_landmark.items() if landmark not in scene.missing}
    measurements = measure_study(series, Keypoints(index, kept, found.model), MeasurementConfig())
    study_uid = sagittal.sources[0].instance.study_instance_uid
    return Analysis(StudyInstanceUID(study_uid), "f" * 64, series, measurements)


def _volume(folder: Path, role: SeriesRole, stack: StackGeometry, scene: Scene) -> Volume:
    planes = stack_planes(np.array(_CENTRES[role]), _AXES[role], stack)
    slices = tuple(SliceImage(plane, _signal(plane, scene.spine)) for plane in planes)
    images = SeriesImages(slices, stack.thickness_mm, stack.spacing_between_slices_mm, _ACQUISITIONS[role], scene.encoding)
    (received,) = received_study(write_series(folder, scene.subject, images)).all_series
    return load_volume(SelectedSeries(role, received))


def _signal(plane: ImagePlane, spine: StraightSpine) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    cord, canal = (coverage(plane, one).astype(np.float32) for one in (spine.in_cord, spine.in_canal))
    return 150 + 650 * canal - 400 * cord


def _masks(volume: Volume, role: SeriesRole, scene: Scene) -> Masks:
    masks = masks_of(volume, scene.spine.in_cord, scene.spine.in_canal)
    emptied = {
        structure: np.zeros_like(one) if (role, structure) in scene.empty else one
        for structure, one in masks.probabilities.items()
    }
    return replace(masks, probabilities=emptied)
