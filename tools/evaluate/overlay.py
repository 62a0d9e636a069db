"""Pictures of what both sides see: contours at the 0.5 crossing and corners, the reference in green."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import Corner, Structure
from node.domain.prediction import Keypoints
from node.domain.study import SeriesRole
from tools.evaluate.case import Case, Cover

Picture = npt.NDArray[np.uint8]
"""Blue, green, red; [row, column, 3]."""

_HEIGHT = 720
_REFERENCE, _CORNER = (80, 220, 60), (255, 170, 40)
_COLOURS = {Structure.SPINAL_CANAL: (40, 200, 255), Structure.SPINAL_CORD: (90, 90, 255)}
_AXIAL_FIELD_MM = 90.0
_WHITE_PERCENTILE = 99.5


def draw_sagittal(case: Case, series: SegmentedSeries, keypoints: Keypoints) -> Picture:
    """Return the middle slice of a case, or the decisive one if no truth is known, with masks and corners."""
    index = keypoints.slice_index if case.truth.middle is None else case.truth.middle
    plane = series.volume.planes[index]
    canvas = _Canvas(series.volume.voxels[index], plane.spacing.row_mm / plane.spacing.column_mm)
    for structure, colour in _COLOURS.items():
        canvas.contour(case.truth.middle_covers.get(structure), _REFERENCE)
        canvas.contour(series.masks.probabilities[structure][index].astype(np.float32), colour)
    for point in case.truth.landmarks.values():
        canvas.ring(plane.to_pixels(point), _REFERENCE)
    for landmark, one in keypoints.by_landmark.items():
        canvas.dot(one.point, _CORNER)
        if landmark.corner is Corner.ANTERIOR_SUPERIOR:
            canvas.name(one.point, landmark.vertebra.value, _CORNER)
    return canvas.picture


def draw_axial(case: Case, series: SegmentedSeries, index: int) -> Picture:
    """Return one axial slice about its cord with the masks of both sides."""
    plane, structures = series.volume.planes[index], tuple(_COLOURS)
    maps = [series.masks.probabilities[one][index].astype(np.float32) for one in structures]
    covers = [case.truth.covers.get((SeriesRole.AXIAL_T2, one)) for one in structures]
    cord = maps[structures.index(Structure.SPINAL_CORD)] >= 0.5
    centre = np.argwhere(cord).mean(0) if cord.any() else np.array(cord.shape) / 2
    reach = _AXIAL_FIELD_MM / 2 / np.array(plane.spacing)
    first = np.maximum(np.floor(centre - reach), 0).astype(int)
    last = np.ceil(centre + reach).astype(int)
    window = slice(first[0], last[0]), slice(first[1], last[1])
    canvas = _Canvas(series.volume.voxels[index][window], plane.spacing.row_mm / plane.spacing.column_mm)
    for structure, found, cover in zip(structures, maps, covers, strict=True):
        canvas.contour(None if cover is None else cover[index][window], _REFERENCE)
        canvas.contour(found[window], _COLOURS[structure])
    return canvas.picture


def side_by_side(pictures: Sequence[Picture]) -> bytes:
    """Return pictures of one height as one PNG."""
    encoded, content = cv2.imencode(".png", np.hstack(pictures))
    if not encoded:
        raise ValueError("the picture cannot be written as PNG")
    return content.tobytes()


class _Canvas:
    """A slice, enlarged to square pixels and a height of 720, to draw on in pixel points (row, column).

    Parameters
    ----------
    pixels
        Signal of the slice, [row, column].
    aspect
        Row by column spacing.
    """

    def __init__(self, pixels: npt.NDArray[np.float32], aspect: float) -> None:
        self._zoom = np.array([1.0, 1.0 / aspect]) * _HEIGHT / pixels.shape[0]
        self._size = (round(pixels.shape[1] * float(self._zoom[1])), _HEIGHT)
        bright = max(float(np.percentile(pixels, _WHITE_PERCENTILE)), 1e-6)
        grey = (np.sqrt(np.clip(pixels / bright, 0, 1)) * 255).astype(np.uint8)
        enlarged = cv2.resize(grey, self._size, interpolation=cv2.INTER_CUBIC)
        self.picture: Picture = np.asarray(cv2.cvtColor(enlarged, cv2.COLOR_GRAY2BGR), dtype=np.uint8)

    def contour(self, cover: Cover | None, colour: tuple[int, int, int]) -> None:
        """Draw the 0.5 crossing of a map of the size of the slice."""
        if cover is None:
            return
        enlarged = cv2.resize(np.nan_to_num(cover), self._size, interpolation=cv2.INTER_LINEAR)
        outlines, _ = cv2.findContours((enlarged >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(self.picture, outlines, -1, colour, 1, cv2.LINE_AA)

    def ring(self, point: npt.ArrayLike, colour: tuple[int, int, int]) -> None:
        """Draw where a corner truly is."""
        cv2.circle(self.picture, self._place(point), 6, colour, 1, cv2.LINE_AA)

    def dot(self, point: npt.ArrayLike, colour: tuple[int, int, int]) -> None:
        """Draw where a corner was found."""
        cv2.circle(self.picture, self._place(point), 2, colour, -1, cv2.LINE_AA)

    def name(self, point: npt.ArrayLike, text: str, colour: tuple[int, int, int]) -> None:
        """Write a name to the left below a point."""
        across, down = self._place(point)
        cv2.putText(self.picture, text, (across - 34, down + 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)

    def _place(self, point: npt.ArrayLike) -> tuple[int, int]:
        down, across = (np.asarray(point, dtype=np.float64) + 0.5) * self._zoom
        return round(float(across)), round(float(down))
