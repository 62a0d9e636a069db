"""The summary page: one sheet that tells the whole result, for the PACS, the web page and the printer.

Landscape A4 at 180 dots to the inch, on white. The smallest words are 18 pixels, seven points in print.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from node.config import ReportingConfig
from node.domain.analysis import Analysis
from node.domain.anatomy import Structure
from node.domain.errors import Finding, Severity
from node.domain.measurement import (
    AxialSliceMeasurements,
    CompressionRatio,
    Measurement,
    Measurements,
    Quantity,
    Verdict,
)
from node.domain.prediction import ModelIdentity
from node.domain.study import SeriesRole
from node.reporting.canvas import Drawing, Picture, Style
from node.reporting.overlay import axial_picture, axial_title, sagittal_picture, sagittal_title
from node.reporting.panel import (
    INK,
    RULE,
    SOFT,
    VERDICT_COLOURS,
    Box,
    Card,
    draw_card,
    draw_missing,
    draw_reasons,
    draw_values,
    profile_plot,
)
from node.reporting.prior import Change, changes_of
from node.reporting.provenance import Software
from node.reporting.words import DIAMETER_MARKS, ReasonText, Wording, wording

PAGE_SIZE = (2100, 1485)
_LEFT, _RIGHT = 50, 2050
_CARDS_TOP, _CARDS_BOTTOM, _CARD_GAP = 140, 440, 20
_BODY_TOP, _BODY_BOTTOM = 496, 1352
_SAGITTAL_BOX: Box = (_LEFT, _BODY_TOP, 780, _BODY_BOTTOM)
_PROFILE_BOX: Box = (810, _BODY_TOP, 1390, _BODY_BOTTOM)
_AXIAL_BOX: Box = (1420, _BODY_TOP, _RIGHT, 912)
_VALUES_BOX: Box = (1420, 918, _RIGHT, 1164)
_REMARKS_BOX: Box = (1420, 1214, _RIGHT, _BODY_BOTTOM)
_WARNING = VERDICT_COLOURS[Verdict.WITHHOLD]
_MAIN_VALUES = 4


def summary_page(analysis: Analysis, settings: ReportingConfig, software: Software) -> Picture:
    """Return the result of an analysis on one sheet; nothing on it names the patient."""
    return draw_page(analysis, settings, software).finished()


def draw_page(analysis: Analysis, settings: ReportingConfig, software: Software) -> Drawing:
    """Return the summary page with its words not yet set, so that what is written where can be known."""
    words = wording(settings.language)
    sheet = Drawing.blank(PAGE_SIZE, edge=None)
    measured = analysis.measurements
    _draw_head(sheet, measured, settings, words)
    cards = _cards(analysis, words)
    width = (_RIGHT - _LEFT - _CARD_GAP * (len(cards) - 1)) // len(cards)
    for number, card in enumerate(cards):
        left = _LEFT + number * (width + _CARD_GAP)
        draw_card(sheet, (left, _CARDS_TOP, left + width, _CARDS_BOTTOM), card, words)
    _draw_sagittal(sheet, analysis, words)
    _draw_axial(sheet, analysis, words)
    _draw_remarks(sheet, analysis, cards, words)
    _draw_foot(sheet, measured.models, settings, software, words)
    return sheet


def _draw_head(sheet: Drawing, measured: Measurements, settings: ReportingConfig, words: Wording) -> None:
    sheet.words((_LEFT, 62), words.title, Style(INK, 46, bold=True), "lm")
    status = words.statuses[measured.status]
    withheld = _MAIN_VALUES - sum(one.verdict is not Verdict.WITHHOLD for one in measured.headline)
    if withheld:
        status = words.withheld_count.format(status, withheld)
    sheet.words((_LEFT, 112), status, Style(SOFT, 26), "lm")
    _draw_notice(sheet, settings, words)


def _draw_notice(sheet: Drawing, settings: ReportingConfig, words: Wording) -> None:
    """Say at the top right that nobody verified the page, and in a research node that it is not for diagnosis."""
    lines = [(words.unverified, Style(INK, 24))]
    if settings.content_qualification == "RESEARCH":
        lines.insert(0, (words.research, Style(_WARNING, 30, bold=True)))
    left = _RIGHT - 48 - max(style.width(text) for text, style in lines)
    sheet.box((left, 30, _RIGHT, 116), (255, 255, 255), _WARNING)
    for number, (text, style) in enumerate(lines):
        sheet.words(((left + _RIGHT) / 2, 30 + 86 * (number + 0.5) / len(lines)), text, style, "mm")


def _cards(analysis: Analysis, words: Wording) -> list[Card]:
    measured = analysis.measurements
    changes = {one.measured.quantity: one for one in changes_of(analysis)}
    sagittal = measured.sagittal
    ratios = [None if sagittal is None else sagittal.ratio(structure) for structure in Structure]
    names = words.headlines
    cards = [_ratio_card(names[number], ratios[number], measured, words) for number in range(2)]
    decisive = None if measured.axial is None else measured.axial.decisive
    if decisive is None:
        reasons = words.reasons_of(_axial_findings(measured))
        cards += [Card(short, long, None, "", (), reasons) for short, long in names[2:]]
    else:
        cards += _axial_cards(decisive, words)
    return [_with_change(card, changes, words) for card in cards]


def _with_change(card: Card, changes: Mapping[Quantity, Change], words: Wording) -> Card:
    """Return a card with the change of its value since the prior, if there is one; the remarks tell what speaks against it."""
    change = None if card.measured is None else changes.get(card.measured.quantity)
    if change is None:
        return card
    text = words.changed(change.prior, change.difference, change.measured.unit)
    return replace(card, details=(*card.details, text))


def _axial_cards(decisive: AxialSliceMeasurements, words: Wording) -> list[Card]:
    names = words.headlines[2:]
    along = f"{words.quantities[3]} {words.value(decisive.area_along_cord)}"
    diameters = f"{words.quantities[0]} {words.value(decisive.ap)}", f"{words.quantities[1]} {words.value(decisive.transverse)}"
    return [
        _axial_card(names[0], decisive.area, (along,), words),
        _axial_card(names[1], decisive.compression_ratio, diameters, words),
    ]


def _ratio_card(names: tuple[str, str], ratio: CompressionRatio | None, measured: Measurements, words: Wording) -> Card:
    if ratio is None or measured.sagittal is None:
        return Card(*names, None, "", (), words.reasons_of(measured.findings))
    level = None if ratio.at_level is None else ratio.at_level.level
    where = "" if level is None else words.at_level.format(level)
    worst = _worst(measured.sagittal.worst_slice.get(ratio.ratio.structure), words)
    details = (_diameters(ratio, words), words.reference.format(ratio.reference.upper()), *worst)
    return _card(names, ratio.ratio, where, details, words)


def _worst(ratio: CompressionRatio | None, words: Wording) -> tuple[str, ...]:
    """Return the ratio on the most compressed slice beside the decisive one, if that is more."""
    if ratio is None or ratio.ratio.value is None or ratio.at_level is None or not ratio.at_level.evidence:
        return ()
    number = ratio.at_level.evidence[0].slice_index + 1
    return (words.worst.format(number, words.value(ratio.ratio), ratio.at_level.level or "").rstrip(),)


def _diameters(ratio: CompressionRatio, words: Wording) -> str:
    marks = DIAMETER_MARKS[ratio.ratio.structure]
    pairs = zip(marks, (ratio.at_level, ratio.above, ratio.below), strict=True)
    return ", ".join(f"{mark} {words.value(one)}" for mark, one in pairs)


def _axial_card(names: tuple[str, str], measured: Measurement, details: tuple[str, ...], words: Wording) -> Card:
    where = "" if measured.level is None else words.at_level.format(measured.level)
    return _card(names, measured, where, details, words)


def _card(names: tuple[str, str], measured: Measurement, where: str, details: tuple[str, ...], words: Wording) -> Card:
    """Return the card of a value; where it is withheld its reasons need the room of the details."""
    kept = () if measured.value is None else details
    return Card(*names, measured, where, kept, words.reasons_of(measured.findings))


def _axial_findings(measured: Measurements) -> tuple[Finding, ...]:
    """Return why there is no decisive axial slice: what withholds, apart from the sagittal plane's own."""
    of_sagittal = () if measured.sagittal is None else measured.sagittal.findings
    found = [one for one in measured.findings if one.severity is Severity.WITHHOLD and one not in of_sagittal]
    return tuple(found) or measured.findings


