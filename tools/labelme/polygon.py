"""Polygons on a pixel grid: the share of each pixel that lies inside, and whether the outline crosses itself."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from node.domain.geometry import Points

Cover = npt.NDArray[np.float32]
"""Share 0..1 of each pixel that a structure fills; float32 [row, column]."""

_LINES = 16  # scan lines in each row of pixels; along a line the share is exact


def union_cover(polygons: Sequence[Points], shape: tuple[int, int]) -> Cover:
    """Return the cover of several polygons of pixel points (row, column); where they overlap, the larger share counts."""
    cover = np.zeros(shape, dtype=np.float32)
    for polygon in polygons:
        np.maximum(cover, polygon_cover(polygon, shape), out=cover)
    return cover


def polygon_cover(points: Points, shape: tuple[int, int]) -> Cover:
    """Return the cover of a closed polygon of pixel points (row, column), shape (n, 2), n >= 3."""
    rows, columns = shape
    lines = (np.arange(rows * _LINES) + 0.5) / _LINES - 0.5
    right_edges = np.arange(columns) + 0.5
    winding = np.zeros((lines.size, columns), dtype=np.float32)
    for (start_row, start_column), (end_row, end_column) in zip(points, np.roll(points, -1, axis=0), strict=True):
        first, last = np.searchsorted(lines, sorted((start_row, end_row)))
        if first == last:
            continue
        share = (lines[first:last] - start_row) / (end_row - start_row)
        crossed_at = start_column + share * (end_column - start_column)
        right_of_it = np.clip(right_edges - crossed_at[:, None], 0, 1)
        winding[first:last] += right_of_it if end_row > start_row else -right_of_it
    inside = np.minimum(np.abs(winding), 1)
    return np.asarray(inside.reshape(rows, _LINES, columns).mean(axis=1), dtype=np.float32)


def crosses_itself(points: Points) -> bool:
    """Whether two edges of a closed polygon, shape (n, 2), cross; edges that only touch do not count."""
    return _crossing_edges(points).size > 0


def untangled(points: Points) -> Points:
    """Return a closed polygon, shape (n, 2), without the loops where it crosses itself: the shorter side of each is cut off."""
    while (crossing := _crossing_edges(points)).size:
        first, second = crossing[0]
        loop = np.zeros(len(points), dtype=bool)
        loop[first + 1 : second + 1] = True
        points = points[loop if loop.sum() > len(points) / 2 else ~loop]
    return points


def _crossing_edges(points: Points) -> npt.NDArray[np.intp]:
    """Return the pairs of edges that cross, lower index first, shape (pairs, 2); edge k starts at point k."""
    starts, ends = points, np.roll(points, -1, axis=0)
    side_of_starts = _side(starts[:, None], ends[:, None], starts[None])
    side_of_ends = _side(starts[:, None], ends[:, None], ends[None])
    parted = side_of_starts * side_of_ends < 0
    return np.argwhere(np.triu(parted & parted.T))


def _side(starts: Points, ends: Points, points: Points) -> Points:
    """Return +1, -1 or 0 as points lie left of, right of or on the lines from starts to ends."""
    along, offset = ends - starts, points - starts
    return np.asarray(np.sign(along[..., 0] * offset[..., 1] - along[..., 1] * offset[..., 0]))
