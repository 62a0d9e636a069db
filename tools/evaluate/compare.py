"""One case through the code of the node, compared with its truth."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from node.config import MeasurementConfig
from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import VERTEBRAE, Corner, Landmark, Structure
from node.domain.errors import NodeError
from node.domain.geometry import Points
from node.domain.image import Volume
from node.domain.measurement import Measurements
from node.domain.prediction import Keypoints
from node.domain.study import SeriesRole
from node.inference import ModelLibrary
from node.measurement import measure_axial
from node.pipeline import examine
from tools.evaluate.agreement import Mask, dice, hausdorff95_mm, iou
from tools.evaluate.case import Case, Cover, Truth, truth_masks
from tools.evaluate.overlay import draw_axial, draw_sagittal, side_by_side
from tools.evaluate.readings import (
    SECTION_MEASURES,
    SLICE_MEASURES,
    STUDY_MEASURES,
    Measure,
    readings_of,
    slice_place,
    slice_readings,
    withheld,
)
from tools.evaluate.results import CaseResult, CornerResult, NarrowestLevel, Overlap, PairedReading, Region, WidthErrors, pair_up
from tools.evaluate.widths import widths_mm

_LEAST_SECTION_MM2 = 20.0  # a slice with less of a structure shows its end
_CONFIG = MeasurementConfig()
_WALL = tuple(Landmark(v, c) for v in VERTEBRAE for c in (Corner.POSTERIOR_SUPERIOR, Corner.POSTERIOR_INFERIOR))


def compare(case: Case, library: ModelLibrary) -> CaseResult:
    """Return how a model agrees with the truth of a case; every network runs once.

    Raises
    ------
    Declined
        If the node finds no cervical cord.
    """
    if SeriesRole.SAGITTAL_T2 in case.volumes:
        series, measured = examine(case.volumes, library, _CONFIG)
        return compare_measured(case, series, measured)
    volume = case.volumes[SeriesRole.AXIAL_T2]
    axial = SegmentedSeries(volume, library.axial_segmenter.segment(volume))
    readings = slice_readings(measure_axial(volume, axial.masks, None, None, _CONFIG))
    series = {SeriesRole.AXIAL_T2: axial}
    picture = draw_axial(case, axial, len(volume.planes) // 2)
    return CaseResult(
        case.name,
        case.person,
        overlaps=tuple(_overlaps(case.truth, series)),
        readings=pair_up(readings, _reference_numbers(case, None)),
        picture=side_by_side([picture]),
    )


def compare_measured(case: Case, series: Mapping[SeriesRole, SegmentedSeries], measured: Measurements) -> CaseResult:
    """Return how the masks and measurements of a case with a sagittal series agree with its truth."""
    assert measured.sagittal is not None  # noqa: S101 - a sagittal series is always measured
    sagittal, keypoints = series[SeriesRole.SAGITTAL_T2], measured.sagittal.keypoints
    decisive = None if measured.axial is None else measured.axial.decisive
    pictures = [draw_sagittal(case, sagittal, keypoints)]
    if decisive is not None:
        pictures.append(draw_axial(case, series[SeriesRole.AXIAL_T2], decisive.slice_index))
    numbers = _reference_numbers(case, None if decisive is None else decisive.slice_index)
    return CaseResult(
        case.name,
        case.person,
        overlaps=tuple(_overlaps(case.truth, series)),
        widths=tuple(_width_errors(case.truth, sagittal)),
        corners=tuple(corner_results(keypoints, case.truth.landmarks, sagittal.volume)),
        readings=pair_up(readings_of(measured), numbers),
        narrowest=tuple(_narrowest(measured, case.truth)),
        chosen_slice_mm=_chosen_slice_mm(sagittal.volume, keypoints.slice_index, case.truth),
        picture=side_by_side(pictures),
    )


def declined_result(case: str, person: str, error: NodeError) -> CaseResult:
    """Return the result of a case that the node declined or could not read: all its headline numbers are withheld."""
    readings = tuple(PairedReading(withheld(measure, "", (error.reason.value,)), None) for measure in STUDY_MEASURES)
    return CaseResult(case, person, readings=readings, declined=str(error))


def _overlaps(truth: Truth, series: Mapping[SeriesRole, SegmentedSeries]) -> Iterator[Overlap]:
    sagittal = series.get(SeriesRole.SAGITTAL_T2)
    if sagittal is not None and truth.middle is not None:
        spacing = sagittal.volume.geometry.spacing
        for structure, cover in truth.middle_covers.items():
            found = sagittal.masks.binary(structure)[truth.middle]
            yield _overlap(structure, Region.SAGITTAL_SLICE, found, cover, spacing)
    for (role, structure), cover in truth.covers.items():
        if role not in series:
            continue
        geometry, found = series[role].volume.geometry, series[role].masks.binary(structure)
        spacings = (geometry.spacing_between_slices_mm, *geometry.spacing)
        if role is SeriesRole.AXIAL_T2:
            yield from _each_slice(structure, found, cover, series[role].volume)
        region = Region.AXIAL_VOLUME if role is SeriesRole.AXIAL_T2 else Region.SAGITTAL_VOLUME
        yield _overlap(structure, region, found, cover, spacings)


def _overlap(structure: Structure, region: Region, found: Mask, cover: Cover, spacing: tuple[float, ...]) -> Overlap:
    known, true = np.isfinite(cover), cover >= 0.5
    found = found & known
    slices = 1 if cover.ndim == 2 else int(known.any((1, 2)).sum())
    distance = hausdorff95_mm(found, true, spacing, known)
    return Overlap(structure, region, slices, dice(found, true), iou(found, true), distance)


def _each_slice(structure: Structure, found: Mask, cover: Cover, volume: Volume) -> Iterator[Overlap]:
    """Yield the mean over the slices that show the structure, if there are any."""
    spacing = volume.geometry.spacing
    shown = _shown(cover, volume)
    all_slices = [_overlap(structure, Region.AXIAL_SLICE, found[index], cover[index], spacing) for index in shown]
    if not all_slices:
        return
    distances = [one.hd95_mm for one in all_slices if math.isfinite(one.hd95_mm)]
    yield Overlap(
        structure,
        Region.AXIAL_SLICE,
        len(all_slices),
        float(np.mean([one.dice for one in all_slices])),
        float(np.mean([one.iou for one in all_slices])),
        float(np.mean(distances)) if distances else math.nan,
    )


def _shown(cover: Cover, volume: Volume) -> list[int]:
    areas_mm2 = (cover >= 0.5).sum((1, 2)) * volume.planes[0].pixel_area_mm2
    return [int(index) for index in np.flatnonzero(areas_mm2 >= _LEAST_SECTION_MM2)]


def _width_errors(truth: Truth, sagittal: SegmentedSeries) -> Iterator[WidthErrors]:
    if truth.middle is None or any(one not in truth.landmarks for one in _WALL):
        return
    plane = sagittal.volume.planes[truth.middle]
    for structure, cover in truth.middle_covers.items():
        found = sagittal.masks.probabilities[structure][truth.middle].astype(np.float32)
        true = widths_mm(cover, truth.landmarks, plane)
        # where the model sees nothing its width is 0, not unknown
        errors = np.nan_to_num(widths_mm(found, truth.landmarks, plane)) - true
        yield WidthErrors(structure, errors[np.isfinite(errors)])


def corner_results(keypoints: Keypoints, landmarks: Mapping[Landmark, Points], volume: Volume) -> Iterator[CornerResult]:
    """Yield for each true corner how far the model's is from it, in the plane of the slice that was looked at."""
    plane = volume.planes[keypoints.slice_index]
    pixels = {one: plane.to_pixels(point) for one, point in landmarks.items()}
    for landmark in landmarks:
        found = keypoints.by_landmark.get(landmark)
        if found is None:
            yield CornerResult(landmark, math.nan, None, math.nan)
            continue
        rivals = [one for one in landmarks if one.corner is landmark.corner]
        distances = {one.vertebra: float(plane.length_mm(found.point, pixels[one])) for one in rivals}
        nearest = min(distances, key=lambda vertebra: distances[vertebra])
        yield CornerResult(landmark, distances[landmark.vertebra], nearest, found.confidence)


