import re
from dataclasses import replace

import numpy as np
import pytest

from node.domain.anatomy import Level, Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.measurement import LevelDiameters, Measurement, Quantity, Unit, Verdict
from node.reporting.canvas import Drawing
from node.reporting.panel import CANAL_INK, CORD_INK, draw_reasons, profile_plot
from node.reporting.words import ReasonText, wording
from tests.support.printed import collisions, cut

SIZE = (580, 870)


def diameter(structure, value, verdict=Verdict.REPORT, level=Level.C5):
    return Measurement(Quantity.AP_DIAMETER, structure, Unit.MM, value, verdict, level)


def profile(cord, canal, cord_verdict=Verdict.REPORT):
    return [
        LevelDiameters(
            level,
            diameter(Structure.SPINAL_CORD, cord, cord_verdict, level),
            diameter(Structure.SPINAL_CANAL, canal, level=level),
        )
        for level in Level
    ]


def centre_x(picture, colour, y):
    return float(np.flatnonzero((picture[y] == colour).all(axis=-1)).mean())


def test_marks_stand_at_their_millimetres_and_levels():
    sheet = profile_plot(profile(5.0, 15.0), wording("en"), SIZE)
    picture = sheet.finished()
    at = {one.words: one.at for one in sheet.texts}
    for level in Level:
        row = round(at[level.value][1])
        for colour, label in ((CORD_INK, "5"), (CANAL_INK, "15")):
            columns = np.flatnonzero((picture[row] == colour).all(axis=-1))
            near = columns[np.abs(columns - at[label][0]) < 9]
            assert near.mean() == pytest.approx(at[label][0], abs=0.6), (level, label)


def test_each_level_shows_its_own_diameters_from_head_to_feet():
    levels = [profile(4.0 + one.order / 2, 11.0 + one.order / 2)[one.order] for one in Level]
    sheet = profile_plot(levels, wording("en"), SIZE)
    at = {one.words: one.at for one in sheet.texts}
    rows = [at[one.value][1] for one in Level]
    assert rows == sorted(rows), "C3 above, C7 below"
    assert [at[f"{4.0 + one.order / 2:.2f}"][1] for one in Level] == rows
    assert [at[f"{11.0 + one.order / 2:.2f}"][1] for one in Level] == rows


def test_the_bands_are_the_healthy_ranges_of_the_paper():
    sheet = profile_plot([], wording("en"), SIZE)
    words = [one.words for one in sheet.texts]
    # Zhu et al. 2024, doi:10.1002/acm2.14282
    ranges = {CORD_INK: (5.47, 10.12), CANAL_INK: (7.38, 17.58)}
    assert [one for one in words if "healthy" in one] == [
        f"healthy {low} - {high} mm (Zhu 2024)" for low, high in ranges.values()
    ]
    at = {one.words: one.at for one in sheet.texts}
    between = round((at["C3"][1] + at["C3/C4"][1]) / 2)
    for ink, limits in ranges.items():
        for edge in (at["0"][0] + limit * (at["20"][0] - at["0"][0]) / 20 for limit in limits):
            first = round(edge) - 8
            unlike = np.abs(sheet.image[between, first : first + 17].astype(int) - ink).sum(axis=-1)
            assert first + int(unlike.argmin()) == pytest.approx(edge, abs=1), ink


def test_what_is_to_be_reviewed_is_hollow():
    plain, flagged = (
        profile_plot(profile(5.0, 15.0, verdict), wording("en"), SIZE) for verdict in (Verdict.REPORT, Verdict.FLAG)
    )
    at = {one.words: one.at for one in plain.texts}
    row, column = round(at["C3"][1]), round(at["5"][0])
    assert tuple(plain.image[row, column]) == CORD_INK
    assert tuple(flagged.image[row + 2, column + 2]) == (255, 255, 255)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(("cord", "canal"), [(7.5, 13.0), (5.65, 6.18), (1.2, 2.6), (13.5, 29.9)])
def test_no_word_of_the_plot_lies_on_another_or_outside(cord, canal, language):
    sheet = profile_plot(profile(cord, canal), wording(language), SIZE)
    assert collisions(sheet) == []
    assert cut(sheet) == []


def test_a_withheld_level_leaves_a_gap_that_is_named():
    levels = profile(7.0, 13.0)
    gone = Measurement(Quantity.AP_DIAMETER, Structure.SPINAL_CORD, Unit.MM, None, Verdict.WITHHOLD, Level.C5)
    levels[4] = replace(levels[4], cord_ap=gone)
    del levels[8]
    sheet = profile_plot(levels, wording("en"), SIZE)
    words = [one.words for one in sheet.texts]
    assert (words.count("7.00"), words.count("13.00"), words.count("withheld")) == (7, 8, 3)
    at = {one.words: one.at for one in sheet.texts}
    between = round((at["C4/C5"][1] + at["C5"][1]) / 2)
    assert not (sheet.image[between] == CORD_INK).all(axis=-1)[200:280].any(), "no line through the gap"
    above = round((at["C3"][1] + at["C3/C4"][1]) / 2)
    assert (sheet.image[above] == CORD_INK).all(axis=-1)[200:280].any()


REASONS = [
    ReasonText(f"{number}: the posterior superior corner of C{number} was not found", f"small print {number}")
    for number in range(9)
]


def told(height, reasons=REASONS, language="en"):
    sheet = Drawing.blank((420, height), edge=None)
    draw_reasons(sheet, (0, 0, 420, height), reasons, wording(language))
    assert cut(sheet) == []
    assert collisions(sheet) == []
    return [one.words for one in sheet.texts]


def test_reasons_that_fit_are_told_with_their_small_print():
    words = told(1000)
    assert sum(word.startswith("- ") for word in words) == 9
    assert sum(word.startswith("small") for word in words) == 9
    assert not any("more" in word for word in words)


@pytest.mark.parametrize("height", range(30, 600, 60))
def test_of_reasons_too_many_the_rest_is_counted(height):
    words = told(height)
    whole = sum(word.startswith("- ") for word in words)
    counted = re.findall(r"and (\d+) more|reasons: (\d+)", words[-1])
    assert whole + sum(int(number) for found in counted for number in found if number) == 9


def test_a_reason_longer_than_its_place_is_counted_rather_than_cut():
    finding = Finding(Reason.PIXELS_UNDECODABLE, Severity.WITHHOLD, "x" * 900)
    assert told(60, wording("en").reasons_of([finding])) == ["reasons: 1, see the report"]
    assert told(60, wording("zh-CN").reasons_of([finding]), "zh-CN") == ["- 像素数据无法解码"]
