"""Measurements of the sagittal series: diameters by level, MSCC, MCC, and the worst slice beside the decisive one."""

from collections.abc import Mapping

import numpy as np

from node.config import MeasurementConfig
from node.domain.anatomy import LEVELS, Landmark, Level, Structure
from node.domain.errors import Declined, Finding, Reason
from node.domain.geometry import ImagePlane, PixelPoint
from node.domain.image import Volume
from node.domain.measurement import CompressionRatio, LevelDiameters, ReferenceMethod, SagittalMeasurements, Verdict
from node.domain.prediction import Keypoint, Keypoints, Masks
from node.measurement.borders import Borders, find_borders
from node.measurement.plausibility import border_findings, component_findings, cord_level_findings, sound_keypoints
from node.measurement.ratios import StructureProfile, compression
from node.measurement.wall import Layers, cut_layers

# A slice with less cord than this shows no cervical cord: 40 mm x 4 mm.
_SMALLEST_CORD_MM2 = 160.0
# A slice beside the decisive one is compared only where it still runs through the body of the cord: its own reference
# diameters must reach this share of the decisive slice's, else partial volume is taken for compression.
_PARASAGITTAL_SHARE = 0.75


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


def measure_sagittal(volume: Volume, masks: Masks, keypoints: Keypoints, config: MeasurementConfig) -> SagittalMeasurements:
    """Return everything that is measured on the sagittal series.

    Parameters
    ----------
    volume
        The sagittal series.
    masks
        Cord and canal of all its slices.
    keypoints
        Corners on the decisive slice.
    """
    index = keypoints.slice_index
    plane = volume.planes[index]
    sound, corner_findings = sound_keypoints(keypoints.by_landmark, plane, config)
    profiles = _profiles(volume, masks, index, sound, corner_findings, config)
    ratios = {
        (structure, method): compression(profile, method) for structure, profile in profiles.items() for method in ReferenceMethod
    }
    levels = tuple(
        LevelDiameters(level, *(profiles[structure].mean_diameter(level) for structure in Structure))
        for level in LEVELS
        if profiles[Structure.SPINAL_CORD].borders.layers.of(level).size
    )
    worst = {
        structure: worst_ratio
        for structure in Structure
        if (worst_ratio := _worst_beside(volume, masks, keypoints, structure, ratios, config)) is not None
    }
    findings = tuple(dict.fromkeys(f for found in corner_findings.values() for f in found))
    return SagittalMeasurements(index, keypoints, levels, ratios, worst, findings)


def sagittal_layers(keypoints: Keypoints, plane: ImagePlane, config: MeasurementConfig) -> Layers:
    """Return the layers of the decisive slice, for mapping other planes to levels."""
    sound, _ = sound_keypoints(keypoints.by_landmark, plane, config)
    return cut_layers(sound, plane, config.layer_step_mm)


def _profiles(
    volume: Volume,
    masks: Masks,
    index: int,
    corners: Mapping[Landmark, Keypoint],
    corner_findings: Mapping[Level, tuple[Finding, ...]],
    config: MeasurementConfig,
) -> dict[Structure, StructureProfile]:
    """Return the profiles of cord and canal on one slice; both use the same layers."""
    plane = volume.planes[index]
    layers = cut_layers(corners, plane, config.layer_step_mm)
    cord = find_borders(masks.probabilities[Structure.SPINAL_CORD][index], plane, layers, config.smoothing_mm)
    canal = find_borders(masks.probabilities[Structure.SPINAL_CANAL][index], plane, layers, config.smoothing_mm, around=cord)
    pieces = component_findings(masks.binary(Structure.SPINAL_CORD)[index], plane)
    by_level = _merge(corner_findings, cord_level_findings(cord, canal))
    return {
        Structure.SPINAL_CORD: _profile(Structure.SPINAL_CORD, cord, plane, index, by_level, pieces),
        Structure.SPINAL_CANAL: _profile(Structure.SPINAL_CANAL, canal, plane, index, by_level, ()),
    }


def _profile(
    structure: Structure,
    borders: Borders,
    plane: ImagePlane,
    index: int,
    by_level: dict[Level, tuple[Finding, ...]],
    general: tuple[Finding, ...],
) -> StructureProfile:
    return StructureProfile(structure, borders, plane, index, by_level, general + border_findings(borders, plane, structure))


def _merge(*parts: Mapping[Level, tuple[Finding, ...]]) -> dict[Level, tuple[Finding, ...]]:
    return {level: found for level in LEVELS if (found := tuple(f for part in parts for f in part.get(level, ())))}


def _worst_beside(
    volume: Volume,
    masks: Masks,
    keypoints: Keypoints,
    structure: Structure,
    ratios: Mapping[tuple[Structure, ReferenceMethod], CompressionRatio],
    config: MeasurementConfig,
) -> CompressionRatio | None:
    """Return the largest ratio of a slice beside the decisive one that exceeds the decisive ratio; None if there is none."""
    decisive = ratios[structure, ReferenceMethod.C3_C7]
    if decisive.ratio.value is None:
        return None
    found: list[CompressionRatio] = []
    for index in range(len(volume.planes)):
        if index == keypoints.slice_index:
            continue
        corners = _carried_over(keypoints, volume.planes[keypoints.slice_index], volume.planes[index], config)
        profile = _profiles(volume, masks, index, corners, {}, config)[structure]
        ratio = compression(profile, ReferenceMethod.C3_C7)
        if _comparable(ratio, decisive):
            found.append(ratio)
    worst = max(found, key=lambda ratio: ratio.ratio.value or -np.inf, default=None)
    return worst if worst is not None and (worst.ratio.value or 0) > decisive.ratio.value else None


def _carried_over(
    keypoints: Keypoints, source: ImagePlane, target: ImagePlane, config: MeasurementConfig
) -> dict[Landmark, Keypoint]:
    """Return the sound corners of the decisive slice, projected onto another slice."""
    sound, _ = sound_keypoints(keypoints.by_landmark, source, config)
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
