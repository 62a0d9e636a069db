"""MR slices of a synthetic neck, with the true share of cord and canal in each pixel (pure)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from node.domain.geometry import ImagePlane
from tools.phantom.shape import Anatomy, Tissue
from tools.phantom.tissue import tissue_at

__all__ = ["STIR", "T1", "T2STAR", "T2_TSE", "Contrast", "RenderedSlice", "render_slice"]

Array = npt.NDArray[np.float32]

# Sub-pixel places of the rays through a pixel: the R2 low-discrepancy sequence.
_GOLDEN = np.array([0.7548776662, 0.5698402910])


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Signal of each tissue, float32 (19,), in the order of :class:`Tissue`; 0 to about 1000."""

    signals: Array

    @classmethod
    def of(cls, **signals: float) -> "Contrast":
        """Return the contrast with the given signals by lower-case tissue name; air is 0."""
        return cls(np.array([signals.get(tissue.name.lower(), 0.0) for tissue in Tissue], dtype=np.float32))

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Contrast":
        """Return a T2-weighted contrast drawn at random: CSF brighter than cord, everything else wide."""
        base = (T2_TSE if rng.random() < 0.8 else T2STAR).signals
        signals = base * np.exp(rng.normal(0, 0.22, len(base)))
        cord = signals[Tissue.CSF] * rng.uniform(0.22, 0.72)
        signals[Tissue.WHITE_MATTER] = cord
        signals[Tissue.GREY_MATTER] = cord * rng.uniform(1.0, 1.3)
        signals[Tissue.LESION] = cord * rng.uniform(1.2, 1.8)
        signals[Tissue.BRAIN] = cord * rng.uniform(0.9, 1.3)
        return cls(signals.astype(np.float32))


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
    pixels, cord, canal = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    grid = np.stack(np.meshgrid(np.arange(plane.rows), np.arange(plane.columns), indexing="ij"), axis=-1)
    marrow = np.asarray(anatomy.bodies.marrow, dtype=np.float32)
    for ray in range(samples):
        place = (0.5 + _GOLDEN * (ray + 1)) % 1 - 0.5
        depth = ((ray + 0.5) / samples - 0.5) * thickness_mm
        tissues = tissue_at(anatomy, plane.to_patient(grid + place) + depth * plane.normal)
        signal = contrast.signals[tissues.labels]
        pixels += np.where(tissues.labels == Tissue.MARROW, signal * marrow[tissues.level], signal)
        cord += tissues.cord
        canal += tissues.canal
    pixels *= 1 + 0.5 * _texture(rng, shape)
    shares = (np.asarray(one / samples, dtype=np.float32) for one in (pixels, cord, canal))
    return RenderedSlice(*shares)


def _texture(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Return fine grain with a standard deviation of about 0.1: tissue is never flat."""
    noise = rng.normal(0, 1, (shape[0] + 2, shape[1] + 2)).astype(np.float32)
    smooth = sum(noise[i : i + shape[0], j : j + shape[1]] for i in range(3) for j in range(3))
    return np.asarray(smooth / 30, dtype=np.float32)
