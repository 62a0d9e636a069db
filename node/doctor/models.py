"""The models: their bytes, where they run, and whether they see a cord where one was drawn."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from node.config import Config
from node.doctor.check import Check, CheckResult, checks_of, verdict
from node.doctor.drawing import AXIAL_CORD_MM, CANAL_MM, axial_neck, sagittal_neck
from node.domain.anatomy import Structure
from node.domain.image import Volume
from node.domain.prediction import Masks
from node.inference import ModelLibrary
from node.pipeline import open_pipeline

# Of the 20 corners of C3 to C7, so many tell that the network is not broken.
_ENOUGH_CORNERS = 12


def model_checks(config: Config) -> Sequence[Check]:
    """Return one check for each model, loaded and verified, and one of what they make of a drawn neck; so for a shadow set."""
    checks = _set_checks(config)
    if config.shadow.enabled:
        beside = config.model_copy(update={"inference": config.shadow.beside(config.inference)})
        # a fault of the second set must not hide the first
        found = checks_of("models", lambda: _set_checks(beside))
        checks += [replace(one, name=f"shadow {one.name}") for one in found]
    return checks


def _set_checks(config: Config) -> list[Check]:
    library = open_pipeline(config).library
    providers = library.providers
    checks = [
        Check(f"model {one.name}", CheckResult.OK, f"{one.version}, sha256 {one.sha256[:12]}, runs on {providers[one.name]}")
        for one in library.identities
    ]
    return [*checks, _execution(config, providers), _self_test(library)]


def _execution(config: Config, providers: dict[str, str]) -> Check:
    """Say where the models run; a GPU that was asked for first and is not used is worth a word, as nothing else says so."""
    used, wanted = sorted(set(providers.values())), config.inference.providers
    where = f"{', '.join(used)} of {', '.join(wanted)}"
    if used == [wanted[0]] or used == ["cpu"]:
        return Check("execution", CheckResult.OK, f"runs on {where}" + (": no GPU is used" if used == ["cpu"] else ""))
    return Check("execution", CheckResult.WARNING, f"runs on {where}, not on the first that is configured; see the log")


def _self_test(library: ModelLibrary) -> Check:
    """Segment a drawn neck. A model that was trained on other pictures may see nothing in it, so that is a warning."""
    started_s = time.perf_counter()
    sagittal, axial = sagittal_neck(), axial_neck()
    masks = library.sagittal_segmenter.segment(sagittal)
    corners = library.keypoint_detector.detect(sagittal, len(sagittal.planes) // 2, masks).by_landmark
    axial_masks = library.axial_segmenter.segment(axial)
    elapsed_s = time.perf_counter() - started_s
    if not all(np.isfinite(one).all() for part in (masks, axial_masks) for one in part.probabilities.values()):
        return Check("self-test", CheckResult.FAILED, "a model returns values that are no numbers; reinstall it or its runtime")
    inside = _share_inside_canal(masks, sagittal)
    ratio = _area_mm2(axial_masks, axial) / float(np.pi * np.prod(AXIAL_CORD_MM))
    found = f"a drawn neck in {elapsed_s:.1f} s: {inside:.0%} of the cord in the canal, cord area {ratio:.0%} of the drawn, "
    found += f"{len(corners)} of 20 corners"
    is_well = inside > 0.9 and 0.5 < ratio < 1.5 and len(corners) >= _ENOUGH_CORNERS
    return verdict("self-test", is_well, found, "with the models of the package this is a fault; with others, measure them")


def _share_inside_canal(masks: Masks, volume: Volume) -> float:
    """Return the share of the cord on the middle slice that lies between the drawn edges of the canal; 0 if there is no cord."""
    cord = masks.binary(Structure.SPINAL_CORD)[len(volume.planes) // 2]
    if not cord.any():
        return 0.0
    columns = np.nonzero(cord)[1]
    right_mm = (columns - volume.planes[0].columns / 2) * volume.planes[0].spacing[1]
    return float(((right_mm > CANAL_MM[0]) & (right_mm < CANAL_MM[1])).mean())


def _area_mm2(masks: Masks, volume: Volume) -> float:
    middle = len(volume.planes) // 2
    return float(masks.binary(Structure.SPINAL_CORD)[middle].sum() * volume.planes[middle].pixel_area_mm2)
