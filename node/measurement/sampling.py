"""Reading a probability map between its pixels, and smoothing along the cord."""

import numpy as np
import numpy.typing as npt

from node.domain.geometry import Points

FloatArray = npt.NDArray[np.float64]


def sample(image: npt.NDArray[np.floating], pixels: Points) -> FloatArray:
    """Return bilinear values of an image [row, column] at pixel points (row, column), shape (..., 2); 0 outside."""
    rows, columns = image.shape
    row, column = pixels[..., 0], pixels[..., 1]
    inside = (row >= -0.5) & (row <= rows - 0.5) & (column >= -0.5) & (column <= columns - 0.5)
    row, column = np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)
    top, left = np.floor(row).astype(np.intp), np.floor(column).astype(np.intp)
    bottom, right = np.minimum(top + 1, rows - 1), np.minimum(left + 1, columns - 1)
    down, across = row - top, column - left
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[bottom, left] * (1 - across) + image[bottom, right] * across
    return np.asarray(np.where(inside, upper * (1 - down) + lower * down, 0.0), dtype=np.float64)


def local_quadratic(positions_mm: FloatArray, values: FloatArray, half_width_mm: float) -> FloatArray:
    """Return values smoothed by a parabola fitted around each position.

    A parabola, unlike a moving average, leaves a narrowest point as narrow as it is.

    Parameters
    ----------
    positions_mm
        Ascending positions, shape (n,).
    values
        Values with NaN where there is none, shape (n,); NaN stays NaN.
    half_width_mm
        Distance at which the (tricube) weight has fallen to zero; 0 returns the values as they are.
    """
    present = np.isfinite(values)
    if half_width_mm <= 0 or not present.any():
        return values.copy()
    near = _neighbours(positions_mm, half_width_mm)
    offset = (positions_mm[near] - positions_mm[:, None]) / half_width_mm
    weight = np.where(present[near], np.clip(1 - np.abs(offset) ** 3, 0, None) ** 3, 0.0)
    basis = np.stack([np.ones_like(offset), offset, offset**2], axis=-1)
    weighted = basis * weight[..., None]
    normal = np.einsum("nki,nkj->nij", weighted, basis)
    right = np.einsum("nki,nk->ni", weighted, np.where(present, values, 0.0)[near])
    # Too few neighbours for a parabola: a trace of ridge on slope and curvature falls back to their mean.
    ridge = 1e-6 * np.diag([0.0, 1.0, 1.0]) + 1e-12 * np.eye(3)
    fitted = np.linalg.solve(normal + ridge, right[..., None])[:, 0, 0]
    return np.where(present, fitted, np.nan)


def _neighbours(positions_mm: FloatArray, half_width_mm: float) -> npt.NDArray[np.intp]:
    """Return indices that hold all positions, ascending, within a half-width of each, shape (n, k); any others have no weight."""
    first = np.searchsorted(positions_mm, positions_mm - half_width_mm, side="left")
    behind = np.searchsorted(positions_mm, positions_mm + half_width_mm, side="right")
    count = int((behind - first).max())
    return np.asarray(np.minimum(first, positions_mm.size - count)[:, None] + np.arange(count))
