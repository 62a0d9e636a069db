"""What is drawn over the source images, as plain values: lines, and short ASCII words beside them.

Lines and numbers are those of the SR (:mod:`node.reporting.sr_content`), so both say the same. A withheld value has no line and
no number; the notes at the lower edge name it. Alternatives to the measurements that the paper asks for stay in the SR, so there
is one MSCC and one MCC on the images.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.sr.coding import Code

from node.domain.analysis import Analysis
from node.domain.anatomy import LEVELS, Level, Structure
from node.domain.geometry import POSTERIOR, ImagePlane, PixelPoint
from node.domain.measurement import Quantity, Unit, Verdict
from node.domain.study import SeriesRole
from node.reporting import codes
from node.reporting.labels import Column, Label, Layer, Row, in_the_middle
from node.reporting.sr_content import Group, Number, groups_of

_CORD, _CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL
_WORDS: Mapping[Code, str] = {
    codes.STRUCTURES[_CORD]: "cord",
    codes.STRUCTURES[_CANAL]: "canal",
    codes.QUANTITIES[Quantity.AP_DIAMETER, _CORD]: "AP",
    codes.QUANTITIES[Quantity.AP_DIAMETER, _CANAL]: "AP",
    codes.QUANTITIES[Quantity.TRANSVERSE_DIAMETER, _CORD]: "transverse",
    codes.QUANTITIES[Quantity.CROSS_SECTIONAL_AREA, _CORD]: "area",
    codes.QUANTITIES[Quantity.CORD_COMPRESSION_RATIO, _CORD]: "AP/transverse",
    # d for the cord and D for the canal, as in the paper
    **dict(zip(codes.RATIO_DIAMETERS[_CORD], ("d_i", "d_a", "d_b"), strict=True)),
    **dict(zip(codes.RATIO_DIAMETERS[_CANAL], ("D_i", "D_a", "D_b"), strict=True)),
}
_RATIOS = {
    codes.QUANTITIES[Quantity.MAXIMUM_SPINAL_CORD_COMPRESSION, _CORD],
    codes.QUANTITIES[Quantity.MAXIMUM_CANAL_COMPROMISE, _CANAL],
}
_SMALLEST = {trio[0] for trio in codes.RATIO_DIAMETERS.values()}
_FORMATS: Mapping[Code, str] = {
    codes.UNITS[Unit.MM]: "{:.2f} mm",
    codes.UNITS[Unit.MM2]: "{:.1f} mm2",
    codes.UNITS[Unit.PERCENT]: "{:.1f} %",
    codes.UNITS[Unit.RATIO]: "{:.3f}",
}
_LEVELS = {code: level for level, code in codes.LEVELS.items()}


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that is drawn on one slice.

    Parameters
    ----------
    lines
        Groups of the SR of which the place is drawn, with their layers.
    notes
        Words for the lower edge of the window, line by line.
    """

    slice_index: int
    lines: tuple[tuple[Layer, Group], ...]
    labels: tuple[Label, ...]
    notes: tuple[str, ...]


def notice_of(qualification: str) -> tuple[str, ...]:
    """Return, line by line, what must be read beside every result: that software made it, and what it is for."""
    purpose = " not for diagnosis," if qualification == "RESEARCH" else ""
    return f"AI {qualification}:{purpose}", "not verified by a person"


def summary_of(analysis: Analysis) -> tuple[str, ...]:
    """Return MSCC and MCC with their level, and the level of the axial slice, each in a few words."""
    groups = [group for group in groups_of(analysis) if not group.is_alternative]
    ratios = (next(_ratio_note(group)) for group in groups if _is_ratio(group))
    return (*ratios, *_axial_notes(groups))


def sheets_of(analysis: Analysis, role: SeriesRole, notice: Sequence[str]) -> tuple[Sheet, ...]:
    """Return what is drawn on the series of a role, slice by slice; nothing if nothing was measured on it.

    Parameters
    ----------
    notice
        First lines of the notes on every slice.
    """
    by_slice: dict[int, list[Group]] = {}
    for group in groups_of(analysis):
        if group.place.role is role and _is_shown(group):
            by_slice.setdefault(group.place.evidence.slice_index, []).append(group)
    planes = analysis.series_by_role[role].volume.planes
    sheets = tuple(_sheet(role, index, groups, planes[index], notice) for index, groups in by_slice.items())
    return sheets if any(sheet.lines for sheet in sheets) else ()


def _is_shown(group: Group) -> bool:
    return not group.is_alternative or _is_corners(group) or group.name in ("Axial canal", "Axial canal AP")


def _is_corners(group: Group) -> bool:
    return group.name.endswith(" corners")


def _is_ratio(group: Group) -> bool:
    return group.name.startswith(("MSCC", "MCC"))


def _sheet(role: SeriesRole, index: int, groups: Sequence[Group], plane: ImagePlane, notice: Sequence[str]) -> Sheet:
    lines = tuple((_layer(group), group) for group in groups if _has_line(group))
    drawn = [group for _, group in lines]
    words = _axial_labels(drawn, plane) if role is SeriesRole.AXIAL_T2 else _sagittal_labels(drawn, plane)
    return Sheet(index, lines, tuple(words), (*notice, *_notes(groups)))


