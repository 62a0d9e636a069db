"""MR slices of a synthetic neck, with the true share of cord and canal in each pixel (pure)."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.geometry import ImagePlane
from tools.phantom.shape import Anatomy, Tissue
from tools.phantom.tissue import tissue_at

__all__ = ["STIR", "T1", "T2STAR", "T2_TSE", "Contrast", "RenderedSlice", "render_slice"]

Array = npt.NDArray[np.float32]

# Sub-pixel places of the rays through a pixel: the R2 low-discrepancy sequence.
_GOLDEN = np.array([0.7548776662, 0.5698402910])

# Signal of what only disease and surgery bring, as a share of that of a healthy tissue.
_ILL = {
    Tissue.MODIC_BRIGHT: (Tissue.MARROW, 1.6),
    Tissue.MODIC_DARK: (Tissue.MARROW, 0.45),
    Tissue.HAEMANGIOMA: (Tissue.MARROW, 2.0),
    Tissue.OSSIFICATION: (Tissue.CORTEX, 1.1),
    Tissue.CAGE: (Tissue.CORTEX, 0.7),
    Tissue.METAL: (Tissue.AIR, 1.0),
    Tissue.SIGNAL_RIM: (Tissue.FAT, 1.6),
    Tissue.SCAR: (Tissue.MUSCLE, 1.5),
    Tissue.FLUID: (Tissue.CSF, 0.9),
    Tissue.SYRINX: (Tissue.CSF, 0.85),
}
_HEALTHY = tuple(tissue for tissue in Tissue if tissue not in _ILL)

# The share of the signal that comes from fat; yellow marrow is about half of adult vertebrae.
_FAT_SHARE = np.zeros(len(Tissue), dtype=np.float32)
_FAT_SHARE[[Tissue.FAT, Tissue.EPIDURAL_FAT, Tissue.SKIN_FAT]] = 1.0
_FAT_SHARE[[Tissue.MARROW, Tissue.MODIC_BRIGHT, Tissue.HAEMANGIOMA]] = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Signal of each tissue, float32 (29,), in the order of :class:`Tissue`; 0 to about 1000.

    ``fat_shift_px`` is how far fat appears from its place, (row, column): the chemical shift.
    """

    signals: Array
    fat_shift_px: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, **signals: float) -> "Contrast":
        """Return the contrast with the given signals by lower-case tissue name; air is 0."""
        return cls._of_health(np.array([signals.get(tissue.name.lower(), 0.0) for tissue in _HEALTHY], dtype=np.float32))

    @classmethod
    def _of_health(cls, signals: Array) -> "Contrast":
        """Return the contrast in which tissues of disease follow from those of health, shape (19,)."""
        ill = [share * signals[healthy] for healthy, share in _ILL.values()]
        return cls(np.array([*signals, *ill], dtype=np.float32))

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Contrast":
        """Return a T2-weighted contrast drawn at random: CSF brighter than cord, everything else wide."""
        base = (T2_TSE if rng.random() < 0.8 else T2STAR).signals[: len(_HEALTHY)]
        signals = base * np.exp(rng.normal(0, 0.22, len(base)))
        cord = signals[Tissue.CSF] * rng.uniform(0.22, 0.72)
        signals[Tissue.WHITE_MATTER] = cord
        signals[Tissue.GREY_MATTER] = cord * rng.uniform(1.0, 1.3)
        signals[Tissue.LESION] = cord * rng.uniform(1.2, 1.8)
        signals[Tissue.BRAIN] = cord * rng.uniform(0.9, 1.3)
        return cls._of_health(signals.astype(np.float32))

    @classmethod
    def any(cls, rng: np.random.Generator) -> "Contrast":
        """Return a contrast in which every tissue is drawn by itself; only CSF and cord are kept apart.

        Source
        ------
        SynthSeg: Billot et al., Med Image Anal 2023;86:102789.
        """
        signals = rng.uniform(20, 1000, len(Tissue))
        signals[[Tissue.AIR, Tissue.METAL]] = rng.uniform(0, 40)
        cord = signals[Tissue.WHITE_MATTER]
        if abs(signals[Tissue.CSF] - cord) < 150:
            signals[Tissue.CSF] = cord + (450 if cord < 500 else -450)
        signals[[Tissue.GREY_MATTER, Tissue.BRAIN]] = cord * rng.uniform(0.85, 1.2, 2)
        return cls(signals.astype(np.float32))

    @classmethod
    def for_training(cls, rng: np.random.Generator) -> "Contrast":
        """Return a T2-weighted contrast, now and then one with pale CSF or one of no sequence, and often a chemical shift."""
        contrast, kind = cls.random(rng), rng.random()
        signals = contrast.signals.copy()
        if kind < 0.1:
            signals = cls.any(rng).signals
        elif kind < 0.2:
            signals[Tissue.CSF] = signals[Tissue.WHITE_MATTER] * rng.uniform(1.1, 1.4)
        if rng.random() < 0.4:
            return cls(signals, _fat_shift(rng, 2.5))
        return cls(signals)


