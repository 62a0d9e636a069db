"""The smooth curve along the posterior wall of the spine, and the coordinates that follow it (pure).

Spine coordinates of a point are ``along`` (mm along the wall, from head to feet, 0 at the posterior-superior corner of C3),
``behind`` (mm behind the wall, perpendicular to it in the sagittal plane, negative in front of it) and ``aside`` (mm to the
patient's left of the midline).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.phantom.profile import STEP_MM, Places

Floats = npt.NDArray[np.float64]

_ITERATIONS = 4
# Beyond this share of the radius of curvature, perpendiculars of the curve would cross.
_STEEPEST = 0.75


@dataclass(frozen=True, eq=False)
class SpineCurve:
    """A curve in the sagittal plane, sampled at equal steps of its length.

    Parameters
    ----------
    start_mm
        ``along`` of the first sample.
    posterior_mm, superior_mm
        Position of the samples, LPS y and z, shape (n,).
    angle
        Angle of the curve from the patient's axis, radians, positive where it runs backwards on its way down, shape (n,).
    midline_mm, sway_mm
        LPS x of the midline, and the amplitude of its sideways bend (scoliosis).
    """

    start_mm: float
    posterior_mm: Floats
    superior_mm: Floats
    angle: Floats
    midline_mm: float
    sway_mm: float

    @classmethod
    def from_angles(cls, along_mm: Floats, angles: Floats, origin: tuple[float, float, float], sway_mm: float) -> "SpineCurve":
        """Return the smooth curve through the given angles (radians) at ``along_mm``, whose 0 lies at ``origin`` (LPS)."""
        start, end = float(along_mm[0]), float(along_mm[-1])
        along = np.arange(start, end + STEP_MM / 2, STEP_MM)
        coefficients = np.polynomial.Polynomial.fit(along_mm, angles, deg=min(4, len(along_mm) - 1))
        angle = np.asarray(coefficients(along))
        zero = round(-start / STEP_MM)
        posterior = np.cumsum(np.sin(angle)) * STEP_MM
        superior = -np.cumsum(np.cos(angle)) * STEP_MM
        posterior, superior = posterior - posterior[zero] + origin[1], superior - superior[zero] + origin[2]
        return cls(start, posterior, superior, angle, origin[0], sway_mm)

    @property
    def end_mm(self) -> float:
        """``along`` of the last sample."""
        return self.start_mm + STEP_MM * (len(self.angle) - 1)

    def _places(self, along: Floats) -> Places:
        return Places.of(along, self.start_mm, len(self.angle))

    def midline_at(self, along: Floats) -> Floats:
        """Return LPS x of the midline at ``along``."""
        return np.asarray(self.midline_mm + self.sway_mm * np.sin(along / 45.0))

    def to_patient(self, along: npt.ArrayLike, behind: npt.ArrayLike, aside: npt.ArrayLike = 0.0) -> Floats:
        """Return patient points (LPS mm), shape (..., 3), of spine coordinates."""
        along, behind, aside = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (along, behind, aside)))
        places = self._places(along)
        angle = places.read(self.angle)
        x = self.midline_at(along) + aside
        y = places.read(self.posterior_mm) + behind * np.cos(angle)
        z = places.read(self.superior_mm) + behind * np.sin(angle)
        return np.stack([x, y, z], axis=-1)

    def from_patient(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Return (along, behind, aside) of patient points (LPS mm), shape (..., 3): the inverse of :meth:`to_patient`."""
        y, z = points[..., 1], points[..., 2]
        # along the rows of an axial slice nothing but x changes
        if points.ndim == 3 and bool((y == y[:, :1]).all() and (z == z[:, :1]).all()):
            along, behind = (np.broadcast_to(one, y.shape) for one in self._in_sagittal_plane(y[:, :1], z[:, :1]))
        else:
            along, behind = self._in_sagittal_plane(y, z)
        return along, behind, np.asarray(points[..., 0] - self.midline_at(along))

    def _in_sagittal_plane(self, y: Floats, z: Floats) -> tuple[Floats, Floats]:
        """Return (along, behind) of points (posterior, superior), mm."""
        curvature = np.gradient(self.angle, STEP_MM)
        order = np.argsort(self.superior_mm)
        samples = self.start_mm + STEP_MM * np.arange(len(self.angle))
        along = np.interp(z, self.superior_mm[order], samples[order])
        behind = np.zeros_like(along)
        for _ in range(_ITERATIONS):
            places = self._places(along)
            angle = places.read(self.angle)
            dy, dz = y - places.read(self.posterior_mm), z - places.read(self.superior_mm)
            sine, cosine = np.sin(angle), np.cos(angle)
            behind = dy * cosine + dz * sine
            # moving down the curve turns the perpendicular: the step along the wall is scaled by the curvature
            stretch = np.maximum(1 - _STEEPEST, 1 - behind * places.read(curvature))
            along = along + (dy * sine - dz * cosine) / stretch
        return np.clip(along, self.start_mm, self.end_mm), behind
