"""Real volumes with reference annotations: sagittal slices and axial reformats of one person, and axial series alone.

The folder holds ``sagittal/NAME_t2.nii.gz`` (1 mm voxels) with ``NAME_midsagittal.json`` and perhaps ``NAME_cord.nii.gz``, and
``axial/NAME_t2s.nii.gz`` with ``NAME_cord.nii.gz`` or ``NAME_t2s_cord.nii.gz``.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import VERTEBRAE, Corner, Landmark, Level, Structure
from node.domain.geometry import LEFT, POSTERIOR, ImagePlane, Spacing
from node.domain.image import Volume
from node.domain.study import SeriesRole
from tools.evaluate.case import Case, CaseSource, Cover, Truth, volume_of
from tools.evaluate.readings import Measure
from tools.labelme.polygon import polygon_cover
from tools.training.real import load_volume, person_of

Array = npt.NDArray[np.float32]
Zooms = tuple[float, float, float]

CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL
_WORDS = {CORD: "cord", CANAL: "canal"}
_SAGITTAL_THICKNESS, _AXIAL_THICKNESS = 3, 4  # voxels
_SLICES_ASIDE = 4
_END_ROWS = 4  # the ends of a traced outline are where the annotator stopped, not where the structure does
_DOWN = (0.0, 0.0, -1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Scan:
    """A volume in RAS order, the cord mask if there is one, and the voxel size in mm."""

    voxels: Array
    cord: Array | None
    zooms: Zooms


def real_sources(folder: Path, people: Sequence[str] = ()) -> Iterator[CaseSource]:
    """Return the volumes of a folder, all or those of some people.

    Raises
    ------
    ValueError
        If there is none.
    """
    both = (SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2)
    found = [
        _source(path, "_midsagittal.json", both, sagittal_case) for path in sorted(folder.glob("sagittal/*_midsagittal.json"))
    ]
    found += [_source(path, "_t2s.nii.gz", both[1:], axial_case) for path in sorted(folder.glob("axial/*_t2s.nii.gz"))]
    chosen = [one for one in found if not people or one.person in {person_of(name) for name in people}]
    if not chosen:
        raise ValueError(f"{folder} holds no annotated volume{' of ' + ', '.join(people) if people else ''}")
    return iter(chosen)


def _source(path: Path, ending: str, roles: tuple[SeriesRole, ...], load: Callable[[Path, str], Case]) -> CaseSource:
    name = path.name.removesuffix(ending)
    title = name if len(roles) > 1 else f"{name} T2*"
    return CaseSource(title, person_of(name), roles, partial(load, path.parent, name))


def sagittal_case(folder: Path, name: str) -> Case:
    """Return a volume of 1 mm voxels as sagittal slices about the annotated one and as axial slices along the cord."""
    annotation = json.loads((folder / f"{name}_midsagittal.json").read_text(encoding="utf-8"))
    scan = _scan(folder / f"{name}_t2.nii.gz", (folder / f"{name}_cord.nii.gz",))
    starts = _sagittal_starts(scan, annotation["slice_index"])
    planes = [_sagittal_plane(scan, start) for start in starts]
    sagittal = volume_of([_slab(scan.voxels, 0, start, _SAGITTAL_THICKNESS) for start in starts], planes)
    axial, covers = _axial(scan, _axial_starts(scan, annotation), _AXIAL_THICKNESS)
    if scan.cord is not None:
        covers[SeriesRole.SAGITTAL_T2, CORD] = _sagittal_cover(scan.cord, starts)
    middle = starts.index(annotation["slice_index"] - _SAGITTAL_THICKNESS // 2)
    truth = Truth(
        covers=covers,
        middle=middle,
        middle_covers={one: _border_cover(annotation[f"{word}_polygon"], planes[middle]) for one, word in _WORDS.items()},
        landmarks=_landmarks(annotation, planes[middle]),
        numbers=_numbers(annotation),
        narrowest={one: Level(annotation[word]["d_i_level"]) for one, word in _WORDS.items()},
    )
    return Case(name, person_of(name), {SeriesRole.SAGITTAL_T2: sagittal, SeriesRole.AXIAL_T2: axial}, truth)


def axial_case(folder: Path, name: str) -> Case:
    """Return an axial series with its cord mask, which has no sagittal series beside it."""
    scan = _scan(folder / f"{name}_t2s.nii.gz", (folder / f"{name}_cord.nii.gz", folder / f"{name}_t2s_cord.nii.gz"))
    shown = [] if scan.cord is None else np.flatnonzero(scan.cord.any((0, 1))).tolist()
    if not shown:
        raise ValueError(f"{name} has no cord mask")
    volume, covers = _axial(scan, shown, 1)
    return Case(f"{name} T2*", person_of(name), {SeriesRole.AXIAL_T2: volume}, Truth(covers))


def _scan(path: Path, masks: Sequence[Path]) -> _Scan:
    voxels, zooms = load_volume(path)
    found = [one for one in masks if one.exists()]
    cord = (load_volume(found[0])[0] > 0.5).astype(np.float32) if found else None
    return _Scan(voxels, cord, zooms)


def _slab(array: Array, axis: int, start: int, thickness: int) -> Array:
    """Return the mean of neighbouring planes of a RAS array as a slice that is seen as DICOM stores it."""
    kept = np.moveaxis(array, axis, 0)[start : start + thickness].mean(0)
    return np.ascontiguousarray(kept[::-1, ::-1].T, dtype=np.float32)


def _sagittal_starts(scan: _Scan, middle: int) -> list[int]:
    first = middle - _SAGITTAL_THICKNESS // 2
    starts = [first + step * _SAGITTAL_THICKNESS for step in range(-_SLICES_ASIDE, _SLICES_ASIDE + 1)]
    return [one for one in starts if 0 <= one <= scan.voxels.shape[0] - _SAGITTAL_THICKNESS]


def _axial_starts(scan: _Scan, annotation: Mapping[str, Any]) -> list[int]:
    """Return the first voxels of touching slabs along the cord mask, or without a mask along the traced canal."""
    if scan.cord is not None:
        filled = np.flatnonzero(scan.cord.any((0, 1)))
    else:
        filled = scan.voxels.shape[2] - 1 - np.array(annotation["canal_polygon"])[:, 1]
    return list(range(int(filled.min()), int(filled.max()) - _AXIAL_THICKNESS + 2, _AXIAL_THICKNESS))


def _sagittal_plane(scan: _Scan, start: int) -> ImagePlane:
    across, along, up = scan.zooms
    _, columns, rows = scan.voxels.shape
    centre = start + (_SAGITTAL_THICKNESS - 1) / 2
    corner = np.array([-centre * across, -(columns - 1) * along, (rows - 1) * up])
    return ImagePlane(corner, np.array(POSTERIOR), np.array(_DOWN), Spacing(up, along), rows, columns)


def _axial(scan: _Scan, starts: Sequence[int], thickness: int) -> tuple[Volume, dict[tuple[SeriesRole, Structure], Cover]]:
    across, along, up = scan.zooms
    columns, rows, _ = scan.voxels.shape
    corners = [(-(columns - 1) * across, -(rows - 1) * along, (start + (thickness - 1) / 2) * up) for start in starts]
    spacing = Spacing(along, across)
    planes = [ImagePlane(np.array(one), np.array(LEFT), np.array(POSTERIOR), spacing, rows, columns) for one in corners]
    volume = volume_of([_slab(scan.voxels, 2, start, thickness) for start in starts], planes, "1.2.4")
    if scan.cord is None:
        return volume, {}
    return volume, {(SeriesRole.AXIAL_T2, CORD): np.stack([_slab(scan.cord, 2, start, thickness) for start in starts])}


def _sagittal_cover(cord: Array, starts: Sequence[int]) -> Cover:
    """Return the cord mask on sagittal slabs; above and below its ends nobody traced."""
    cover = np.stack([_slab(cord, 0, start, _SAGITTAL_THICKNESS) for start in starts])
    rows = np.flatnonzero(np.asarray(cord.any((0, 1)))[::-1])
    cover[:, : rows[0]] = np.nan
    cover[:, rows[-1] + 1 :] = np.nan
    return cover


def _border_cover(polygon: Sequence[Sequence[float]], plane: ImagePlane) -> Cover:
    """Return a traced outline as cover of one slice; unknown near and beyond its upper and lower end."""
    rows = np.array(polygon)[:, 1]
    cover = polygon_cover(np.array(polygon, dtype=np.float64)[:, ::-1], (plane.rows, plane.columns))
    cover[: int(rows.min()) + _END_ROWS] = np.nan
    cover[int(rows.max()) - _END_ROWS :] = np.nan
    return cover


def _landmarks(annotation: Mapping[str, Any], plane: ImagePlane) -> dict[Landmark, npt.NDArray[np.float64]]:
    corners = annotation["keypoints_px"]
    return {
        Landmark(vertebra, corner): plane.to_patient(corners[vertebra.value][number][::-1])
        for vertebra in VERTEBRAE
        for number, corner in enumerate(Corner)
        if corners[vertebra.value][number] is not None
    }


def _numbers(annotation: Mapping[str, Any]) -> dict[tuple[Measure, str], float]:
    numbers = {(Measure.MSCC, ""): annotation["MSCC_percent"], (Measure.MCC, ""): annotation["MCC_percent"]}
    for measure, word in ((Measure.CORD_AP, "cord"), (Measure.CANAL_AP, "canal")):
        numbers |= {(measure, level): width for level, width in annotation[word]["per_level_mean"].items()}
    return numbers
