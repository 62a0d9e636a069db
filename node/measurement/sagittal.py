"""Measurements of the sagittal series: diameters by level, MSCC, MCC, and the worst slice beside the decisive one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from node.config import MeasurementConfig
from node.domain.anatomy import LEVELS, Landmark, Level, Structure
from node.domain.errors import Declined, Finding, Reason, Severity
from node.domain.geometry import ImagePlane, PixelPoint
from node.domain.image import Volume
from node.domain.measurement import CompressionRatio, LevelDiameters, ReferenceMethod, SagittalMeasurements, Verdict
from node.domain.prediction import Keypoint, Keypoints, Masks
from node.measurement.band import cervical_band
from node.measurement.borders import Borders, find_borders
from node.measurement.following import SlicePath, follow_cord, followed
from node.measurement.plausibility import (
    border_findings,
    canal_level_findings,
    component_findings,
    cord_level_findings,
    leaving_findings,
    sound_keypoints,
)
from node.measurement.promise import promise_findings
from node.measurement.ratios import StructureProfile, compression
from node.measurement.visibility import unseen_border_findings
from node.measurement.wall import Layers, cut_layers

# A slice with less cord than this shows no cervical cord: 40 mm x 4 mm.
_SMALLEST_CORD_MM2 = 160.0
# A slice beside the decisive one is compared only where it still runs through the body of the cord: its own reference
# diameters must reach this share of the decisive slice's, else partial volume is taken for compression.
_PARASAGITTAL_SHARE = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """What the profiles of a sagittal series are made from.

    Parameters
    ----------
    corners
        By level, what was found wrong with the corners.
    band
        The pixels of a slice that lie beside C3 to C7.
    """

    volume: Volume
    masks: Masks
    corners: Mapping[Level, tuple[Finding, ...]]
    band: npt.NDArray[np.bool_]
    config: MeasurementConfig


def decisive_slice(volume: Volume, masks: Masks) -> int:
    """Return the index of the sagittal slice that shows the cord at its largest.

    Raises
    ------
    Declined
        ``cord_not_found`` if no slice shows enough cord to be a cervical spine.
    """
    areas_mm2 = masks.binary(Structure.SPINAL_CORD).sum(axis=(1, 2)) * volume.planes[0].pixel_area_mm2
    if areas_mm2.max() < _SMALLEST_CORD_MM2:
        largest = f"largest mask {areas_mm2.max():.0f} mm2, at least {_SMALLEST_CORD_MM2:.0f} needed"
        text = f"no sagittal slice shows a spinal cord ({largest})"
        raise Declined(Reason.CORD_NOT_FOUND, text)
    return int(areas_mm2.argmax())


def cervical_slice(volume: Volume, masks: Masks, keypoints: Keypoints) -> int:
    """Return the index of the slice that shows the cord at its largest between the corners that were found.

    The whole mask also holds brain stem and thoracic cord, which in a bent spine are largest on another slice than the neck.
    """
    band = cervical_band(volume.planes[keypoints.slice_index], keypoints.by_landmark)
    areas = (masks.binary(Structure.SPINAL_CORD) & band).sum(axis=(1, 2))
    return int(areas.argmax()) if areas.any() else keypoints.slice_index


def measure_sagittal(volume: Volume, masks: Masks, keypoints: Keypoints, config: MeasurementConfig) -> SagittalMeasurements:
    """Return everything that is measured on the sagittal series.

    Widths are taken on the decisive slice; where the neck bends sideways, in each layer on the slice that shows the middle of
    the cord there.

    Parameters
    ----------
    volume
        The sagittal series.
    masks
        Cord and canal of all its slices.
    keypoints
        Corners on the decisive slice.
    """
    decisive = keypoints.slice_index
    sound, corner_findings = sound_keypoints(keypoints.by_landmark, volume.planes[decisive], config)
    slices = [
        _borders(volume, masks, index, _carried_over(sound, volume, decisive, index), config)
        for index in range(len(volume.planes))
    ]
    path = follow_cord([one[Structure.SPINAL_CORD] for one in slices], volume.planes, decisive)
    borders = {structure: followed([one[structure] for one in slices], path) for structure in Structure}
    cord = borders[Structure.SPINAL_CORD]
    leaving = leaving_findings([one[Structure.SPINAL_CORD] for one in slices], cord, path.slices)
    series = _Series(volume, masks, corner_findings, cervical_band(volume.planes[decisive], keypoints.by_landmark), config)
    profiles = _profiles(series, borders, path, leaving)
    ratios = {
        (structure, method): compression(profile, method) for structure, profile in profiles.items() for method in ReferenceMethod
    }
    levels = tuple(
        LevelDiameters(level, *(profiles[structure].mean_diameter(level) for structure in Structure))
        for level in LEVELS
        if cord.layers.of(level).size
    )
    worst = _worst_beside(series, slices, decisive, ratios)
    by_level = _merge(*(profile.findings_by_level for profile in profiles.values()))
    findings = tuple(dict.fromkeys(f for found in by_level.values() for f in found))
    return SagittalMeasurements(decisive, keypoints, levels, ratios, worst, findings, by_level)


def sagittal_layers(keypoints: Keypoints, plane: ImagePlane, config: MeasurementConfig) -> Layers:
    """Return the layers of the decisive slice, for mapping other planes to levels."""
    sound, _ = sound_keypoints(keypoints.by_landmark, plane, config)
    return cut_layers(sound, plane, config.layer_step_mm)


def _borders(
    volume: Volume, masks: Masks, index: int, corners: Mapping[Landmark, Keypoint], config: MeasurementConfig
) -> dict[Structure, Borders]:
    """Return the borders of cord and canal on one slice; both use the same layers."""
    plane = volume.planes[index]
    layers = cut_layers(corners, plane, config.layer_step_mm)
    cord = find_borders(masks.probabilities[Structure.SPINAL_CORD][index], plane, layers, config.smoothing_mm)
    canal = find_borders(masks.probabilities[Structure.SPINAL_CANAL][index], plane, layers, config.smoothing_mm, around=cord)
    return {Structure.SPINAL_CORD: cord, Structure.SPINAL_CANAL: canal}


def _profiles(
    series: _Series, borders: Mapping[Structure, Borders], path: SlicePath, leaving: Mapping[Level, tuple[Finding, ...]]
) -> dict[Structure, StructureProfile]:
    cord, canal = borders[Structure.SPINAL_CORD], borders[Structure.SPINAL_CANAL]
    unseen = unseen_border_findings(cord, canal, series.volume, path.slices)
    by_level = _merge(series.corners, cord_level_findings(cord, canal), unseen, leaving)
    own = {Structure.SPINAL_CORD: {}, Structure.SPINAL_CANAL: canal_level_findings(canal)}
    plane = series.volume.planes[path.decisive]
    pieces = component_findings(series.masks.binary(Structure.SPINAL_CORD)[path.decisive], plane)
    maps = {structure: one[path.decisive] for structure, one in series.masks.probabilities.items()}
    return {
        structure: StructureProfile(
            structure,
            one,
            series.volume.planes,
            path,
            _merge(by_level, own[structure], border_findings(one, plane, structure)),
            (
                *(pieces if structure is Structure.SPINAL_CORD else ()),
                *promise_findings(structure, maps[structure], series.config, series.band),
            ),
        )
        for structure, one in borders.items()
    }


def _merge(*parts: Mapping[Level, tuple[Finding, ...]]) -> dict[Level, tuple[Finding, ...]]:
    return {level: found for level in LEVELS if (found := tuple(f for part in parts for f in part.get(level, ())))}


def _worst_beside(
    series: _Series,
    slices: Sequence[Mapping[Structure, Borders]],
    decisive: int,
    ratios: Mapping[tuple[Structure, ReferenceMethod], CompressionRatio],
) -> dict[Structure, CompressionRatio]:
    """Return by structure the largest ratio of a slice beside the decisive one, where that exceeds the decisive ratio."""
    worst: dict[Structure, CompressionRatio] = {}
    cords = [one[Structure.SPINAL_CORD] for one in slices]
    for index, borders in enumerate(slices):
        is_whole = any(np.isfinite(one.widths_mm).all() for one in borders.values())
        if index == decisive or not is_whole:  # without all widths there is no ratio
            continue
        straight = SlicePath.straight(index, len(cords[index].layers.levels))
        leaving = leaving_findings(cords, cords[index], straight.slices)
        # flagged only: a cord pressed from one side is thin on one slice, and that is looked for
        doubts = {level: tuple(replace(one, severity=Severity.FLAG) for one in found) for level, found in leaving.items()}
        for structure, profile in _profiles(series, borders, straight, doubts).items():
            ratio, chosen = compression(profile, ReferenceMethod.C3_C7), ratios[structure, ReferenceMethod.C3_C7]
            if _comparable(ratio, chosen) and _value(ratio) > _value(worst.get(structure, chosen)):
                worst[structure] = ratio
    return worst


def _value(ratio: CompressionRatio) -> float:
    return -np.inf if ratio.ratio.value is None else ratio.ratio.value


def _carried_over(sound: Mapping[Landmark, Keypoint], volume: Volume, decisive: int, index: int) -> dict[Landmark, Keypoint]:
    """Return the sound corners of the decisive slice, projected onto another slice."""
    source, target = volume.planes[decisive], volume.planes[index]
    return {
        landmark: Keypoint(
            landmark, PixelPoint(*map(float, target.to_pixels(source.to_patient(keypoint.point)))), keypoint.confidence
        )
        for landmark, keypoint in sound.items()
    }


def _comparable(ratio: CompressionRatio, decisive: CompressionRatio) -> bool:
    """Whether a slice still runs through the body of the structure: its reference diameters are nearly the decisive ones."""
    if ratio.ratio.verdict is Verdict.WITHHOLD:
        return False
    pairs = ((ratio.above, decisive.above), (ratio.below, decisive.below))
    return all(
        one is not None and other is not None and one.value is not None and other.value is not None
        and one.value >= _PARASAGITTAL_SHARE * other.value
        for one, other in pairs
    )  # fmt: skip
