"""What the keypoint model says when the top of the neck is out of view: a wrong name with confidence is the worst it can do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np

from node.config import MeasurementConfig
from node.domain.anatomy import LANDMARKS
from node.domain.geometry import VolumeGeometry
from node.domain.image import Volume
from node.domain.study import SeriesRole
from node.inference import ModelLibrary
from tools.evaluate.case import Case
from tools.evaluate.compare import corner_results
from tools.evaluate.evaluation import CutRow
from tools.evaluate.results import CornerResult

#: Image left above the highest corner of C3, in mm: dens whole, dens in part, C2 in part, C3 cut, C4 cut.
CUTS_MM = (45.0, 35.0, 25.0, 15.0, 8.0, 0.0, -8.0, -16.0, -25.0)
_LEAST_CONFIDENCE = MeasurementConfig().minimum_keypoint_confidence
_NAMES_RIGHT = 0.9


class NameVerdict(StrEnum):
    """What would leave the node."""

    RIGHT = "right"
    DECLINED = "declined"
    WRONG = "wrong"


def cut_verdicts(case: Case, library: ModelLibrary) -> dict[float | None, NameVerdict]:
    """Return the verdict for the whole case (None) and for each cut of :data:`CUTS_MM` that takes something away."""
    whole = case.volumes[SeriesRole.SAGITTAL_T2]
    volumes: list[tuple[float | None, Volume | None]] = [(None, whole), *((left, cut_above_c3(case, left)) for left in CUTS_MM)]
    return {left: _verdict(case, volume, library) for left, volume in volumes if volume is not None}


def cut_above_c3(case: Case, left_mm: float) -> Volume | None:
    """Return the sagittal volume without the rows further than ``left_mm`` above C3, or None if there are none to drop.

    Rows have to grow towards the feet.
    """
    volume = case.volumes[SeriesRole.SAGITTAL_T2]
    plane = volume.planes[case.truth.middle or 0]
    top = min(float(plane.to_pixels(point)[0]) for point in case.truth.landmarks.values())
    first = int(top - left_mm / plane.spacing.row_mm)
    if first <= 0:
        return None
    planes = [replace(one, position=one.to_patient([first, 0]), rows=one.rows - first) for one in volume.planes]
    return replace(volume, voxels=volume.voxels[:, first:].copy(), geometry=VolumeGeometry(tuple(planes)))


def _verdict(case: Case, volume: Volume, library: ModelLibrary) -> NameVerdict:
    keypoints = library.keypoint_detector.detect(volume, case.truth.middle or 0)
    return name_verdict(list(corner_results(keypoints, case.truth.landmarks, volume)))


def name_verdict(corners: Sequence[CornerResult]) -> NameVerdict:
    """Return declined if a corner is missing or unsure, for then no ratio leaves the node; else whether the names are right."""
    sure = [one for one in corners if one.nearest is not None and one.confidence >= _LEAST_CONFIDENCE]
    if len(sure) < len(LANDMARKS):
        return NameVerdict.DECLINED
    right = float(np.mean([one.nearest is one.landmark.vertebra for one in sure]))
    return NameVerdict.RIGHT if right > _NAMES_RIGHT else NameVerdict.WRONG


def cut_rows(verdicts: Sequence[Mapping[float | None, NameVerdict]]) -> tuple[CutRow, ...]:
    """Return how many cases got each verdict, by what is left above C3."""
    rows = []
    for left in (None, *CUTS_MM):
        counts = Counter(one[left] for one in verdicts if left in one)
        rows.append(CutRow(left, counts[NameVerdict.RIGHT], counts[NameVerdict.DECLINED], counts[NameVerdict.WRONG]))
    return tuple(rows)
