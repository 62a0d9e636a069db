"""Endless augmented training samples, from phantom shards and real slices."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.geometry import Spacing
from node.inference import normalise
from tools.phantom.appearance import ROUGH, degrade
from tools.training.pool import load_shards
from tools.training.real import Sample

Array = npt.NDArray[np.float32]

# C2 among the points of a sagittal sample, and a place that no crop holds.
_ANCHOR, _NOWHERE = 20, -1000.0


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Arrays float32: images (n, 1, h, w), targets and their weights (n, 2, h, w), points (n, p, 2) in crop pixels."""

    images: Array
    targets: Array
    weights: Array
    points: Array

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the crops."""
        return self.images.shape[2], self.images.shape[3]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a slice is moved and changed.

    A share ``beheaded`` of the slices is cut near C2; with less than ``dens_mm`` of image above it, C2 counts as not there.
    """

    shape: tuple[int, int]
    spacing_mm: float
    turn_deg: float = 12.0
    zoom: float = 0.15
    stretch: float = 0.05
    coarse: float = 0.45
    coarsest_mm: float = 1.1
    beheaded: float = 0.35
    dens_mm: float = 12.0


class PhantomPool:
    """The shards of a folder, read again as it grows."""

    def __init__(self, folder: Path, subject: str = "phantom") -> None:
        self._folder, self._subject = folder, subject
        self._count = 0
        self._arrays: dict[str, npt.NDArray[np.generic]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read shards that were added."""
        paths = sorted(path for path in self._folder.glob("*.npz") if ".part" not in path.name)
        if len(paths) != self._count:
            self._count, self._arrays = len(paths), load_shards(paths)

    def __len__(self) -> int:
        return len(self._arrays["pixels"])

    def sample(self, index: int) -> Sample:
        """Return one slice; all of it is known."""
        pixels, cord, canal = (self._arrays[name][index].astype(np.float32) for name in ("pixels", "cord", "canal"))
        ones = np.ones_like(pixels)
        return Sample(pixels, cord / 255, canal / 255, ones, ones, self._arrays["points"][index], self._subject)


def draw_batch(samples: list[Sample], augmentation: Augmentation, rng: np.random.Generator) -> Batch:
    """Return the samples, each moved, worn and normalised at random."""
    drawn = [augment(sample, augmentation, rng) for sample in samples]
    return Batch(*(np.stack(parts) for parts in zip(*drawn, strict=True)))


def augment(sample: Sample, how: Augmentation, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Return image (1, h, w), targets and weights (2, h, w), and points (p, 2) of one sample."""
    matrix = _placement(sample, how, rng)
    size, flags = how.shape[::-1], cv2.INTER_LINEAR

    def moved(array: Array, outside: float = 0.0) -> Array:
        return np.asarray(cv2.warpAffine(array, matrix, size, flags=flags, borderValue=outside), dtype=np.float32)

    is_phantom = sample.subject == "phantom"
    pixels = moved(sample.pixels)
    if rng.random() < how.coarse:
        pixels = _coarsened(pixels, how, rng)
    pixels = degrade(pixels, Spacing(how.spacing_mm, how.spacing_mm), rng, ROUGH) if is_phantom or rng.random() < 0.6 else pixels
    inside = moved(np.ones_like(sample.pixels))
    image = normalise(pixels, float(np.percentile(pixels, rng.uniform(98.5, 99.8))) * rng.uniform(0.8, 1.25) + 1e-6)
    image = image * (inside > 0.5)
    targets = np.stack([moved(sample.cord), moved(sample.canal)])
    weights = np.stack([moved(sample.cord_known, float(is_phantom)), moved(sample.canal_known, float(is_phantom))])
    points = sample.points[:, ::-1] @ matrix[:, :2].T + matrix[:, 2] if len(sample.points) else sample.points
    points = points[:, ::-1].astype(np.float32)
    if len(points) and points[_ANCHOR, 0] < how.dens_mm / how.spacing_mm:
        points[_ANCHOR] = _NOWHERE
    return image[None].astype(np.float32), targets, (weights > 0.99).astype(np.float32), points


def _placement(sample: Sample, how: Augmentation, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the 2x3 matrix from source to crop, (column, row): turned, zoomed, with the cord somewhere inside."""
    angle = np.deg2rad(rng.normal(0, how.turn_deg / 2))
    zoom = np.exp(rng.uniform(-how.zoom, how.zoom))
    stretch = np.exp(rng.normal(0, how.stretch))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn * zoom @ np.diag([stretch, 1 / stretch])
    anchor = _anchor(sample, rng)
    spread = np.array([0.28 * how.shape[1], 0.22 * how.shape[0]])
    target = np.array(how.shape[::-1]) / 2 + rng.uniform(-1, 1, 2) * spread
    if len(sample.points) and np.isfinite(sample.points[_ANCHOR]).all() and rng.random() < how.beheaded:
        anchor = sample.points[_ANCHOR, ::-1] + np.array([12.0, 0.0])
        target[1] = rng.uniform(-40, 30)
    return np.concatenate([linear, (target - linear @ anchor)[:, None]], axis=1)


def _anchor(sample: Sample, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the (column, row) about which the crop is placed."""
    if len(sample.points) and np.isfinite(sample.points[:20]).all():
        row, column = sample.points[:20].mean(0)
        return np.array([column + 12, row])
    rows, columns = np.nonzero(sample.cord > 0.5)
    if not len(rows):
        return np.array(sample.pixels.shape[::-1]) / 2
    pick = int(rng.integers(len(rows)))
    return np.array([columns[pick], rows[pick]], dtype=np.float64)


def _coarsened(pixels: Array, how: Augmentation, rng: np.random.Generator) -> Array:
    """Return the slice as if it had been acquired with larger pixels."""
    factor = how.spacing_mm / rng.uniform(how.spacing_mm, how.coarsest_mm)
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, pixels.shape[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)
