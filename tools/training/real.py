"""Real volumes as training slices on the canonical grids; the folder is named on the command line, never kept here.

A slice knows what it is worth: ``cord_known`` and ``canal_known`` are 1 where the reference can be trusted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import nibabel
import numpy as np
import numpy.typing as npt

from node.domain.anatomy import VERTEBRAE
from tools.labelme.polygon import polygon_cover
from tools.training.pool import AXIAL_MM, CENTRES, SAGITTAL_MM

Array = npt.NDArray[np.float32]

# The order of the corners in the annotation, in the order of node.domain.anatomy.CORNERS.
_CORNERS = ("AS", "AI", "PS", "PI")
_FAVOURED_SHARE = 0.5
_HALF, _CORD_DEGREE = 0.5, 5


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One slice on a canonical grid, arrays float32 [row, column], points (row, column), NaN where unknown."""

    pixels: Array
    cord: Array
    canal: Array
    cord_known: Array
    canal_known: Array
    points: Array
    subject: str


def load_volume(path: Path) -> tuple[Array, tuple[float, float, float]]:
    """Return voxels in RAS order and their size in mm."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    across, along, up = map(float, image.header.get_zooms()[:3])
    return np.asarray(image.dataobj, dtype=np.float32), (across, along, up)


def _resized(array: Array, zooms: tuple[float, float], target_mm: float) -> Array:
    """Return a slice on square pixels; pixel centres keep their place: row 0 stays at row 0."""
    shape = tuple(int((n - 1) * z / target_mm) + 1 for n, z in zip(array.shape, zooms, strict=True))
    matrix = np.array([[target_mm / zooms[1], 0, 0], [0, target_mm / zooms[0], 0]], dtype=np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(array, matrix, shape[::-1], flags=flags), dtype=np.float32)


def _polygon_cover(points: list[list[float]], shape: tuple[int, ...], zoom: float) -> Array:
    """Return the share of each canonical pixel inside a polygon of [column, row] source pixels."""
    return polygon_cover(np.array(points)[:, ::-1] * zoom / SAGITTAL_MM, (shape[0], shape[1]))


def _rows_of(points: list[list[float]], shape: tuple[int, int], zoom: float) -> Array:
    rows = np.array(points)[:, 1] * zoom / SAGITTAL_MM
    known = np.zeros(shape, dtype=np.float32)
    known[int(np.ceil(rows.min())) + 6 : int(rows.max()) - 6] = 1
    return known


def _points(annotation: dict[str, dict[str, list[list[float]]]], folder: Path, subject: str, zoom: float) -> Array:
    corners = np.array([annotation["keypoints_px"][v.value] for v in VERTEBRAE])[..., ::-1]
    centres = {v.value: corners[i].mean(0) for i, v in enumerate(VERTEBRAE)}
    labels, mask = folder / f"{subject}_vertebrae_C2_T2.nii.gz", folder / f"{subject}_cord.nii.gz"
    if labels.exists() and mask.exists():
        centres |= _centres_beyond(centres, load_volume(labels)[0], load_volume(mask)[0])
    aside = np.array([centres.get(name, [np.nan, np.nan]) for name in CENTRES])
    return np.concatenate([corners.reshape(-1, 2), aside]).astype(np.float32) * zoom / SAGITTAL_MM


def _centres_beyond(centres: Mapping[str, Array], labels: Array, mask: Array) -> dict[str, Array]:
    """Return the body centres of C2, T1 and T2 as (row, column) of the sagittal slice.

    The labels of the Spinal Cord Toolbox lie in the cord, at the height of the body: the body is looked for in front of them,
    as far from the cord as C3 to C7 are. T1 is taken halfway between C7 and T2.
    """
    filled = np.argwhere(mask > _HALF)
    rows, columns = mask.shape[2] - 1 - filled[:, 2], mask.shape[1] - 1 - filled[:, 1]
    path = np.polynomial.Polynomial.fit(rows, columns, _CORD_DEGREE)

    def backwards(row: float) -> Array:
        """Return the unit vector (row, column) across the cord."""
        across = np.array([-path.deriv()(row), 1.0])
        return np.asarray(across / np.linalg.norm(across))

    known = np.array(list(centres.values()))
    apart = float(np.mean([(path(row) - column) * backwards(row)[1] for row, column in known]))
    found = {}
    for name, value in (("C2", 2), ("T2", 9)):
        _, y, z = np.argwhere(np.round(labels) == value).mean(0)
        label = np.array([labels.shape[2] - 1 - z, labels.shape[1] - 1 - y])
        found[name] = label - apart * backwards(label[0])
    return found | {"T1": (centres["C7"] + found["T2"]) / 2}


def sagittal_samples(folder: Path, subject: str, thickness: int = 3) -> list[Sample]:
    """Return the sagittal slices of one volume whose cord is known, averaged over ``thickness`` voxels."""
    voxels, zooms = load_volume(folder / f"{subject}_t2.nii.gz")
    annotation = json.loads((folder / f"{subject}_midsagittal.json").read_text())
    middle, mask_path = annotation["slice_index"], folder / f"{subject}_cord.nii.gz"
    mask = load_volume(mask_path)[0] if mask_path.exists() else None
    points = _points(annotation, folder, subject, zooms[1])
    reach = range(middle - 12, middle + 13) if mask is not None else range(middle - 1, middle + 2)
    samples = []
    for index in reach:
        near = slice(index - thickness // 2, index - thickness // 2 + thickness)
        pixels = _resized(voxels[near].mean(0)[::-1, ::-1].T.copy(), (zooms[2], zooms[1]), SAGITTAL_MM)
        shape = pixels.shape
        cord, cord_known = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        if mask is not None:
            cord = _resized((mask[near] > 0.5).mean(0, dtype=np.float32)[::-1, ::-1].T.copy(), (zooms[2], zooms[1]), SAGITTAL_MM)
            cord_known[:] = 1
        canal, canal_known = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        if abs(index - middle) <= 1:
            canal = _polygon_cover(annotation["canal_polygon"], shape, zooms[1])
            canal_known = _rows_of(annotation["canal_polygon"], shape, zooms[1])
            traced = _rows_of(annotation["cord_polygon"], shape, zooms[1])
            cord = np.where(traced > 0, _polygon_cover(annotation["cord_polygon"], shape, zooms[1]), cord)
            cord_known = np.maximum(cord_known, traced)
        seen = points if abs(index - middle) <= 2 else np.full_like(points, np.nan)
        samples.append(Sample(pixels, cord, canal, cord_known, canal_known, seen, subject))
    return samples


def load_subjects(folder: Path, subjects: Sequence[str]) -> list[Sample]:
    """Return the sagittal slices of several volumes."""
    return [one for subject in subjects for one in sagittal_samples(folder, subject)]


def mid_sagittal(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples that have corners and a canal."""
    return [one for one in samples if np.isfinite(one.points).any() and one.canal_known.any()]


