"""The decisive slices with what was measured on them: a person can check the numbers against the image.

They show the usual hanging (anterior left on sagittal slices, the patient's right on the left of axial ones) in square pixels.
No name, number or date of the patient is on them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from node.domain.analysis import Analysis, SegmentedSeries
from node.domain.anatomy import VERTEBRAE, Structure
from node.domain.geometry import PixelPoint
from node.domain.measurement import AxialSliceMeasurements, CompressionRatio, Evidence, Measurement, SagittalMeasurements
from node.domain.prediction import Keypoint
from node.domain.study import SeriesRole
from node.reporting.canvas import CANAL_COLOUR, CORD_COLOUR, CORNER_COLOUR, WHITE, Colour, Drawing, Picture, Place, Style, png
from node.reporting.hanging import AXIAL_VIEW, SAGITTAL_VIEW, SlicePicture, slice_picture, upright_view
from node.reporting.panel import captioned, profile_plot
from node.reporting.words import DIAMETER_MARKS, Wording, wording

_SAGITTAL_MARGIN_MM, _AXIAL_MARGIN_MM = 14.0, 9.0
_LABEL_HEIGHT = 28.0
# Right of the lines: the leaders and the widest label.
_LABEL_ROOM = 250
_COLOURS = {Structure.SPINAL_CORD: CORD_COLOUR, Structure.SPINAL_CANAL: CANAL_COLOUR}
# Lighter than the canal itself: words in its blue are too dark where the page is printed in grey.
_LABEL_COLOURS = {Structure.SPINAL_CORD: CORD_COLOUR, Structure.SPINAL_CANAL: (135, 215, 255)}
_SINGLE_SIZE, _PLOT_SIZE = (1200, 1200), (800, 1200)

_Label = tuple[Place, str, Colour]


def draw_pictures(analysis: Analysis, language: str = "en") -> dict[str, Picture]:
    """Return the pictures of an analysis by their file names: what was not measured has none."""
    return dict(_pictures(analysis, wording(language)))


@contextmanager
def pictures_written(pictures: Mapping[str, Picture], folder: Path) -> Iterator[None]:
    """Write pictures by their file names beside what the block does: all are there when it is left.

    OpenCV compresses without the lock of the interpreter, so another core does it.
    """
    with ThreadPoolExecutor(max_workers=1) as beside:
        written = [beside.submit(_write, picture, folder / name) for name, picture in pictures.items()]
        yield
        for one in written:
            one.result()


def _write(picture: Picture, path: Path) -> None:
    path.write_bytes(png(picture))


def _pictures(analysis: Analysis, words: Wording) -> Iterator[tuple[str, Picture]]:
    sagittal, axial = analysis.measurements.sagittal, analysis.measurements.axial
    if sagittal is not None:
        series = analysis.series_by_role[SeriesRole.SAGITTAL_T2]
        drawn = sagittal_picture(series, sagittal, words, _SINGLE_SIZE)
        yield "sagittal.png", captioned(drawn, sagittal_title(series, sagittal, words), words)
        yield "profile.png", captioned(profile_plot(sagittal.levels, words, _PLOT_SIZE), words.profile, words)
    if axial is not None and axial.decisive is not None:
        series = analysis.series_by_role[SeriesRole.AXIAL_T2]
        drawn = axial_picture(series, axial.decisive, words, _SINGLE_SIZE)
        yield "axial.png", captioned(drawn, axial_title(series, axial.decisive, words), words)


def sagittal_title(series: SegmentedSeries, measured: SagittalMeasurements, words: Wording) -> str:
    """Return which slice a sagittal picture shows."""
    return words.sagittal.format(measured.slice_index + 1, len(series.volume.planes))


def axial_title(series: SegmentedSeries, measured: AxialSliceMeasurements, words: Wording) -> str:
    """Return which slice an axial picture shows, and at which level it lies."""
    level = "" if measured.level is None else f" ({measured.level})"
    return words.axial.format(measured.slice_index + 1, len(series.volume.planes)) + level


def sagittal_picture(series: SegmentedSeries, measured: SagittalMeasurements, words: Wording, size: tuple[int, int]) -> Drawing:
    """Return the decisive sagittal slice with outlines, corners and the lines of MSCC and MCC."""
    index = measured.slice_index
    keypoints = tuple(measured.keypoints.by_landmark.values())
    diameters = [one for structure in Structure for one in _diameters(measured.ratio(structure))]
    ends = [point for _, one in diameters for point in _on_slice(series, index, one.evidence[0])]
    around = [*(one.point for one in keypoints), *ends] or _marked(series, index)
    view = upright_view(series.volume.planes[index], SAGITTAL_VIEW, around, _SAGITTAL_MARGIN_MM, (size[0] - _LABEL_ROOM, size[1]))
    picture = slice_picture(series.volume.voxels[index], view.widened(_LABEL_ROOM))
    _draw_outlines(picture, series, index)
    _draw_corners(picture, keypoints)
    labels: list[_Label] = []
    # the canal first: where both are drawn on one layer, the shorter line of the cord lies on top
    for mark, one in reversed(diameters):
        placed = picture.line(_on_slice(series, index, one.evidence[0]), _COLOURS[one.structure], 3)
        x, y = placed[placed[:, 0].argmax()]
        labels.append(((float(x), float(y)), _label(mark, one, index, words), _LABEL_COLOURS[one.structure]))
    _set_labels(picture, labels)
    draw_edges(picture.drawing.size, picture, ("A", "P", "S", "I"))
    return picture.drawing


def axial_picture(series: SegmentedSeries, measured: AxialSliceMeasurements, words: Wording, size: tuple[int, int]) -> Drawing:
    """Return the decisive axial slice with outlines and both diameters of the cord."""
    index = measured.slice_index
    around = [point for one in (measured.area, measured.canal_area) for evidence in one.evidence for point in evidence.points]
    view = upright_view(series.volume.planes[index], AXIAL_VIEW, around or _marked(series, index), _AXIAL_MARGIN_MM, size)
    picture = slice_picture(series.volume.voxels[index], view)
    _draw_outlines(picture, series, index)
    for one, axis, anchor in ((measured.ap, 1, "mt"), (measured.transverse, 0, "lm")):
        if one.evidence:
            placed = picture.line(one.evidence[0].points, WHITE)
            x, y = placed[placed[:, axis].argmax()] + (0.0, 14.0) if axis else placed[placed[:, axis].argmax()] + (14.0, 0.0)
            picture.drawing.words((float(x), float(y)), words.value(one), Style(WHITE, 24), anchor)
    draw_edges(picture.drawing.size, picture, ("R", "L", "A", "P"))
    return picture.drawing


def _diameters(ratio: CompressionRatio) -> list[tuple[str, Measurement]]:
    """Return the diameters of a ratio that have a line, each with its letters: d for the cord, D for the canal."""
    marks = DIAMETER_MARKS[ratio.ratio.structure]
    pairs = zip(marks, (ratio.at_level, ratio.above, ratio.below), strict=True)
    return [(mark, one) for mark, one in pairs if one is not None and one.evidence]


def _on_slice(series: SegmentedSeries, index: int, evidence: Evidence) -> list[PixelPoint]:
    """Return the points of a line as they lie on a slice: where the cord leaves it, they were read on the one beside."""
    source, target = series.volume.planes[evidence.slice_index], series.volume.planes[index]
    return [PixelPoint(*map(float, target.to_pixels(source.to_patient(point)))) for point in evidence.points]


def _label(mark: str, one: Measurement, index: int, words: Wording) -> str:
    slice_index = one.evidence[0].slice_index
    elsewhere = "" if slice_index == index else f" ({words.other_slice.format(slice_index + 1)})"
    return f"{mark} {words.value(one)}{elsewhere}"


def _draw_outlines(picture: SlicePicture, series: SegmentedSeries, index: int) -> None:
    for structure, probabilities in series.masks.probabilities.items():
        picture.outline(probabilities[index], _COLOURS[structure])


def _draw_corners(picture: SlicePicture, keypoints: Sequence[Keypoint]) -> None:
    for one in keypoints:
        picture.dot(one.point, CORNER_COLOUR)
    for vertebra in VERTEBRAE:
        points = [one.point for one in keypoints if one.landmark.vertebra is vertebra]
        if points:
            x, y = picture.view.place(points).mean(axis=0)
            picture.drawing.words((float(x), float(y)), vertebra.value, Style(CORNER_COLOUR, 28, bold=True), "mm")


def _set_labels(picture: SlicePicture, labels: Sequence[_Label]) -> None:
    """Set labels in a column right of all lines, each near its line, none upon another and none outside."""
    if not labels:
        return
    width, height = picture.drawing.size
    x = min(max(end[0] for end, _, _ in labels) + 50.0, width - _LABEL_ROOM + 30.0)
    ordered = sorted(labels, key=lambda label: label[0][1])
    rows = _apart([end[1] for end, _, _ in ordered], height - _LABEL_HEIGHT)
    for (end, text, colour), y in zip(ordered, rows, strict=True):
        picture.drawing.polyline([end, (x - 6, y)], colour)
        picture.drawing.words((x, y), text, Style(colour, 22), "lm")


def _apart(rows: Iterable[float], lowest: float) -> list[float]:
    """Return ascending places moved downwards until they are a label apart, then upwards until the last is inside."""
    moved: list[float] = []
    for row in rows:
        moved.append(max(row, moved[-1] + _LABEL_HEIGHT) if moved else row)
    for number in range(len(moved)):
        place = lowest if number == 0 else moved[-number] - _LABEL_HEIGHT
        moved[-1 - number] = min(moved[-1 - number], place)
    return moved


def draw_edges(size: tuple[int, int], picture: SlicePicture, letters: tuple[str, str, str, str]) -> None:
    """Set the letters of the patient directions at the left, right, upper and lower edge."""
    width, height = size
    places = (
        ((14, height / 2), "lm"),
        ((width - 14, height / 2), "rm"),
        ((width / 2, 10), "mt"),
        ((width / 2, height - 10), "mb"),
    )
    for letter, (at, anchor) in zip(letters, places, strict=True):
        picture.drawing.words(at, letter, Style(WHITE, 26, bold=True), anchor)


def _marked(series: SegmentedSeries, index: int) -> list[PixelPoint]:
    """Return the corners of the box around the cord's mask; none if it is empty."""
    found = np.argwhere(series.masks.binary(Structure.SPINAL_CORD)[index])
    if not len(found):
        return []
    return [PixelPoint(*map(float, found.min(axis=0))), PixelPoint(*map(float, found.max(axis=0)))]
