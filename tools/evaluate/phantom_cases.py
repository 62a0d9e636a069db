"""The phantom test set: DICOM studies of known truth, read with the node's own selection and loading."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom

from node.config import SelectionConfig
from node.domain.anatomy import Corner, Landmark, Level, Structure, Vertebra
from node.domain.errors import PermanentError, Reason
from node.domain.geometry import Points
from node.domain.image import Volume
from node.domain.study import SeriesRole
from node.loading import load_volume
from node.selection import select_series
from node.store import collect_studies
from tools.evaluate.case import Case, CaseSource, Cover, Truth
from tools.evaluate.readings import Measure
from tools.phantom.study import PhantomSettings, write_phantom_study

#: Seeds below are free for training, fitting and trying out.
FIRST_SEED = 5000
#: What is fitted is never fitted on what it is evaluated on.
FITTING_SEED = 4000
_STRUCTURES = {Structure.SPINAL_CORD: "cord", Structure.SPINAL_CANAL: "canal"}


def settings_of(seed: int) -> PhantomSettings:
    """Return a study as the seed draws it: any number of narrowed levels, none included, and any scanner."""
    return PhantomSettings(seed=seed, compressions=None, minimum_mscc_percent=-100.0, varied=True)


def phantom_sources(studies: Path, count: int, first_seed: int = FIRST_SEED) -> Iterator[CaseSource]:
    """Return ``count`` phantom studies below ``studies``; one that is not there is written when it is loaded."""
    for seed in range(first_seed, first_seed + count):
        name = f"phantom-{seed}"
        load = partial(_load, studies, settings_of(seed), name)
        yield CaseSource(name, name, (SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2), load)


def _load(studies: Path, settings: PhantomSettings, name: str) -> Case:
    return phantom_case(_written(studies, settings), name)


def _written(studies: Path, settings: PhantomSettings) -> Path:
    """Return the folder of a study, named by its settings: other settings make another folder.

    A change of the phantom's code does not: then the studies have to be removed by hand.
    """
    fingerprint = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True, default=str).encode()).hexdigest()[:8]
    folder = studies / f"phantom-{settings.seed}-{fingerprint}"
    if not folder.is_dir():
        unfinished = folder.with_suffix(".unfinished")
        unfinished.mkdir(parents=True, exist_ok=True)
        write_phantom_study(unfinished, settings)
        unfinished.rename(folder)
    return folder


def phantom_case(folder: Path, name: str) -> Case:
    """Return a study written by :func:`tools.phantom.study.write_phantom_study` and its truth.

    Raises
    ------
    NodeError
        If the node declines the study or cannot read it.
    """
    studies = collect_studies([folder]).studies
    if len(studies) != 1:
        raise PermanentError(Reason.NOT_DICOM, f"{folder.name} holds {len(studies)} studies instead of one")
    selection = select_series(studies[0], SelectionConfig())
    volumes = {role: load_volume(selected) for role, selected in selection.series_by_role.items()}
    covers: dict[tuple[SeriesRole, Structure], Cover] = {}
    with np.load(folder / "masks.npz") as masks:
        for role, volume in volumes.items():
            order = _instance_numbers(volume) - 1
            covers |= {(role, one): masks[f"{role.value}_{word}"][order] for one, word in _STRUCTURES.items()}
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return Case(name, name, volumes, _truth(truth, volumes[SeriesRole.SAGITTAL_T2], covers))


def _instance_numbers(volume: Volume) -> npt.NDArray[np.intp]:
    """Return the number of each slice of a volume: of its instance, or of its frame in a multi-frame instance."""
    return np.array(
        [_instance_number(one.instance.path) if one.frame_number is None else one.frame_number for one in volume.sources]
    )


def _instance_number(path: Path) -> int:
    return int(pydicom.dcmread(path, specific_tags=["InstanceNumber"]).InstanceNumber)


def _truth(truth: Mapping[str, Any], sagittal: Volume, covers: Mapping[tuple[SeriesRole, Structure], Cover]) -> Truth:
    landmarks = {landmark_named(name): np.array(point) for name, point in truth["landmarks"].items()}
    middle = _middle(sagittal, landmarks)
    return Truth(
        covers=covers,
        middle=middle,
        middle_covers={one: covers[SeriesRole.SAGITTAL_T2, one][middle] for one in Structure},
        landmarks=landmarks,
        numbers=_numbers(truth),
        narrowest={Structure.SPINAL_CORD: Level(truth["mscc"]["level"]), Structure.SPINAL_CANAL: Level(truth["mcc"]["level"])},
    )


def landmark_named(name: str) -> Landmark:
    """Return the landmark of a name such as ``C3 anterior_superior``."""
    vertebra, corner = name.split()
    return Landmark(Vertebra(vertebra), Corner(corner))


def _middle(sagittal: Volume, landmarks: Mapping[Landmark, Points]) -> int:
    return sagittal.geometry.nearest_slice(np.mean(list(landmarks.values()), axis=0))


def _numbers(truth: Mapping[str, Any]) -> dict[tuple[Measure, str], float]:
    numbers = {(Measure.MSCC, ""): truth["mscc"]["value_percent"], (Measure.MCC, ""): truth["mcc"]["value_percent"]}
    for level, widths in truth["levels_mm"].items():
        numbers |= {(Measure.CORD_AP, level): widths["cord_ap_mm"], (Measure.CANAL_AP, level): widths["canal_ap_mm"]}
    section = truth["axial"]
    if section is not None:
        numbers |= {(Measure.TA, ""): section["ta_mm2"], (Measure.CR, ""): section["cr"]}
        numbers |= {(Measure.AXIAL_AP, ""): section["ap_mm"], (Measure.TRANSVERSE, ""): section["transverse_mm"]}
    return numbers