def _has_line(group: Group) -> bool:
    """Return whether the value has a place to be drawn; what was tried and withheld has none."""
    return any(one.name in _SMALLEST for one in group.numbers) if _is_ratio(group) else bool(group.numbers)


def _layer(group: Group) -> Layer:
    if _is_ratio(group):
        return Layer.RATIOS
    if _is_corners(group):
        return Layer.CORNERS
    return Layer.CORD if group.finding == codes.STRUCTURES[_CORD] else Layer.CANAL


def _mark(group: Group) -> str:
    """Return an asterisk for what is to be reviewed."""
    return "*" if group.verdict is Verdict.FLAG else ""


def _words(number: Number) -> str:
    return _FORMATS[number.unit].format(number.value)


def _level(group: Group) -> Level | None:
    return _LEVELS.get(group.sites[0])


def _sagittal_labels(drawn: Sequence[Group], plane: ImagePlane) -> Iterator[Label]:
    """Yield the vertebrae by name, the levels behind the spine and the ratios in front of it."""
    is_leftward = float(plane.along_row @ np.array(POSTERIOR)) < 0
    behind = Column.beside([group for group in drawn if not _is_corners(group)], plane, is_leftward=is_leftward)
    before = Column.beside(drawn, plane, is_leftward=not is_leftward)
    for group in filter(_is_corners, drawn):
        yield in_the_middle(group, plane, Layer.CORNERS, f"{group.name.split()[0]}{_mark(group)}")
    yield from behind.labels(_level_rows(drawn, behind))
    yield from before.labels(_ratio_rows(drawn, before))


def _level_rows(drawn: Iterable[Group], column: Column) -> Iterator[Row]:
    by_name = {group.name: group for group in drawn}
    for level in LEVELS:
        pair = [by_name.get(f"{word} AP {level}") for word in ("Cord", "Canal")]
        found = [group for group in pair if group is not None]
        if found:
            values = " / ".join("-" if group is None else f"{group.numbers[0].value:.2f}{_mark(group)}" for group in pair)
            yield Row(Layer.LEVELS, f"{level} {values}", column.nearest(found[-1]))


def _ratio_rows(drawn: Iterable[Group], column: Column) -> Iterator[Row]:
    for group in filter(_is_ratio, drawn):
        value = next((_words(one) for one in group.numbers if one.name in _RATIOS), "withheld")
        yield Row(Layer.RATIOS, f"{group.name.split()[0]} {value}{_mark(group)}", column.nearest(group), is_tied=True)


def _axial_labels(drawn: Sequence[Group], plane: ImagePlane) -> Iterator[Label]:
    """Yield the values of a slice as one block, which stands beside the middle of the cord."""
    column = Column.beside(drawn, plane, is_leftward=False)
    found = [(group, number) for group in drawn for number in group.numbers if number.name in _WORDS]
    middle = float(np.mean([point.row for group in drawn for point in group.place.evidence.points] or [0.0]))
    rows: list[Row] = []
    for position, (group, number) in enumerate(found):
        text = f"{_WORDS[group.finding]} {_WORDS[number.name]} {_words(number)}{_mark(group)}"
        row = middle + (position - (len(found) - 1) / 2) * column.line_height
        rows.append(Row(_layer(group), text, PixelPoint(row, 0.0)))
    return column.labels(rows)


def _notes(groups: Sequence[Group]) -> Iterator[str]:
    """Yield the ratios in words, what the rows of numbers mean, and what was withheld."""
    for group in filter(_is_ratio, groups):
        yield from _ratio_note(group)
    shown = [group for group in groups if group.numbers]
    if any(" AP C" in group.name for group in shown):
        yield "levels: cord / canal AP diameter, mm"
    yield from _axial_notes(shown)
    yield from _withheld_notes([one for one in groups if one.verdict is Verdict.WITHHOLD and not _is_ratio(one)])
    if any(group.verdict is Verdict.FLAG for group in groups):
        yield "* to be reviewed"


def _axial_notes(groups: Iterable[Group]) -> Iterator[str]:
    for group in groups:
        if group.name == "Axial cord":
            yield f"axial slice at {_level(group) or 'no level'}" if group.numbers else "axial values withheld"


def _withheld_notes(withheld: Sequence[Group]) -> Iterator[str]:
    by_place: dict[str, list[str]] = {}
    for group in withheld:
        level = _level(group) if group.place.role is SeriesRole.SAGITTAL_T2 else None
        by_place.setdefault(str(level or "axial values"), []).append(_WORDS[group.finding])
    places = [place if place == "axial values" or len(words) > 1 else f"{place} {words[0]}" for place, words in by_place.items()]
    if places:
        yield f"withheld: {', '.join(places)}"


def _ratio_note(group: Group) -> Iterator[str]:
    value = next((_words(one) for one in group.numbers if one.name in _RATIOS), "withheld")
    level = f" {group.level_of_minimum}" if group.level_of_minimum is not None else ""
    yield f"{group.name.split()[0]} {value}{_mark(group)}{level}"
    parts = [f"{_WORDS[one.name]} {one.value:.2f}" for one in group.numbers if one.name in _WORDS]
    if parts:
        yield f"  {', '.join(parts)} mm"