def _chosen_slice_mm(volume: Volume, chosen: int, truth: Truth) -> float:
    offsets = volume.geometry.offsets_mm
    return math.nan if truth.middle is None else abs(float(offsets[chosen] - offsets[truth.middle]))


def _reference_numbers(case: Case, decisive: int | None) -> dict[tuple[Measure, str], float]:
    """Return what the truth says: its own numbers, and what the method of the node measures on its axial masks.

    Where the truth names no axial slice of its own, its values are those of the slice that the model decided on.
    """
    numbers = dict(case.truth.numbers)
    volume = case.volumes.get(SeriesRole.AXIAL_T2)
    cover = case.truth.covers.get((SeriesRole.AXIAL_T2, Structure.SPINAL_CORD))
    if volume is None or cover is None:
        return numbers
    masks = truth_masks(case.truth, SeriesRole.AXIAL_T2, volume.geometry.shape)
    places = {slice_place(index) for index in _shown(cover, volume)}
    for one in slice_readings(measure_axial(volume, masks, None, None, _CONFIG)):
        if one.place in places and one.value is not None:
            numbers.setdefault(one.key, one.value)
    for study_measure, measure in zip(SECTION_MEASURES, SLICE_MEASURES, strict=True):
        value = numbers.get((measure, slice_place(decisive))) if decisive is not None else None
        if value is not None:
            numbers.setdefault((study_measure, ""), value)
    return numbers


def _narrowest(measured: Measurements, truth: Truth) -> Iterator[NarrowestLevel]:
    for structure, level in truth.narrowest.items():
        found = None if measured.sagittal is None else measured.sagittal.ratio(structure).at_level
        yield NarrowestLevel(structure, None if found is None else found.level, level)
