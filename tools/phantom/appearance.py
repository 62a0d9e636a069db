"""What a scanner does to a clean slice: shading, blur, ringing, ghosts, wrap, flow voids, noise; geometry is kept (pure)."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.geometry import Spacing

__all__ = ["CLEAN", "ROUGH", "USUAL", "USUAL_3T", "USUAL_15T", "Wear", "degrade"]

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wear:
    """How much of each effect may occur: chances 0..1, noise as a share of the brightest signal.

    ``motion`` are several ghosts at equal distances, ``smear`` is blur along one axis (phase encoding), ``gain`` is how much
    the intensity of one slice may differ from that of the next, as a share.
    """

    noise: tuple[float, float] = (0.005, 0.05)
    shading: float = 1.0
    blur: float = 0.7
    ringing: float = 0.3
    ghosts: float = 0.2
    wrap: float = 0.1
    flow_voids: float = 0.35
    tone: float = 0.6
    motion: float = 0.0
    smear: float = 0.0
    gain: float = 0.0


CLEAN = Wear((0.003, 0.006), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
USUAL = Wear((0.005, 0.02), 0.5, 0.3, 0.2, 0.05, 0.0, 0.1, 0.2)
ROUGH = Wear(motion=0.2, smear=0.3)
#: The usual at 1.5 T, with half the signal, and at 3 T, with more shading and pulsation.
USUAL_15T = replace(USUAL, noise=(0.012, 0.03), smear=0.3, motion=0.05, gain=0.04)
USUAL_3T = replace(USUAL, noise=(0.004, 0.014), shading=0.8, flow_voids=0.3, motion=0.1, gain=0.04)


def degrade(
    pixels: Array, spacing: Spacing, rng: np.random.Generator, wear: Wear = ROUGH, noise_rng: np.random.Generator | None = None
) -> Array:
    """Return a slice as a scanner might deliver it, float32 [row, column], not negative.

    Parameters
    ----------
    pixels, spacing
        The clean slice.
    rng, wear
        Source of chance, and what may happen.
    noise_rng
        Source of what differs from slice to slice, noise and gain, if not ``rng``: with ``rng`` in the same state the slices of
        a series get the same effects.
    """
    image = pixels.astype(np.float32)
    if rng.random() < wear.flow_voids:
        image = _with_flow_voids(image, rng)
    if rng.random() < wear.tone:
        image = _with_tone(image, rng)
    if rng.random() < wear.shading:
        image = image * _shading(image.shape, spacing, rng)
    if rng.random() < wear.blur:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.2, 0.9) / min(spacing)), dtype=np.float32)
    if rng.random() < wear.ringing:
        image = _truncated(image, rng)
    if rng.random() < wear.ghosts:
        image = _with_ghost(image, rng)
    if rng.random() < wear.wrap:
        image = _wrapped(image, rng)
    image = _moved_and_smeared(image, spacing, rng, wear)
    return _noisy(image, noise_rng or rng, wear)


def _moved_and_smeared(image: Array, spacing: Spacing, rng: np.random.Generator, wear: Wear) -> Array:
    # without a chance nothing is drawn: what was drawn before these effects existed stays the same
    if wear.motion and rng.random() < wear.motion:
        image = _with_periodic_ghosts(image, rng)
    if wear.smear and rng.random() < wear.smear:
        image = _smeared(image, spacing, rng)
    return image


def _noisy(image: Array, rng: np.random.Generator, wear: Wear) -> Array:
    """Return the slice with its own gain and Rician noise."""
    if wear.gain:
        image = image * np.float32(1 + rng.uniform(-wear.gain, wear.gain))
    level = rng.uniform(*wear.noise) * float(np.percentile(image, 99.5))
    real, imaginary = rng.standard_normal((2, *image.shape), dtype=np.float32) * level
    return np.asarray(np.hypot(image + real, imaginary), dtype=np.float32)


def _smooth_field(shape: tuple[int, ...], cells: int, rng: np.random.Generator) -> Array:
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _with_flow_voids(image: Array, rng: np.random.Generator) -> Array:
    """Darken patches of what is brightest: pulsating CSF."""
    bright = np.clip(image / np.percentile(image, 99.5) - 0.6, 0, 0.3) / 0.3
    patches = np.clip(_smooth_field(image.shape, int(rng.integers(10, 30)), rng) - 0.4, 0, 1)
    return np.asarray(image * (1 - rng.uniform(0.2, 0.6) * bright * patches), dtype=np.float32)


def _with_tone(image: Array, rng: np.random.Generator) -> Array:
    top = float(np.percentile(image, 99.8)) + 1e-6
    return np.asarray(top * (np.clip(image, 0, None) / top) ** rng.uniform(0.75, 1.4), dtype=np.float32)


def _shading(shape: tuple[int, ...], spacing: Spacing, rng: np.random.Generator) -> Array:
    """Return the sensitivity of a surface coil: it falls off with depth, and a saturation band darkens one side."""
    rows, columns = np.meshgrid(np.arange(shape[0]) * spacing.row_mm, np.arange(shape[1]) * spacing.column_mm, indexing="ij")
    down, across = rng.uniform(0.2, 0.8) * rows[-1, 0], rng.uniform(0.3, 1.2) * columns[0, -1]
    distance = np.hypot((rows - down) / rng.uniform(1, 3), columns - across)
    field = np.exp(-distance / rng.uniform(50, 200)) * np.exp(0.15 * _smooth_field(shape, 4, rng))
    if rng.random() < 0.4:
        edge = rng.uniform(0.1, 0.45) * columns[0, -1]
        field *= rng.uniform(0.1, 0.5) + (1 - 0.3) / (1 + np.exp(-(columns - edge) / rng.uniform(3, 10)))
    return np.asarray(field / field.max(), dtype=np.float32)


def _truncated(image: Array, rng: np.random.Generator) -> Array:
    """Drop the highest spatial frequencies without a window: Gibbs ringing."""
    kept = rng.uniform(0.55, 0.95, 2)
    spectrum = np.fft.fftshift(np.fft.fft2(image))
    for axis, share in enumerate(kept):
        cut = int((1 - share) / 2 * image.shape[axis])
        if cut:
            np.moveaxis(spectrum, axis, 0)[:cut] = 0
            np.moveaxis(spectrum, axis, 0)[-cut:] = 0
    return np.asarray(np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum))), dtype=np.float32)


def _with_ghost(image: Array, rng: np.random.Generator) -> Array:
    axis = int(rng.integers(2))
    shift = int(rng.uniform(0.05, 0.5) * image.shape[axis])
    return np.asarray(image + rng.uniform(0.02, 0.1) * np.roll(image, shift, axis), dtype=np.float32)


def _with_periodic_ghosts(image: Array, rng: np.random.Generator) -> Array:
    """Add copies at equal distances along one axis, weaker with each: breathing, swallowing and pulsation."""
    axis, count = int(rng.integers(2)), int(rng.integers(2, 6))
    period, strength = rng.uniform(0.03, 0.2) * image.shape[axis], rng.uniform(0.03, 0.12)
    # only what moves makes ghosts: the front of the neck, a pulsating canal
    moving = image * np.clip(0.5 + 0.5 * _smooth_field(image.shape, 4, rng), 0, 1)
    result = image.copy()
    for order in range(1, count + 1):
        for sign in (-1, 1):
            result += strength * rng.uniform(-0.4, 1) / order * np.roll(moving, int(sign * order * period), axis)
    return np.asarray(np.abs(result), dtype=np.float32)


def _smeared(image: Array, spacing: Spacing, rng: np.random.Generator) -> Array:
    """Blur along rows or columns only: fewer phase-encoding steps, and decay of T2 along the echo train."""
    sigma_mm = rng.uniform(0.3, 1.0)
    sigma = (sigma_mm / spacing.column_mm, 0.01) if rng.random() < 0.5 else (0.01, sigma_mm / spacing.row_mm)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigmaX=sigma[0], sigmaY=sigma[1]), dtype=np.float32)


def _wrapped(image: Array, rng: np.random.Generator) -> Array:
    width = int(rng.uniform(0.05, 0.15) * image.shape[1])
    result = image.copy()
    result[:, :width] += rng.uniform(0.2, 0.6) * image[:, -width:]
    return result