def _draw_sagittal(sheet: Drawing, analysis: Analysis, words: Wording) -> None:
    measured = analysis.measurements.sagittal
    if measured is None:
        _draw_title(sheet, _SAGITTAL_BOX, words.sagittal_plane)
        left, top, _, bottom = _SAGITTAL_BOX
        draw_missing(sheet, (left, top, _PROFILE_BOX[2], bottom), words.reasons_of(analysis.measurements.findings), words)
        return
    series = analysis.series_by_role[SeriesRole.SAGITTAL_T2]
    _draw_title(sheet, _SAGITTAL_BOX, sagittal_title(series, measured, words))
    _draw_title(sheet, _PROFILE_BOX, words.profile)
    sheet.paste(sagittal_picture(series, measured, words, _size(_SAGITTAL_BOX)).finished(), _SAGITTAL_BOX[:2])
    sheet.paste(profile_plot(measured.levels, words, _size(_PROFILE_BOX)).finished(), _PROFILE_BOX[:2])


def _draw_axial(sheet: Drawing, analysis: Analysis, words: Wording) -> None:
    axial = analysis.measurements.axial
    decisive = None if axial is None else axial.decisive
    if decisive is None:
        _draw_title(sheet, _AXIAL_BOX, words.axial_plane)
        left, top, right, _ = _AXIAL_BOX
        box = (left, top, right, _VALUES_BOX[3])
        draw_missing(sheet, box, words.reasons_of(_axial_findings(analysis.measurements)), words)
        return
    series = analysis.series_by_role[SeriesRole.AXIAL_T2]
    _draw_title(sheet, _AXIAL_BOX, axial_title(series, decisive, words))
    sheet.paste(axial_picture(series, decisive, words, _size(_AXIAL_BOX)).finished(), _AXIAL_BOX[:2])
    draw_values(sheet, _VALUES_BOX, _axial_values(decisive, words), words)