def axial_samples(folder: Path, name: str) -> list[Sample]:
    """Return the slices of one axial series that has a cord mask."""
    voxels, zooms = load_volume(folder / f"{name}_t2s.nii.gz")
    path = next(one for one in (folder / f"{name}_cord.nii.gz", folder / f"{name}_t2s_cord.nii.gz") if one.exists())
    return [_axial(voxels[..., k], load_volume(path)[0][..., k], zooms, name) for k in range(voxels.shape[2])]


def axial_reformats(folder: Path, subject: str, step: int = 4, thickness: int = 4) -> list[Sample]:
    """Return axial slabs of a sagittal volume that has a cord mask."""
    voxels, zooms = load_volume(folder / f"{subject}_t2.nii.gz")
    mask = load_volume(folder / f"{subject}_cord.nii.gz")[0] > 0.5
    filled = np.flatnonzero(mask.any((0, 1)))
    starts = range(int(filled[0]) + 2, int(filled[-1]) - thickness - 1, step)
    slabs = [(voxels[..., k : k + thickness].mean(2), mask[..., k : k + thickness].mean(2, dtype=np.float32)) for k in starts]
    return [_axial(pixels, cord, zooms, subject) for pixels, cord in slabs]


def _axial(pixels: Array, cord: Array, zooms: tuple[float, float, float], subject: str) -> Sample:
    in_plane = (zooms[1], zooms[0])
    image = _resized(pixels[::-1, ::-1].T.copy(), in_plane, AXIAL_MM)
    cover = _resized(cord.astype(np.float32)[::-1, ::-1].T.copy(), in_plane, AXIAL_MM)
    known = np.ones_like(image) if cover.any() else np.zeros_like(image)
    return Sample(image, cover, np.zeros_like(image), known, np.zeros_like(image), np.zeros((0, 2), np.float32), subject)


def person_of(name: str) -> str:
    """Return who was imaged: two sessions of one person are one person."""
    return name.partition("Ses")[0]


@dataclass(frozen=True, slots=True, eq=False)
class RealSlices:
    """Real slices to train on and those of the people held out; of the ``favoured`` ones, half of what is chosen is taken."""

    trained: Sequence[Sample]
    held_out: Sequence[Sample]
    favoured: Sequence[Sample] = ()

    @property
    def people(self) -> frozenset[str]:
        """Names of the people who are trained on."""
        return frozenset(person_of(one.subject) for one in self.trained)

    def choose(self, rng: np.random.Generator) -> Sample:
        """Return a slice to train on."""
        among = self.favoured if self.favoured and rng.random() < _FAVOURED_SHARE else self.trained
        return among[int(rng.integers(len(among)))]


def divide(samples: Sequence[Sample], hold_out: Sequence[str], test: Sequence[str] = ()) -> RealSlices:
    """Return the slices divided by person; nobody is both trained on and held out.

    Parameters
    ----------
    hold_out
        People who are validated on.
    test
        People who are not looked at at all.

    Raises
    ------
    ValueError
        If nobody of that name is among the slices.
    """
    people = {person_of(one.subject) for one in samples}
    validated, untouched = ({person_of(name) for name in names} for names in (hold_out, test))
    unknown = (validated | untouched) - people
    if samples and unknown:
        raise ValueError(f"nobody is called {', '.join(sorted(unknown))}; there are: {', '.join(sorted(people))}")
    trained = [one for one in samples if person_of(one.subject) not in validated | untouched]
    return RealSlices(trained, [one for one in samples if person_of(one.subject) in validated - untouched])
