"""Every conversion between pixels and patient space; millimetres come only from here.

Patient space is DICOM's: LPS (+x towards the patient's left, +y posterior, +z superior), millimetres
(PS3.3 section C.7.6.2.1.1). Pixel space is (row, column) of the stored image, 0-based, with whole numbers at
pixel centres. Arrays of points keep the coordinate in the last axis.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

#: Patient directions as LPS unit vectors.
LEFT = (1.0, 0.0, 0.0)
POSTERIOR = (0.0, 1.0, 0.0)
SUPERIOR = (0.0, 0.0, 1.0)

# Largest departure from unit length or a right angle that is still rounding in a text header (VR DS).
_DIRECTION_TOLERANCE = 1e-3


class PixelPoint(NamedTuple):
    """A point of a stored image: 0-based, whole numbers at pixel centres."""

    row: float
    column: float


class PatientPoint(NamedTuple):
    """A point of patient space: LPS, millimetres."""

    left_mm: float
    posterior_mm: float
    superior_mm: float


class Spacing(NamedTuple):
    """PixelSpacing: distance between the centres of neighbouring rows, and of neighbouring columns, in mm."""

    row_mm: float
    column_mm: float


@dataclass(frozen=True, eq=False)
class ImagePlane:
    """Where a stored slice lies in patient space (PS3.3 section C.7.6.2).

    Parameters
    ----------
    position
        ImagePositionPatient: centre of the first pixel, LPS mm, shape (3,).
    along_row
        Unit vector in which the column index grows (first triplet of ImageOrientationPatient), shape (3,).
    along_column
        Unit vector in which the row index grows (second triplet), shape (3,).
    spacing
        PixelSpacing.
    rows, columns
        Size of the stored slice.

    Raises
    ------
    ValueError
        If the directions are not perpendicular unit vectors or a spacing is not positive and finite.
    """

    position: Points
    along_row: Points
    along_column: Points
    spacing: Spacing
    rows: int
    columns: int

    def __post_init__(self) -> None:
        for name in ("position", "along_row", "along_column"):
            vector = np.array(getattr(self, name), dtype=np.float64)
            if vector.shape != (3,) or not np.isfinite(vector).all():
                raise ValueError(f"{name} must be three finite numbers, got {vector}")
            vector.setflags(write=False)
            object.__setattr__(self, name, vector)
        object.__setattr__(self, "spacing", Spacing(*map(float, self.spacing)))
        lengths = np.linalg.norm([self.along_row, self.along_column], axis=1)
        if np.abs(lengths - 1).max() > _DIRECTION_TOLERANCE or abs(self.along_row @ self.along_column) > _DIRECTION_TOLERANCE:
            raise ValueError("ImageOrientationPatient is not two perpendicular unit vectors")
        if not (np.isfinite(self.spacing).all() and min(self.spacing) > 0):
            raise ValueError(f"PixelSpacing must be positive, got {tuple(self.spacing)}")
        if min(self.rows, self.columns) < 1:
            raise ValueError(f"the slice has no pixels: {self.rows} x {self.columns}")

    @cached_property
    def normal(self) -> Points:
        """Unit vector perpendicular to the slice: along_row x along_column, shape (3,)."""
        normal = np.cross(self.along_row, self.along_column)
        return normal / np.linalg.norm(normal)

    def to_patient(self, pixels: npt.ArrayLike) -> Points:
        """Return patient points, shape (..., 3), of pixel points (row, column), shape (..., 2)."""
        pixels = np.asarray(pixels, dtype=np.float64)
        down = pixels[..., 0:1] * self.spacing.row_mm * self.along_column
        across = pixels[..., 1:2] * self.spacing.column_mm * self.along_row
        return self.position + down + across

    def to_pixels(self, points: npt.ArrayLike) -> Points:
        """Return pixel points (row, column), shape (..., 2), of patient points projected onto the slice."""
        offset = np.asarray(points, dtype=np.float64) - self.position
        return np.stack(
            [offset @ self.along_column / self.spacing.row_mm, offset @ self.along_row / self.spacing.column_mm], axis=-1
        )

    def distance_mm(self, points: npt.ArrayLike) -> Points:
        """Return the signed distance of patient points, shape (..., 3), from the slice along its normal, shape (...)."""
        return np.asarray((np.asarray(points, dtype=np.float64) - self.position) @ self.normal)

    def contains(self, points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether the projections of patient points, shape (..., 3), lie on the stored pixels, shape (...)."""
        pixels = self.to_pixels(points)
        inside = (pixels >= -0.5) & (pixels <= np.array([self.rows, self.columns]) - 0.5)
        return np.asarray(inside.all(axis=-1))

    def to_plane_mm(self, pixels: npt.ArrayLike) -> Points:
        """Return in-plane millimetres (down, across) of pixel points (row, column), shape (..., 2) each."""
        return np.asarray(np.asarray(pixels, dtype=np.float64) * np.asarray(self.spacing))

    def from_plane_mm(self, points_mm: npt.ArrayLike) -> Points:
        """Return pixel points (row, column) of in-plane millimetres (down, across), shape (..., 2) each."""
        return np.asarray(np.asarray(points_mm, dtype=np.float64) / np.asarray(self.spacing))

    def direction_in_plane(self, direction: npt.ArrayLike) -> Points:
        """Return the in-plane part (down, across) of a patient direction, shape (3,), as a unit vector, shape (2,).

        Raises
        ------
        ValueError
            If the direction is perpendicular to the slice.
        """
        direction = np.asarray(direction, dtype=np.float64)
        in_plane = np.array([direction @ self.along_column, direction @ self.along_row])
        length = float(np.linalg.norm(in_plane))
        if length < _DIRECTION_TOLERANCE:
            raise ValueError("the direction is perpendicular to the slice")
        return in_plane / length

    def length_mm(self, start: npt.ArrayLike, end: npt.ArrayLike) -> Points:
        """Return the distance in mm between pixel points of this slice, shape (..., 2) each, shape (...)."""
        difference = np.asarray(end, dtype=np.float64) - np.asarray(start, dtype=np.float64)
        return np.asarray(np.hypot(difference[..., 0] * self.spacing.row_mm, difference[..., 1] * self.spacing.column_mm))

    @property
    def pixel_area_mm2(self) -> float:
        """Area that one pixel stands for."""
        return self.spacing.row_mm * self.spacing.column_mm


@dataclass(frozen=True, eq=False)
class VolumeGeometry:
    """Parallel, equally sized planes in the order of their position along the common normal.

    Raises
    ------
    ValueError
        If there is no plane.
    """

    planes: tuple[ImagePlane, ...]

    def __post_init__(self) -> None:
        if not self.planes:
            raise ValueError("a volume has at least one plane")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        return len(self.planes), self.planes[0].rows, self.planes[0].columns

    @property
    def spacing(self) -> Spacing:
        """PixelSpacing common to all planes."""
        return self.planes[0].spacing

    @cached_property
    def offsets_mm(self) -> Points:
        """Signed distance of each plane from the first along the first's normal, ascending, shape (slices,)."""
        return self.planes[0].distance_mm(np.stack([plane.position for plane in self.planes]))

    @property
    def spacing_between_slices_mm(self) -> float:
        """Median distance between neighbouring planes; 0 for a single slice."""
        return float(np.median(np.diff(self.offsets_mm))) if len(self.planes) > 1 else 0.0

    def nearest_slice(self, point: npt.ArrayLike) -> int:
        """Return the index of the plane nearest to a patient point, shape (3,)."""
        return int(np.argmin([abs(float(plane.distance_mm(point))) for plane in self.planes]))
