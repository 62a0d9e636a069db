"""Source slices to model input, and maps and points back: one affine grid and its exact inverse.

Rows and columns of a model always grow in the same patient directions (sagittal: down = feet, across = back; axial: down = back,
across = patient's left), however the slice is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.geometry import LEFT, POSTERIOR, SUPERIOR, ImagePlane, Points
from node.inference.manifest import FixedSizePlan, FixedSpacingPlan, ModelManifest, Plan, View

Pixels = npt.NDArray[np.float32]

# Signals above this share of the reference are equally bright.
_BRIGHTEST = 1.5
# A row or column belongs to the tissue if this share of its pixels does.
_FILLED = 0.02
_DIRECTIONS = {
    View.SAGITTAL: (-np.array(SUPERIOR), np.array(POSTERIOR)),
    View.AXIAL: (np.array(POSTERIOR), np.array(LEFT)),
}


@dataclass(frozen=True, eq=False)
class ModelGrid:
    """The pixels of a model's input as points of the source slices.

    Parameters
    ----------
    rows, columns
        Size of the input.
    matrix
        Source pixels (row, column) for each step of a model row and of a model column, shape (2, 2), columns are the steps.
    offset
        Source pixel (row, column) of model pixel (0, 0), shape (2,).
    """

    rows: int
    columns: int
    matrix: Points
    offset: Points

    @cached_property
    def _inverse(self) -> Points:
        return np.asarray(np.linalg.inv(self.matrix))

    def to_source(self, points: npt.ArrayLike) -> Points:
        """Return source pixels (row, column) of model pixels, shape (..., 2) each."""
        return np.asarray(np.asarray(points, dtype=np.float64) @ self.matrix.T + self.offset)

    def to_model(self, points: npt.ArrayLike) -> Points:
        """Return model pixels (row, column) of source pixels, shape (..., 2) each."""
        return np.asarray((np.asarray(points, dtype=np.float64) - self.offset) @ self._inverse.T)

    def take(self, pixels: Pixels) -> Pixels:
        """Return a source slice on the model's grid, float32 [row, column], without detail that a coarser grid cannot hold."""
        coarseness = np.linalg.norm(self.matrix, axis=1)
        sigmas = 0.5 * np.sqrt(np.maximum(0.0, coarseness**2 - 1))
        if sigmas.max() > 0:
            row_sigma, column_sigma = np.maximum(sigmas, 1e-3)
            pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigmaX=column_sigma, sigmaY=row_sigma), dtype=np.float32)
        return _warped(pixels, self.matrix, self.offset, (self.rows, self.columns))

    def put(self, maps: Pixels, shape: tuple[int, int], stride: int = 1) -> Pixels:
        """Return an output map of the model on the source grid of the given shape; 0 outside the model's grid."""
        shift = (stride - 1) / 2
        matrix = self._inverse / stride
        offset = (-self._inverse @ self.offset - shift) / stride
        return _warped(maps, matrix, offset, shape)


