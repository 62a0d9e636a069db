"""Slices that a person corrected in labelme as training slices on the canonical grids.

``DIR/PERSON/...`` holds the files of one person, whatever lies below; the name of the folder is what ``--hold-out`` takes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.anatomy import LANDMARKS, VERTEBRAE, Structure
from node.domain.geometry import ImagePlane, Points
from node.domain.study import SeriesRole
from node.inference.manifest import View
from node.inference.preprocess import upright_steps
from tools.labelme import Annotation, annotation_paths, read_annotation
from tools.labelme.picture import from_grey, read_png
from tools.training.pool import AXIAL_MM, CENTRES, SAGITTAL_MM
from tools.training.real import Array, Sample

_SPACING_MM = {SeriesRole.SAGITTAL_T2: SAGITTAL_MM, SeriesRole.AXIAL_T2: AXIAL_MM}
_VIEW = {SeriesRole.SAGITTAL_T2: View.SAGITTAL, SeriesRole.AXIAL_T2: View.AXIAL}


def annotated_samples(folder: Path, role: SeriesRole) -> list[Sample]:
    """Return the corrected slices of one plane below a folder.

    Raises
    ------
    AnnotationError
        If a file cannot be used.
    ValueError
        If a file lies in no person's folder, where it could not be held out.
    """
    return list(_samples(folder, role))


def _samples(folder: Path, role: SeriesRole) -> Iterator[Sample]:
    for path in annotation_paths(folder):
        person, *inside = path.relative_to(folder).parts
        if not inside:
            raise ValueError(f"{path} must lie in a folder named after its person")
        annotation = read_annotation(path)
        if annotation.geometry.role is role:
            yield _sample(annotation, person)


def _sample(annotation: Annotation, person: str) -> Sample:
    """Return a slice on the canonical grid; a structure without a polygon is unknown, one with a polygon known everywhere."""
    role = annotation.geometry.role
    grid = _fitted(annotation.geometry.plane, role)
    pixels = grid.take(from_grey(read_png(annotation.picture_path), annotation.geometry.window))
    empty = np.zeros_like(pixels)
    covers = {one: grid.take(cover) for one, cover in annotation.masks.items()}
    cord, canal = (covers.get(one, empty) for one in (Structure.SPINAL_CORD, Structure.SPINAL_CANAL))
    cord_known, canal_known = (np.ones_like(pixels) if one in covers else empty for one in Structure)
    points = _points(annotation, grid) if role is SeriesRole.SAGITTAL_T2 else np.zeros((0, 2), dtype=np.float32)
    return Sample(pixels, cord, canal, cord_known, canal_known, points, person)


def _points(annotation: Annotation, grid: "_Grid") -> Array:
    """Return corners and body centres, shape (28, 2); all NaN if a corner is missing, for it might be in the image unmarked."""
    points = np.full((len(LANDMARKS) + len(CENTRES), 2), np.nan, dtype=np.float32)
    if len(annotation.landmarks) == len(LANDMARKS):
        corners = grid.place(np.array([annotation.landmarks[one] for one in LANDMARKS]))
        points[: len(LANDMARKS)] = corners
        for vertebra, centre in zip(VERTEBRAE, corners.reshape(len(VERTEBRAE), -1, 2).mean(axis=1), strict=True):
            points[len(LANDMARKS) + CENTRES.index(vertebra.value)] = centre
    return points


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Canonical pixels as points of a source slice.

    Parameters
    ----------
    matrix
        Source pixels (row, column) for one step down and one step across, as columns, shape (2, 2).
    offset
        Source pixel (row, column) of the first canonical pixel, shape (2,).
    """

    matrix: Points
    offset: Points
    shape: tuple[int, int]

    def take(self, array: npt.NDArray[np.float32]) -> Array:
        """Return a source slice on the canonical grid, without detail that its pixels cannot hold."""
        sigma_row, sigma_column = 0.5 * np.sqrt(np.maximum(np.linalg.norm(self.matrix, axis=1) ** 2 - 1, 1e-6))
        smooth = cv2.GaussianBlur(array, (0, 0), sigmaX=float(sigma_column), sigmaY=float(sigma_row))
        x_first = np.column_stack([self.matrix[::-1, ::-1], self.offset[::-1]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(smooth, x_first, self.shape[::-1], flags=flags), dtype=np.float32)

    def place(self, points: Points) -> Points:
        """Return canonical (row, column) of source (row, column), shape (n, 2) each."""
        return np.asarray((points - self.offset) @ np.linalg.inv(self.matrix).T)


def _fitted(plane: ImagePlane, role: SeriesRole) -> _Grid:
    """Return the canonical grid over the whole slice, turned and mirrored as the node does it for its models."""
    steps = upright_steps(plane, _VIEW[role])
    last = np.array([plane.rows, plane.columns]) - 1.0
    sizes = np.abs(steps.T) @ (last * np.asarray(plane.spacing)) / _SPACING_MM[role]
    offset = np.where(steps.sum(axis=1) < 0, last, 0.0)
    rows, columns = (int(size) + 1 for size in sizes)
    return _Grid(steps * _SPACING_MM[role] / np.asarray(plane.spacing)[:, None], offset, (rows, columns))