def _fat_shift(rng: np.random.Generator, most_px: float) -> tuple[float, float]:
    """Return a shift of 0.5 to ``most_px`` pixels along rows or columns.

    Fat precesses 3.5 ppm slower than water (220 Hz at 1.5 T, 440 Hz at 3 T); a pixel holds 100 to 400 Hz.
    """
    shift = float(rng.choice([-1, 1]) * rng.uniform(0.5, most_px))
    return (shift, 0.0) if rng.random() < 0.5 else (0.0, shift)


T2_TSE = Contrast.of(
    muscle=130, fat=430, marrow=260, cortex=40, nucleus=420, annulus=90, csf=1000, white_matter=360, grey_matter=410,
    epidural_fat=480, lesion=620, vessel=40, mucosa=420, brain=400, ligament=50, root=380, skin_fat=520, gland=230,
)  # fmt: skip
T1 = Contrast.of(
    muscle=300, fat=900, marrow=560, cortex=60, nucleus=280, annulus=200, csf=140, white_matter=460, grey_matter=400,
    epidural_fat=850, lesion=360, vessel=60, mucosa=350, brain=430, ligament=90, root=380, skin_fat=1000, gland=400,
)  # fmt: skip
STIR = Contrast.of(
    muscle=170, fat=40, marrow=90, cortex=30, nucleus=420, annulus=110, csf=1000, white_matter=380, grey_matter=440,
    epidural_fat=50, lesion=700, vessel=60, mucosa=500, brain=430, ligament=50, root=460, skin_fat=50, gland=320,
)  # fmt: skip
T2STAR = Contrast.of(
    muscle=380, fat=420, marrow=130, cortex=40, nucleus=420, annulus=260, csf=900, white_matter=420, grey_matter=540,
    epidural_fat=430, lesion=650, vessel=850, mucosa=350, brain=480, ligament=120, root=520, skin_fat=560, gland=430,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RenderedSlice:
    """The clean signal of a slice (0 to about 1000), and the share 0..1 of cord and canal; float32 [row, column]."""

    pixels: Array
    cord: Array
    canal: Array


def render_slice(
    anatomy: Anatomy, plane: ImagePlane, thickness_mm: float, contrast: Contrast, rng: np.random.Generator, *, samples: int = 8
) -> RenderedSlice:
    """Return a slice of a neck on any plane.

    Parameters
    ----------
    anatomy, plane, thickness_mm, contrast
        What is imaged, where, over which thickness, and how.
    rng
        Source of the texture.
    samples
        Rays for each pixel; they are spread over the pixel and over the thickness (partial volume).
    """
    shape = (plane.rows, plane.columns)
    pixels, cord, canal, fat = (np.zeros(shape, dtype=np.float32) for _ in range(4))
    shifted = any(contrast.fat_shift_px)
    marrow = np.asarray(anatomy.bodies.marrow, dtype=np.float32)
    signals = contrast.signals.copy()
    for tissue, factor in anatomy.pathology.strength:
        signals[tissue] *= factor
    for ray in range(samples):
        place = (0.5 + _GOLDEN * (ray + 1)) % 1 - 0.5
        depth = ((ray + 0.5) / samples - 0.5) * thickness_mm
        tissues = tissue_at(anatomy, _points(plane, place, depth))
        signal = signals.take(tissues.labels)
        bone = tissues.labels == Tissue.MARROW
        signal[bone] *= marrow[tissues.level[bone]]
        pixels += signal
        if shifted:
            fat += signal * _FAT_SHARE.take(tissues.labels)
        cord += tissues.cord
        canal += tissues.canal
    if shifted:
        pixels += _shift(fat, contrast.fat_shift_px) - fat
    pixels *= 1 + 0.5 * _texture(rng, shape)
    shares = (np.asarray(one / samples, dtype=np.float32) for one in (pixels, cord, canal))
    return RenderedSlice(*shares)


def _shift(image: Array, shift_px: tuple[float, float]) -> Array:
    """Return an image moved by a part of a pixel; what leaves it stays at the border."""
    matrix = np.array([[1, 0, shift_px[1]], [0, 1, shift_px[0]]], dtype=np.float64)
    moved = cv2.warpAffine(image, matrix, image.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.float32)


def _points(plane: ImagePlane, place: npt.NDArray[np.float64], depth_mm: float) -> Array:
    """Return the patient points of all pixels, moved inside the pixel and through the slab; float32 [row, column, 3]."""
    down = (np.arange(plane.rows) + place[0]) * plane.spacing.row_mm
    across = (np.arange(plane.columns) + place[1]) * plane.spacing.column_mm
    points = np.empty((3, plane.rows, plane.columns), dtype=np.float32)
    for axis in range(3):
        rows = plane.position[axis] + down * plane.along_column[axis]
        points[axis] = rows[:, None] + across * plane.along_row[axis] + depth_mm * plane.normal[axis]
    return np.moveaxis(points, 0, -1)


def _texture(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Return fine grain with a standard deviation of about 0.1: tissue is never flat."""
    noise = rng.normal(0, 1, (shape[0] + 2, shape[1] + 2)).astype(np.float32)
    smooth = sum(noise[i : i + shape[0], j : j + shape[1]] for i in range(3) for j in range(3))
    return np.asarray(smooth / 30, dtype=np.float32)
