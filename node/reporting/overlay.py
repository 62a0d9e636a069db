"""Pictures on which a person can check a report: the decisive slices with what was measured on them, and the profile by level.

They show the usual hanging (anterior left on sagittal slices, the patient's right on the left of axial ones) in square pixels.
No name, number or date of the patient is on them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from node.domain.analysis import Analysis, SegmentedSeries
from node.domain.anatomy import VERTEBRAE, Structure
from node.domain.geometry import PixelPoint
from node.domain.measurement import AxialSliceMeasurements, CompressionRatio, Measurement, SagittalMeasurements
from node.domain.prediction import Keypoint
from node.domain.study import SeriesRole
from node.reporting.canvas import (
    AXIAL_VIEW,
    CANAL_COLOUR,
    CORD_COLOUR,
    CORNER_COLOUR,
    GREY,
    SAGITTAL_VIEW,
    WHITE,
    Colour,
    Picture,
    SlicePicture,
    View,
    save,
    slice_picture,
    upright_view,
)
from node.reporting.panel import NOTICE, Words, beside, profile_plot, reason_words, value_words

_HEIGHT = 1200
_SAGITTAL_MARGIN_MM, _AXIAL_MARGIN_MM = 25.0, 12.0
_LABEL_HEIGHT = 30.0
# Right of the lines: the leaders and the widest label.
_LABEL_ROOM = 280
_COLOURS = {Structure.SPINAL_CORD: CORD_COLOUR, Structure.SPINAL_CANAL: CANAL_COLOUR}
_NAMES = {Structure.SPINAL_CORD: "MSCC", Structure.SPINAL_CANAL: "MCC"}
# d for the cord and D for the canal, as in the paper.
_LETTERS = {Structure.SPINAL_CORD: "d", Structure.SPINAL_CANAL: "D"}


def draw_pictures(analysis: Analysis, folder: Path) -> tuple[str, ...]:
    """Write the pictures of an analysis and return their names: what was not measured has none."""
    names: list[str] = []
    for name, picture in _pictures(analysis):
        save(picture, folder / name)
        names.append(name)
    return tuple(names)


def _pictures(analysis: Analysis) -> Iterator[tuple[str, Picture]]:
    sagittal, axial = analysis.measurements.sagittal, analysis.measurements.axial
    if sagittal is not None:
        yield "sagittal.png", sagittal_picture(analysis.series_by_role[SeriesRole.SAGITTAL_T2], sagittal)
        yield "profile.png", profile_plot(sagittal.levels)
    if axial is not None and axial.decisive is not None:
        yield "axial.png", axial_picture(analysis.series_by_role[SeriesRole.AXIAL_T2], axial.decisive)


def sagittal_picture(series: SegmentedSeries, measured: SagittalMeasurements) -> Picture:
    """Return the decisive sagittal slice with outlines, corners and the lines of MSCC and MCC."""
    index = measured.slice_index
    keypoints = tuple(measured.keypoints.by_landmark.values())
    around = [*(one.point for one in keypoints), *_line_ends(measured)] or _marked(series, index)
    view = upright_view(series.volume.planes[index], SAGITTAL_VIEW, around, _SAGITTAL_MARGIN_MM, _HEIGHT)
    view = replace(view, width=max(view.width, _right_end(view, around) + _LABEL_ROOM))
    picture = slice_picture(series.volume.voxels[index], view)
    _draw_outlines(picture, series, index)
    _draw_corners(picture, keypoints)
    ratios = [measured.ratio(structure) for structure in Structure]
    _draw_ratio_lines(picture, ratios)
    _draw_edges(picture, ("A", "P", "S", "I"))
    title = f"Sagittal T2, slice {index + 1} of {len(series.volume.planes)}"
    paragraphs = [Words(title, WHITE, 30), Words(NOTICE, GREY, 20), Words("")]
    for ratio in ratios:
        paragraphs += _ratio_paragraphs(ratio)
    return beside(picture.finished(), paragraphs)


def axial_picture(series: SegmentedSeries, measured: AxialSliceMeasurements) -> Picture:
    """Return the decisive axial slice with outlines and both diameters."""
    index = measured.slice_index
    around = [point for one in (measured.area, measured.canal_area) for evidence in one.evidence for point in evidence.points]
    view = upright_view(series.volume.planes[index], AXIAL_VIEW, around or _marked(series, index), _AXIAL_MARGIN_MM, _HEIGHT)
    picture = slice_picture(series.volume.voxels[index], view)
    _draw_outlines(picture, series, index)
    for one in (measured.ap, measured.transverse):
        if one.evidence:
            picture.line(one.evidence[0].points, WHITE)
    _draw_edges(picture, ("R", "L", "A", "P"))
    return beside(picture.finished(), _axial_paragraphs(series, measured))


def _axial_paragraphs(series: SegmentedSeries, measured: AxialSliceMeasurements) -> list[Words]:
    level = f" at {measured.level}" if measured.level is not None else ""
    title = f"Axial T2, slice {measured.slice_index + 1} of {len(series.volume.planes)}{level}"
    values = (
        ("Transverse area", measured.area),
        ("Area perpendicular to cord", measured.area_along_cord),
        ("AP diameter", measured.ap),
        ("Transverse diameter", measured.transverse),
        ("Compression ratio", measured.compression_ratio),
    )
    canal = (("Canal area", measured.canal_area), ("Canal AP diameter", measured.canal_ap))
    findings = [finding for _, one in (*values, *canal) for finding in one.findings]
    return [
        Words(title, WHITE, 30),
        Words(NOTICE, GREY, 20),
        Words(""),
        *(Words(f"{name}: {value_words(one)}", CORD_COLOUR) for name, one in values),
        *(Words(f"{name}: {value_words(one)}", CANAL_COLOUR) for name, one in canal),
        Words(""),
        *reason_words(findings),
    ]


def _ratio_paragraphs(ratio: CompressionRatio) -> list[Words]:
    structure = ratio.ratio.structure
    level = f" at {ratio.at_level.level}" if ratio.at_level is not None and ratio.at_level.level is not None else ""
    letter = _LETTERS[structure]
    diameters = ((f"{letter}_i", ratio.at_level), (f"{letter}_a", ratio.above), (f"{letter}_b", ratio.below))
    colour = _COLOURS[structure]
    return [
        Words(f"{_NAMES[structure]} {value_words(ratio.ratio)}{level}", colour, 32),
        *(Words(f"{name} = {value_words(one)}", colour) for name, one in diameters if one is not None),
        Words(f"reference {ratio.reference}", GREY, 22),
        *reason_words(ratio.ratio.findings),
        Words(""),
    ]


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
            picture.words((float(x), float(y)), vertebra.value, CORNER_COLOUR, 30, "mm")


def _draw_ratio_lines(picture: SlicePicture, ratios: Iterable[CompressionRatio]) -> None:
    labels: list[tuple[tuple[float, float], str, Colour]] = []
    for ratio in sorted(ratios, key=lambda one: one.ratio.structure is Structure.SPINAL_CORD):
        structure = ratio.ratio.structure
        for mark, one in (("i", ratio.at_level), ("a", ratio.above), ("b", ratio.below)):
            if one is None or not one.evidence:
                continue
            placed = picture.line(one.evidence[0].points, _COLOURS[structure], 4 if structure is Structure.SPINAL_CORD else 3)
            end = placed[placed[:, 0].argmax()]
            text = f"{_LETTERS[structure]}_{mark} {_bare(one)}"
            labels.append(((float(end[0]), float(end[1])), text, _COLOURS[structure]))
    _set_labels(picture, labels)


def _bare(measured: Measurement) -> str:
    return value_words(measured).split("  ")[0]


def _set_labels(picture: SlicePicture, labels: list[tuple[tuple[float, float], str, Colour]]) -> None:
    """Set labels in a column right of all lines, each near its line and none upon another."""
    if not labels:
        return
    x = max(end[0] for end, _, _ in labels) + 60.0
    lowest = -np.inf
    for end, text, colour in sorted(labels, key=lambda label: label[0][1]):
        y = max(end[1], float(lowest) + _LABEL_HEIGHT)
        lowest = y
        picture.leader(end, (x - 6, y), colour)
        picture.words((x, y), text, colour, 24)


def _draw_edges(picture: SlicePicture, letters: tuple[str, str, str, str]) -> None:
    """Set the letters of the patient directions at the left, right, upper and lower edge."""
    width, height = picture.view.width, picture.view.height
    places = (
        ((16, height / 2), "lm"),
        ((width - 16, height / 2), "rm"),
        ((width / 2, 16), "mt"),
        ((width / 2, height - 16), "mb"),
    )
    for letter, (at, anchor) in zip(letters, places, strict=True):
        picture.words(at, letter, WHITE, 30, anchor)


def _line_ends(measured: SagittalMeasurements) -> list[PixelPoint]:
    ratios = (measured.ratio(structure) for structure in Structure)
    lines = (one for ratio in ratios for one in (ratio.at_level, ratio.above, ratio.below) if one is not None)
    return [point for one in lines for evidence in one.evidence for point in evidence.points]


def _right_end(view: View, points: Sequence[PixelPoint]) -> int:
    return round(float(view.place(points)[:, 0].max())) if points else view.width


def _marked(series: SegmentedSeries, index: int) -> list[PixelPoint]:
    """Return the corners of the box around the cord's mask; none if it is empty."""
    found = np.argwhere(series.masks.binary(Structure.SPINAL_CORD)[index])
    if not len(found):
        return []
    return [PixelPoint(*map(float, found.min(axis=0))), PixelPoint(*map(float, found.max(axis=0)))]
