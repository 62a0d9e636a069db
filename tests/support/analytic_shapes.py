"""Shapes of known size rendered as probability maps: the truth that the measurement stage is held to.

Everything is defined in patient millimetres and sampled by supersampling, so no code under test makes the truth.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import VERTEBRAE, Corner, Landmark, Structure
from node.domain.geometry import ImagePlane, PixelPoint, Spacing, VolumeGeometry
from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.image import FrameSource, Volume
from node.domain.prediction import Keypoint, Keypoints, Masks, ModelIdentity

MODEL = ModelIdentity("analytic", "1", "0" * 64)
_SUPERSAMPLING = 16

Region = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool_]]
"""Whether patient points, shape (..., 3), lie inside."""


@dataclass(frozen=True)
class StraightSpine:
    """A spine with a straight posterior wall, tilted in the sagittal plane, and a cord of known width behind it.

    The wall starts at ``top`` (LPS mm) with the upper corner of C3. Offsets are perpendicular to the wall.
    """

    top: tuple[float, float, float] = (0.0, 0.0, 60.0)
    tilt_deg: float = 0.0
    body_mm: float = 14.0
    disc_mm: float = 6.0
    depth_mm: float = 16.0
    cord_mm: float = 7.5
    taper_mm: float = 0.8
    canal_mm: float = 13.0
    bulge_mm: float = 2.5
    bulge_at_mm: float = 57.0
    bulge_sigma_mm: float = 4.0

    @property
    def length_mm(self) -> float:
        return 5 * self.body_mm + 4 * self.disc_mm

    @property
    def down(self) -> npt.NDArray[np.float64]:
        angle = np.deg2rad(self.tilt_deg)
        return np.array([0.0, np.sin(angle), -np.cos(angle)])

    @property
    def back(self) -> npt.NDArray[np.float64]:
        angle = np.deg2rad(self.tilt_deg)
        return np.array([0.0, np.cos(angle), np.sin(angle)])

    def narrowing(self, along_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return self.bulge_mm * np.exp(-0.5 * ((along_mm - self.bulge_at_mm) / self.bulge_sigma_mm) ** 2)

    def cord_width(self, along_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return self.cord_mm - self.taper_mm * along_mm / self.length_mm - self.narrowing(along_mm)

    def canal_width(self, along_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return self.canal_mm - 1.3 * self.narrowing(along_mm)

    def _coordinates(self, points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
        offset = points - np.array(self.top)
        return offset @ self.down, offset @ self.back, offset[..., 0]

    def in_cord(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        along, behind, across = self._coordinates(points)
        start = 1.0 + 1.3 * self.narrowing(along) + (self.canal_width(along) - self.cord_width(along)) / 2
        return (behind >= start) & (behind <= start + self.cord_width(along)) & (np.abs(across) < 7)

    def in_canal(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        along, behind, across = self._coordinates(points)
        start = 1.0 + 1.3 * self.narrowing(along)
        return (behind >= start) & (behind <= start + self.canal_width(along)) & (np.abs(across) < 11)

    def landmarks(self) -> dict[Landmark, npt.NDArray[np.float64]]:
        found: dict[Landmark, npt.NDArray[np.float64]] = {}
        for number, vertebra in enumerate(VERTEBRAE):
            upper = np.array(self.top) + number * (self.body_mm + self.disc_mm) * self.down
            lower = upper + self.body_mm * self.down
            front = -self.depth_mm * self.back
            found[Landmark(vertebra, Corner.POSTERIOR_SUPERIOR)] = upper
            found[Landmark(vertebra, Corner.POSTERIOR_INFERIOR)] = lower
            found[Landmark(vertebra, Corner.ANTERIOR_SUPERIOR)] = upper + front
            found[Landmark(vertebra, Corner.ANTERIOR_INFERIOR)] = lower + front
        return found

    def mean_width(self, width: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]], vertebra: int) -> float:
        start = vertebra * (self.body_mm + self.disc_mm)
        return float(width(np.linspace(start, start + self.body_mm, 2001)).mean())

    def compression_percent(self, width: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]) -> float:
        smallest = float(width(np.linspace(0, self.length_mm, 20001)).min())
        return (1 - 2 * smallest / (self.mean_width(width, 0) + self.mean_width(width, 4))) * 100


@dataclass(frozen=True)
class EllipticCord:
    """A straight cord of elliptic section along +z, turned about it, in a round canal."""

    transverse_mm: float = 13.0
    ap_mm: float = 7.0
    turn_deg: float = 0.0
    centre: tuple[float, float] = (0.0, 0.0)
    canal_mm: float = 18.0

    def in_cord(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        angle = np.deg2rad(self.turn_deg)
        x, y = points[..., 0] - self.centre[0], points[..., 1] - self.centre[1]
        along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        return (2 * along / self.transverse_mm) ** 2 + (2 * across / self.ap_mm) ** 2 <= 1

    def in_canal(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        return np.hypot(points[..., 0] - self.centre[0], points[..., 1] - self.centre[1]) <= self.canal_mm / 2

    @property
    def area_mm2(self) -> float:
        return float(np.pi / 4 * self.transverse_mm * self.ap_mm)


def stored_plane(
    centre: npt.ArrayLike,
    across: npt.ArrayLike,
    down: npt.ArrayLike,
    spacing: tuple[float, float],
    size: tuple[int, int],
    flips: int = 0,
) -> ImagePlane:
    """Return a plane about a centre whose stored orientation is one of the eight (flips 0 to 7: rows, columns, transposed)."""
    across, down = np.asarray(across, dtype=float), np.asarray(down, dtype=float)
    across, down = (-across if flips & 1 else across), (-down if flips & 2 else down)
    if flips & 4:
        across, down, spacing, size = down, across, spacing[::-1], size[::-1]
    first = np.asarray(centre) - (size[1] - 1) / 2 * spacing[1] * across - (size[0] - 1) / 2 * spacing[0] * down
    return ImagePlane(first, across, down, Spacing(*spacing), *size)


def coverage(plane: ImagePlane, inside: Region) -> npt.NDArray[np.float16]:
    """Return which share of each pixel lies inside a region, [row, column]; only pixels on its border are supersampled."""
    corners = np.stack(np.meshgrid(np.arange(plane.rows + 1) - 0.5, np.arange(plane.columns + 1) - 0.5, indexing="ij"), axis=-1)
    at_corner = inside(plane.to_patient(corners)).astype(np.uint8)
    count = at_corner[:-1, :-1] + at_corner[1:, :-1] + at_corner[:-1, 1:] + at_corner[1:, 1:]
    share = (count == 4).astype(np.float16)
    mixed = np.argwhere((count > 0) & (count < 4))
    step = (np.arange(_SUPERSAMPLING) + 0.5) / _SUPERSAMPLING - 0.5
    offsets = np.stack(np.meshgrid(step, step, indexing="ij"), axis=-1).reshape(1, -1, 2)
    share[tuple(mixed.T)] = inside(plane.to_patient(mixed[:, None, :] + offsets)).mean(axis=1)
    return share


def volume_of(planes: list[ImagePlane], frame_of_reference_uid: str = "1.2.3") -> Volume:
    """Return an empty volume on given planes, with made-up sources."""
    geometry = VolumeGeometry(tuple(planes))
    series = SeriesInstanceUID("1.2.826.0.1.1")
    sources = tuple(
        FrameSource(
            InstanceRef(
                StudyInstanceUID("1.2.1"),
                series,
                SOPInstanceUID(f"1.2.9.{k}"),
                SOPClassUID("1.2.840.10008.5.1.4.1.1.4"),
                Path("none"),
            )
        )
        for k in range(len(planes))
    )
    return Volume(np.zeros(geometry.shape, dtype=np.float32), geometry, sources, frame_of_reference_uid)


def masks_of(volume: Volume, in_cord: Region, in_canal: Region) -> Masks:
    """Return the probability maps of two regions on the slices of a volume."""
    return Masks(
        {
            Structure.SPINAL_CORD: np.stack([coverage(plane, in_cord) for plane in volume.planes]),
            Structure.SPINAL_CANAL: np.stack([coverage(plane, in_canal) for plane in volume.planes]),
        },
        MODEL,
    )


def keypoints_of(landmarks: dict[Landmark, npt.NDArray[np.float64]], plane: ImagePlane, slice_index: int = 0) -> Keypoints:
    """Return landmarks of patient space as keypoints of a slice, all of confidence 0.9."""
    found = {
        landmark: Keypoint(landmark, PixelPoint(*map(float, plane.to_pixels(point))), 0.9)
        for landmark, point in landmarks.items()
    }
    return Keypoints(slice_index, found, MODEL)