def _warped(pixels: Pixels, matrix: Points, offset: Points, shape: tuple[int, int]) -> Pixels:
    """Return ``pixels`` read at ``matrix @ (row, column) + offset``, bilinearly, 0 outside."""
    x_first = np.array([[matrix[1, 1], matrix[1, 0], offset[1]], [matrix[0, 1], matrix[0, 0], offset[0]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(np.ascontiguousarray(pixels), x_first, shape[::-1], flags=flags), dtype=np.float32)


def normalise(pixels: Pixels, reference: float) -> Pixels:
    """Return the square root of the signal in units of ``reference``: dark bone and bright CSF in one range, 0 to 1.2."""
    return np.asarray(np.sqrt(np.clip(pixels / reference, 0.0, _BRIGHTEST)), dtype=np.float32)


def reference_signal(voxels: Pixels, percentile: float) -> float:
    """Return the signal that counts as bright: the percentile over the slices, and never 0."""
    return max(float(np.percentile(voxels, percentile)), 1e-6)


def model_input(pixels: Pixels, grid: ModelGrid, reference: float) -> Pixels:
    """Return one slice as the model sees it, float32 [row, column]."""
    return normalise(grid.take(pixels), reference)


def fit_grid(manifest: ModelManifest, plane: ImagePlane, voxels: Pixels, reference: float) -> ModelGrid:
    """Return the model's grid for a volume; see :func:`fit_grids`."""
    return fit_grids([manifest.plan], manifest, plane, voxels, reference)[0]


def fit_grids(
    plans: Sequence[Plan], manifest: ModelManifest, plane: ImagePlane, voxels: Pixels, reference: float
) -> list[ModelGrid]:
    """Return the grid of each plan for a volume, whose tissue is looked for once.

    Parameters
    ----------
    voxels
        [slice, row, column], on planes that are parallel to ``plane``.
    reference
        The signal of the whole volume that counts as bright.
    """
    steps = upright_steps(plane, manifest.view)
    tissue = voxels.max(axis=0) > manifest.plan.tissue_share * reference
    box = _rectangle(tissue, steps)
    return [
        _fixed_spacing(plan, plane, steps, box) if isinstance(plan, FixedSpacingPlan) else _fixed_size(plan, steps, box)
        for plan in plans
    ]


def upright_steps(plane: ImagePlane, view: View) -> Points:
    """Return the source steps (row, column) that lead one pixel down and one across, as columns: a signed permutation."""
    axes = np.stack([plane.along_column, plane.along_row])
    cosines = np.stack([axes @ direction for direction in _DIRECTIONS[view]], axis=1)
    straight = abs(cosines[0, 0]) + abs(cosines[1, 1]) >= abs(cosines[0, 1]) + abs(cosines[1, 0])
    chosen = np.eye(2) if straight else np.eye(2)[::-1]
    return np.asarray(chosen * np.where(cosines < 0, -1.0, 1.0))


def _rectangle(tissue: npt.NDArray[np.bool_], steps: Points) -> tuple[Points, Points]:
    """Return the least and greatest (down, across) of the tissue in source pixels along the model's directions."""
    rows = np.flatnonzero(tissue.mean(axis=1) > _FILLED)
    columns = np.flatnonzero(tissue.mean(axis=0) > _FILLED)
    if not len(rows) or not len(columns):
        rows, columns = np.arange(tissue.shape[0]), np.arange(tissue.shape[1])
    corners = np.array([[rows[0], columns[0]], [rows[-1], columns[-1]]]) @ steps
    return corners.min(axis=0) - 0.5, corners.max(axis=0) + 0.5


def _fixed_spacing(plan: FixedSpacingPlan, plane: ImagePlane, steps: Points, box: tuple[Points, Points]) -> ModelGrid:
    pixel_mm = np.abs(steps.T) @ np.asarray(plane.spacing)
    scale = plan.spacing_mm / pixel_mm
    wanted = np.ceil((box[1] - box[0]) / scale / plan.multiple).astype(int) * plan.multiple
    least, most = [plan.minimum_rows, plan.minimum_columns], [plan.maximum_rows, plan.maximum_columns]
    rows, columns = np.clip(wanted, least, most).tolist()
    return _centred(steps, scale, (rows, columns), (box[0] + box[1]) / 2)


def _fixed_size(plan: FixedSizePlan, steps: Points, box: tuple[Points, Points]) -> ModelGrid:
    shape = (plan.rows, plan.columns)
    return _centred(steps, (box[1] - box[0]) / np.array(shape), shape, (box[0] + box[1]) / 2)


def _centred(steps: Points, scale: Points, shape: tuple[int, int], centre: Points) -> ModelGrid:
    """Return the grid of the given size about ``centre``, with ``scale`` source pixels for each model pixel (down, across)."""
    matrix = steps * scale
    middle = (np.array(shape) - 1) / 2
    return ModelGrid(*shape, matrix, steps @ centre - matrix @ middle)
