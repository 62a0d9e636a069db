"""What a perfect measurement of a phantom study would find, from the shape of the anatomy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.anatomy import LEVELS, Level, Structure
from node.domain.geometry import ImagePlane, Spacing
from tools.phantom.anatomy import Anatomy, Truth
from tools.phantom.render import T2_TSE, render_slice

Array = npt.NDArray[np.float64]

#: Layers in each level.
_LAYERS = 31
_FINE_MM = 0.1
_CANAL_REACH_MM = 25.0
_FIELD_MM = 25.0
_INNER = LEVELS[1:-1]


@dataclass(frozen=True, slots=True)
class ExpectedRatio:
    """MSCC or MCC with the reference C3 to C7 and the diameters that it is made of."""

    value_percent: float
    level: Level
    d_i_mm: float
    d_a_mm: float
    d_b_mm: float


@dataclass(frozen=True, slots=True)
class ExpectedSection:
    """The cord on one axial slice; ``slice_index`` counts in the order of InstanceNumber, from 0."""

    slice_index: int
    ta_mm2: float
    ap_mm: float
    transverse_mm: float
    cr: float


@dataclass(frozen=True, slots=True)
class ExpectedValues:
    """The truth of a phantom study; points are LPS mm, diameters by level are means."""

    landmarks: Mapping[str, tuple[float, float, float]]
    levels_mm: Mapping[str, Mapping[str, float]]
    mscc: ExpectedRatio
    mcc: ExpectedRatio
    mscc_inner: ExpectedRatio
    mcc_inner: ExpectedRatio
    narrowest_point: tuple[float, float, float]
    axial: ExpectedSection | None


def expected_mscc(anatomy: Anatomy) -> ExpectedRatio:
    """Return the true MSCC of an anatomy."""
    return _ratio(anatomy.truth().widths_mm(Structure.SPINAL_CORD, _LAYERS), LEVELS)


def expected_values(anatomy: Anatomy, axial: Sequence[ImagePlane], axial_thickness_mm: float) -> ExpectedValues:
    """Return the truth of an anatomy, and of the axial plane nearest to its narrowest cord."""
    truth = anatomy.truth()
    widths = {structure: truth.widths_mm(structure, _LAYERS) for structure in Structure}
    cord, canal = widths[Structure.SPINAL_CORD], widths[Structure.SPINAL_CANAL]
    point = _narrowest_point(truth, cord)
    return ExpectedValues(
        landmarks={f"{one.vertebra} {one.corner}": (place[0], place[1], place[2]) for one, place in truth.landmarks.items()},
        levels_mm={
            level.value: {"cord_ap_mm": float(cord[level].mean()), "canal_ap_mm": float(canal[level].mean())} for level in LEVELS
        },
        mscc=_ratio(cord, LEVELS),
        mcc=_ratio(canal, LEVELS),
        mscc_inner=_ratio(cord, _INNER),
        mcc_inner=_ratio(canal, _INNER),
        narrowest_point=(float(point[0]), float(point[1]), float(point[2])),
        axial=_nearest_section(anatomy, axial, axial_thickness_mm, point),
    )


def _ratio(widths: Mapping[Level, Array], searched: Sequence[Level]) -> ExpectedRatio:
    level = min(searched, key=lambda one: float(widths[one].min()))
    d_i, d_a, d_b = float(widths[level].min()), float(widths[Level.C3].mean()), float(widths[Level.C7].mean())
    return ExpectedRatio((1 - 2 * d_i / (d_a + d_b)) * 100, level, d_i, d_a, d_b)


def _narrowest_point(truth: Truth, cord: Mapping[Level, Array]) -> Array:
    """Return the middle of the cord where it is narrowest, LPS mm."""
    level = min(LEVELS, key=lambda one: float(cord[one].min()))
    share = (int(cord[level].argmin()) + 0.5) / _LAYERS
    corners = [np.array(place) for landmark, place in truth.landmarks.items() if landmark.corner.startswith("posterior")]
    index = LEVELS.index(level)
    wall = corners[index + 1] - corners[index]
    on_wall = corners[index] + share * wall
    middle = (truth.anterior[Structure.SPINAL_CORD] + truth.posterior[Structure.SPINAL_CORD]) / 2
    near = middle[np.linalg.norm(middle - on_wall, axis=1) < _CANAL_REACH_MM]
    # the width is taken along the perpendicular of the wall, and so is its middle
    return np.asarray(near[int(np.argmin(np.abs((near - on_wall) @ wall)))])


def _nearest_section(anatomy: Anatomy, planes: Sequence[ImagePlane], thickness_mm: float, point: Array) -> ExpectedSection | None:
    """Return the cord on the plane nearest to a point; None if the point lies beyond the stack."""
    if not planes:
        return None
    distances = [abs(float(plane.distance_mm(point))) for plane in planes]
    index = int(np.argmin(distances))
    spacing = abs(float(planes[0].distance_mm(planes[-1].position))) / max(len(planes) - 1, 1)
    if distances[index] > spacing:
        return None
    rows, columns = planes[index].to_pixels(point)
    share = _fine_cord(anatomy, planes[index], planes[index].to_patient([rows, columns]), thickness_mm)
    # diameters of what a reader would outline: where at least half of the slab is cord
    ap_mm, transverse_mm = _diameters_mm(share >= 0.5)
    return ExpectedSection(index, float(share.sum()) * _FINE_MM**2, ap_mm, transverse_mm, ap_mm / transverse_mm)


def _fine_cord(anatomy: Anatomy, plane: ImagePlane, centre: Array, thickness_mm: float) -> npt.NDArray[np.float32]:
    size = int(_FIELD_MM / _FINE_MM)
    corner = centre - _FIELD_MM / 2 * (plane.along_row + plane.along_column)
    fine = ImagePlane(corner, plane.along_row, plane.along_column, Spacing(_FINE_MM, _FINE_MM), size, size)
    return render_slice(anatomy, fine, thickness_mm, T2_TSE, np.random.default_rng(0)).cord


def _diameters_mm(cord: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the extent across the long side of the least rectangle around a section, and the long side."""
    points = np.argwhere(cord)[:, ::-1].astype(np.float32)
    _, sides, _ = cv2.minAreaRect(cv2.convexHull(points))
    # pixel centres span one pixel less than the pixels
    short, long = sorted(side + 1 for side in sides)
    return short * _FINE_MM, long * _FINE_MM