def _axial_values(one: AxialSliceMeasurements, words: Wording) -> list[tuple[str, Measurement]]:
    values = (one.ap, one.transverse, one.area, one.area_along_cord, one.compression_ratio, one.canal_ap, one.canal_area)
    return list(zip(words.quantities, values, strict=True))


def _draw_remarks(sheet: Drawing, analysis: Analysis, cards: Sequence[Card], words: Wording) -> None:
    """Draw what was found beyond the reasons on the cards."""
    _draw_title(sheet, _REMARKS_BOX, words.remarks)
    told = {reason for card in cards for reason in card.reasons}
    remarks = [one for one in words.reasons_of(_every_finding(analysis)) if one not in told]
    draw_reasons(sheet, _REMARKS_BOX, remarks or [ReasonText(words.no_remarks)], words)


def _every_finding(analysis: Analysis) -> tuple[Finding, ...]:
    measured = analysis.measurements
    found = [
        *measured.findings,
        *analysis.history.findings,
        *(finding for one in changes_of(analysis) for finding in one.findings),
    ]
    if measured.sagittal is not None:
        found += [finding for one in measured.sagittal.levels for of in (one.cord_ap, one.canal_ap) for finding in of.findings]
    decisive = None if measured.axial is None else measured.axial.decisive
    if decisive is not None:
        values = (decisive.ap, decisive.transverse, decisive.area_along_cord, decisive.canal_ap, decisive.canal_area)
        found += [finding for one in values for finding in one.findings]
    return tuple(dict.fromkeys(found))


def _draw_foot(
    sheet: Drawing, models: Sequence[ModelIdentity], settings: ReportingConfig, software: Software, words: Wording
) -> None:
    sheet.polyline([(_LEFT, 1370), (_RIGHT, 1370)], RULE, 2)
    named = ", ".join(f"{one.name} {one.version} ({one.sha256[:8]})" for one in models)
    text = f"{software.name} {software.version}; {words.models.format(named)}"
    style = next(style for size in range(18, 5, -1) if len((style := Style(SOFT, size)).wrapped(text, 1250)) * size * 1.35 <= 74)
    sheet.paragraph((_LEFT, 1380), text, style, 1250)
    research = settings.content_qualification == "RESEARCH"
    sheet.words((_RIGHT, 1398), words.research if research else words.unverified, Style(_WARNING, 26, bold=True), "rm")
    if research:
        sheet.words((_RIGHT, 1434), words.unverified, Style(INK, 20), "rm")


def _draw_title(sheet: Drawing, box: Box, text: str) -> None:
    sheet.words((box[0], box[1] - 24), text, Style(INK, 28, bold=True), "lm")


def _size(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]
