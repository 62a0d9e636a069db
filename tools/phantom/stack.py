"""The planes of a series: centred on a point, turned by any angle, stored in any of the equivalent ways."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from node.domain.geometry import LEFT, POSTERIOR, ImagePlane, Spacing

Array = npt.NDArray[np.float64]
Axes = tuple[tuple[float, float, float], tuple[float, float, float]]

#: along_row and along_column before any turn.
SAGITTAL_AXES: Axes = (POSTERIOR, (0.0, 0.0, -1.0))
AXIAL_AXES: Axes = (LEFT, POSTERIOR)
CORONAL_AXES: Axes = (LEFT, (0.0, 0.0, -1.0))


@dataclass(frozen=True, slots=True)
class StackGeometry:
    """Where a series is prescribed; lengths in mm.

    Parameters
    ----------
    rotation_deg
        Right-handed turns of the slices about the patient's left, posterior and superior axis, in that order.
    flip_rows, flip_columns, reverse_slices
        Store the same slices with rows, columns or the slice order the other way round.
    """

    slices: int
    spacing_between_slices_mm: float
    thickness_mm: float
    pixel_spacing_mm: tuple[float, float]
    rows: int
    columns: int
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    flip_rows: bool = False
    flip_columns: bool = False
    reverse_slices: bool = False


def stack_planes(centre: Array, axes: Axes, geometry: StackGeometry) -> tuple[ImagePlane, ...]:
    """Return the planes of a stack centred on an LPS point; ``axes`` are along_row and along_column before any turn."""
    turn = rotation(geometry.rotation_deg)
    along_row, along_column = (turn @ np.array(axis) for axis in axes)
    normal = np.cross(along_row, along_column)
    along_row = -along_row if geometry.flip_columns else along_row
    along_column = -along_column if geometry.flip_rows else along_column
    row_mm, column_mm = geometry.pixel_spacing_mm
    corner = -(geometry.columns - 1) / 2 * column_mm * along_row - (geometry.rows - 1) / 2 * row_mm * along_column
    steps = (np.arange(geometry.slices) - (geometry.slices - 1) / 2) * geometry.spacing_between_slices_mm
    steps = steps[::-1] if geometry.reverse_slices else steps
    return tuple(
        ImagePlane(
            centre + step * normal + corner, along_row, along_column, Spacing(row_mm, column_mm), geometry.rows, geometry.columns
        )
        for step in steps
    )


def rotation(angles_deg: tuple[float, float, float]) -> Array:
    """Return the matrix of right-handed turns about LPS x, then y, then z, shape (3, 3)."""
    a, b, c = np.deg2rad(angles_deg)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)
