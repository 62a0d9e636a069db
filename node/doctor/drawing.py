"""A neck that is drawn, not imaged: enough for the models to find a cord, a canal and vertebrae in it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from node.domain.geometry import ImagePlane, Spacing, VolumeGeometry
from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.image import FrameSource, Volume

Image = npt.NDArray[np.float64]

_SPACING_MM = 0.8
_SLICES, _STEP_MM = 3, 3.3
_TISSUE, _BONE, _GAP, _FLUID, _CORD, _FAT = 110.0, 170.0, 60.0, 300.0, 120.0, 360.0
#: Posterior edges of the drawn bodies, and canal and cord behind them, in mm from the middle of the slice.
WALL_MM, CANAL_MM, CORD_MM = -7.0, (-6.5, 6.5), (-3.8, 3.7)
#: Half axes of the drawn canal and cord on the axial slice, transverse and AP, in mm.
AXIAL_CANAL_MM, AXIAL_CORD_MM = (11.0, 7.0), (6.8, 3.7)


def sagittal_neck() -> Volume:
    """Return slices of a straight neck: anterior at the left, head at the top."""
    down, right = _grid(256)
    tissue = _band(right, -60, 60) * _band(down, -100, 100)
    image = tissue * _TISSUE
    image = _painted(image, tissue * _band(right, WALL_MM - 17, WALL_MM), _GAP)
    for middle in range(-120, 121, 20):
        image = _painted(image, tissue * _band(right, WALL_MM - 16, WALL_MM) * _band(down, middle - 7, middle + 7), _BONE)
    image = _painted(image, tissue * _band(right, *CANAL_MM), _FLUID)
    image = _painted(image, tissue * _band(right, *CORD_MM), _CORD)
    image = _painted(image, tissue * _band(right, 45, 60), _FAT)
    return _volume(image, along_row=(0.0, 1.0, 0.0), along_column=(0.0, 0.0, -1.0))


def axial_neck() -> Volume:
    """Return slices across the same neck: anterior at the top."""
    down, right = _grid(180)
    image = _disc(right, down, (0, 0), (60, 52)) * _TISSUE
    image = _painted(image, _disc(right, down, (0, -16), (11, 9)), _BONE)
    image = _painted(image, _disc(right, down, (0, 0), AXIAL_CANAL_MM), _FLUID * 1.4)
    image = _painted(image, _disc(right, down, (0, 0), AXIAL_CORD_MM), _CORD * 1.75)
    return _volume(image, along_row=(1.0, 0.0, 0.0), along_column=(0.0, 1.0, 0.0))


def _grid(size: int) -> tuple[Image, Image]:
    """Return rows and columns of a square slice in mm from its middle."""
    line = (np.arange(size) - size / 2) * _SPACING_MM
    down, right = np.meshgrid(line, line, indexing="ij")
    return down, right


def _edge(distance_mm: Image, softness: float) -> Image:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(distance_mm / softness, -50, 50))))


def _band(values: Image, low: float, high: float) -> Image:
    return _edge(values - low, 0.6) * _edge(high - values, 0.6)


def _disc(right: Image, down: Image, middle: tuple[float, float], half_axes: tuple[float, float]) -> Image:
    radius = np.hypot((right - middle[0]) / half_axes[0], (down - middle[1]) / half_axes[1])
    return _edge(1 - radius, 0.04)


def _painted(image: Image, where: Image, value: float) -> Image:
    return image * (1 - where) + value * where


def _volume(image: Image, along_row: tuple[float, ...], along_column: tuple[float, ...]) -> Volume:
    row, column = np.array(along_row), np.array(along_column)
    middle = (row + column) * image.shape[0] * _SPACING_MM / 2
    normal = np.cross(row, column)
    spacing = Spacing(_SPACING_MM, _SPACING_MM)
    planes = tuple(ImagePlane(normal * n * _STEP_MM - middle, row, column, spacing, *image.shape) for n in range(_SLICES))
    noise = np.random.default_rng(1).normal(0, 6, image.shape)
    voxels = np.repeat(np.abs(image + noise).astype(np.float32)[None], _SLICES, axis=0)
    source = InstanceRef(
        StudyInstanceUID("1"), SeriesInstanceUID("1"), SOPInstanceUID("1"), SOPClassUID("1.2.840.10008.5.1.4.1.1.4"), Path()
    )
    return Volume(voxels, VolumeGeometry(planes), (FrameSource(source),) * _SLICES, "1")
