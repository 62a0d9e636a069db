"""Slices that a reader has labelled as a case: the seam for any annotation tool.

A tool turns its files into :class:`SliceLabels`; what it measures then comes from the code of the node, so that two sides differ
only in where they see the borders and the corners.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from node.config import MeasurementConfig
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import Landmark, Level, Structure
from node.domain.geometry import PixelPoint, Points
from node.domain.image import Volume
from node.domain.measurement import Measurements
from node.domain.prediction import Keypoint, Keypoints, Masks
from node.domain.study import SeriesRole
from node.measurement import measure_study
from tools.evaluate.case import Case, Cover, Truth, truth_masks
from tools.evaluate.readings import readings_of

_BOTH = tuple(Structure)


@dataclass(frozen=True, slots=True, eq=False)
class SliceLabels:
    """What a reader drew on one slice.

    Parameters
    ----------
    slice_index
        0-based, in the order of the volume.
    covers
        Share of each pixel by structure, [row, column]; a structure that was not drawn is absent, which is not the same as empty.
    landmarks
        Pixel points of corners; sagittal slices only.
    """

    role: SeriesRole
    slice_index: int
    covers: Mapping[Structure, Cover] = field(default_factory=dict)
    landmarks: Mapping[Landmark, PixelPoint] = field(default_factory=dict)


def labelled_case(name: str, person: str, volumes: Mapping[SeriesRole, Volume], labels: Sequence[SliceLabels]) -> Case:
    """Return a case whose truth is what a reader drew, with the numbers that the node's method measures on it.

    The corners belong to the sagittal slice with most of them; its cord and canal give MSCC and MCC if both are drawn.
    """
    covers = {
        (role, structure): _cover(volumes[role], [one for one in labels if one.role is role], structure)
        for role in volumes
        for structure in _BOTH
        if any(one.role is role and structure in one.covers for one in labels)
    }
    sagittal = [one for one in labels if one.role is SeriesRole.SAGITTAL_T2 and one.landmarks]
    truth = Truth(covers)
    if sagittal and SeriesRole.SAGITTAL_T2 in volumes:
        middle = max(sagittal, key=lambda one: len(one.landmarks))
        truth = _with_numbers(_with_middle(truth, middle, volumes[SeriesRole.SAGITTAL_T2]), middle, volumes)
    return Case(name, person, volumes, truth)


def _cover(volume: Volume, labels: Sequence[SliceLabels], structure: Structure) -> Cover:
    cover = np.full(volume.voxels.shape, np.nan, dtype=np.float32)
    for one in labels:
        if structure in one.covers:
            cover[one.slice_index] = one.covers[structure]
    return cover


def _with_middle(truth: Truth, middle: SliceLabels, volume: Volume) -> Truth:
    plane = volume.planes[middle.slice_index]
    landmarks: dict[Landmark, Points] = {one: plane.to_patient(point) for one, point in middle.landmarks.items()}
    return replace(truth, middle=middle.slice_index, middle_covers=middle.covers, landmarks=landmarks)


def _with_numbers(truth: Truth, middle: SliceLabels, volumes: Mapping[SeriesRole, Volume]) -> Truth:
    """Return the truth with the numbers of what was drawn; those that the node would withhold are not known."""
    measured = _measured(truth, middle, volumes)
    numbers = {one.key: one.value for one in readings_of(measured) if one.value is not None}
    if measured.sagittal is None:
        return replace(truth, numbers=numbers)
    levels: dict[Structure, Level] = {}
    for structure in _BOTH:
        narrowest = measured.sagittal.ratio(structure).at_level
        if narrowest is not None and narrowest.level is not None:
            levels[structure] = narrowest.level
    return replace(truth, numbers=numbers, narrowest=levels)


def _measured(truth: Truth, middle: SliceLabels, volumes: Mapping[SeriesRole, Volume]) -> Measurements:
    masks: dict[SeriesRole, Masks] = {role: truth_masks(truth, role, one.geometry.shape) for role, one in volumes.items()}
    series = {role: SegmentedSeries(volume, masks[role]) for role, volume in volumes.items()}
    keypoints = {one: Keypoint(one, point, 1.0) for one, point in middle.landmarks.items()}
    found = Keypoints(middle.slice_index, keypoints, masks[SeriesRole.SAGITTAL_T2].model)
    return measure_study(series, found, MeasurementConfig())
