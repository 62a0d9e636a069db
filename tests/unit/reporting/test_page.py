import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from node.config import ReportingConfig
from node.domain.analysis import History, PriorReport
from node.domain.anatomy import Corner, Landmark, Structure, Vertebra
from node.domain.errors import Finding, Reason, Severity
from node.domain.identity import InstanceRef
from node.domain.measurement import Verdict
from node.domain.prediction import ModelIdentity
from node.domain.study import SeriesRole
from node.reporting.figures import shown
from node.reporting.page import PAGE_SIZE, draw_page, summary_page
from node.reporting.provenance import Software
from tests.support.analyses import AXIAL, SAGITTAL, Scene, synthetic_analysis
from tests.support.printed import collisions, cut, without_glyph

SOFTWARE = Software("cspine-node", "1.2.3")
MANY = tuple(
    Finding(reason, severity, f"{reason.value}: the neighbouring slice {number} of the series shows something else altogether")
    for number, reason in enumerate(Reason)
    for severity in (Severity.FLAG, Severity.WITHHOLD)
)
CONFIGS = {language: ReportingConfig(language=language) for language in ("en", "zh-CN")}
EVERY = [Landmark(vertebra, corner) for vertebra in Vertebra for corner in Corner]
SCENES = {
    "turned": Scene(
        sagittal=replace(SAGITTAL, flip_columns=True, flip_rows=True, rotation_deg=(0.0, 4.0, -6.0)),
        axial=replace(AXIAL, flip_columns=True, reverse_slices=True),
    ),
    "no corners": Scene(missing=EVERY),
    "empty": Scene(empty=[(role, structure) for role in SeriesRole for structure in Structure]),
}


@pytest.fixture(scope="module")
def analyses(analysis, withheld, tmp_path_factory):
    scenes = {name: synthetic_analysis(tmp_path_factory.mktemp("page"), scene) for name, scene in SCENES.items()}
    return {
        **scenes,
        "plain": analysis,
        "withheld": withheld,
        "no sagittal": with_measurements(analysis, sagittal=None, findings=MANY),
        "crowded": crowded(analysis),
        "followed": followed(analysis),
    }


def with_measurements(analysis, **changes):
    return replace(analysis, measurements=replace(analysis.measurements, **changes))


def crowded(analysis):
    """Withheld or doubted for more reasons than anyone can read, with wide numbers and many models."""
    sagittal, axial = analysis.measurements.sagittal, analysis.measurements.axial
    gone = {
        key: replace(one, ratio=replace(one.ratio, value=None, verdict=Verdict.WITHHOLD, findings=MANY))
        for key, one in sagittal.ratios.items()
    }
    wide = replace(axial.decisive.area, value=179.994, verdict=Verdict.FLAG, findings=MANY)
    ratio = replace(axial.decisive.compression_ratio, value=None, verdict=Verdict.WITHHOLD, findings=MANY)
    decisive = replace(axial.decisive, area=wide, compression_ratio=ratio)
    return with_measurements(
        analysis,
        sagittal=replace(sagittal, ratios=gone, findings=MANY),
        axial=replace(axial, decisive=decisive, findings=MANY),
        findings=MANY,
        models=tuple(
            ModelIdentity(f"a-long-name-of-a-model-{number}", "1.2.3-rc4+int8", f"{number:x}" * 64) for number in range(14)
        ),
    )


def followed(analysis):
    """A follow-up of a study that other networks measured, with a more compressed slice beside the decisive one."""
    sagittal = analysis.measurements.sagittal
    worse = {one: replace(sagittal.ratio(one), ratio=replace(sagittal.ratio(one).ratio, value=41.2)) for one in Structure}
    changed = with_measurements(analysis, sagittal=replace(sagittal, worst_slice=worse))
    values = {(one.quantity, one.structure): 2 * shown(one) for one in analysis.measurements.headline}
    report = InstanceRef("1.2", "1.2.3", "1.2.3.4", "1.2.840.10008.5.1.4.1.1.88.34", Path("prior.dcm"))
    return replace(changed, history=History(prior=PriorReport(report, values, frozenset())))


def words(analysis, language="en", **settings):
    return [one.words for one in draw_page(analysis, ReportingConfig(language=language, **settings), SOFTWARE).texts]


def prose(analysis, language="en", **settings):
    return " ".join(words(analysis, language, **settings))


@pytest.mark.parametrize("name", [*SCENES, "plain", "withheld", "no sagittal", "crowded"])
@pytest.mark.parametrize("language", CONFIGS)
def test_no_word_lies_on_another_outside_the_page_or_without_a_glyph(name, language, analyses):
    page = draw_page(analyses[name], CONFIGS[language], SOFTWARE)
    assert page.size == PAGE_SIZE
    assert collisions(page) == []
    assert cut(page, margin=30) == []
    assert without_glyph("".join(one.words for one in page.texts)) == set()


@pytest.mark.parametrize("language", CONFIGS)
def test_the_main_values_stand_there_in_the_digits_of_the_sr(language, analysis):
    page = draw_page(analysis, CONFIGS[language], SOFTWARE)
    large = [float(one.words) for one in page.texts if one.style.size == 60]
    assert large == [shown(one) for one in analysis.measurements.headline]


@pytest.mark.parametrize(
    ("language", "worst", "change"),
    [
        ("en", "worst slice (2): 41.20 % C5/C6", "prior {} %, change {}"),
        ("zh-CN", "最重层面（第 2 层）：41.20 % C5/C6", "既往 {} %，变化 {}"),
    ],
)
def test_the_worst_slice_and_the_change_since_the_prior_stand_on_the_cards(language, worst, change, analyses):
    written = words(analyses["followed"], language)
    assert written.count(worst) == 2, "MSCC and MCC"
    for structure in Structure:
        value = shown(analyses["followed"].measurements.sagittal.ratio(structure).ratio)
        assert change.format(f"{2 * value:.2f}", f"{-value:+.2f}") in written
    area = shown(analyses["followed"].measurements.axial.decisive.area)
    assert any(f"{-area:+.2f} mm²" in one for one in written)
    reason = {"en": "other trained networks", "zh-CN": "既往结果由其他模型测得"}[language]
    assert prose(analyses["followed"], language).count(reason) == 1, "told once, in the remarks"


def test_values_that_were_withheld_are_not_there_and_the_reason_is(withheld, analysis):
    page = prose(withheld)
    assert not [one for one in draw_page(withheld, ReportingConfig(), SOFTWARE).texts if one.style.size == 60]
    assert "partial: 4 of 4 main values withheld" in page
    assert "the C5 posterior superior corner was not found" in page
    assert "no usable axial T2 series" in page
    assert "Not measured" in page
    assert "Not measured" not in prose(analysis)


def test_the_reasons_of_a_withheld_ratio_get_the_room_of_its_diameters(analysis, analyses):
    diameters = re.compile(r"\b[dD]i \d")
    assert sum(bool(diameters.match(one)) for one in words(analysis)) == 2
    assert not [one for one in words(analyses["crowded"]) if diameters.match(one)]


def test_each_verdict_is_told_in_words(analysis):
    sagittal = analysis.measurements.sagittal
    found = {one.ratio.verdict for one in map(sagittal.ratio, Structure)}
    doubt = Finding(Reason.MASK_CONFIDENCE_LOW, Severity.FLAG, "doubt of a test")
    flagged = {
        key: replace(one, ratio=replace(one.ratio, verdict=Verdict.FLAG, findings=(doubt,)))
        for key, one in sagittal.ratios.items()
    }
    changed = with_measurements(analysis, sagittal=replace(sagittal, ratios=flagged))
    assert found == {Verdict.REPORT}
    assert words(changed).count("to be reviewed") == words(analysis).count("to be reviewed") + 2
    assert words(changed).count("- doubt of a test") == 2


def test_chinese_gives_the_reason_in_chinese_and_the_message_below(withheld):
    page = words(withheld, "zh-CN")
    assert "- 无可用的轴位 T2 序列" in page
    assert "C5 posterior superior corner was not found" in " ".join(page)
    assert not set(page) & {"plausible", "withheld", "Remarks", "MR"}


def test_the_axial_place_tells_its_own_reason_only(analysis):
    other = Finding(Reason.LEVEL_MISSING, Severity.WITHHOLD, "a matter of the sagittal plane")
    note = Finding(Reason.PREFERRED_OTHER_SERIES, Severity.NOTE, "a remark")
    reason = Finding(Reason.SLICE_MISSING, Severity.WITHHOLD, "the axial series has gaps")
    sagittal = replace(analysis.measurements.sagittal, findings=(other,))
    page = words(with_measurements(analysis, sagittal=sagittal, axial=None, findings=(other, note, reason)))
    assert page.count(f"- {reason.message}") == 3, "both cards and the place of the picture"
    assert page.count(f"- {other.message}") == page.count(f"- {note.message}") == 1, "remarks"


@pytest.mark.parametrize(("qualification", "expected"), [("RESEARCH", True), ("SERVICE", False), ("PRODUCT", False)])
def test_the_page_says_what_it_is_for(qualification, expected, analysis):
    page = prose(analysis, content_qualification=qualification)
    assert ("RESEARCH - not for diagnosis" in page) is expected
    assert "software result, not verified by a person" in page
    assert ("RESEARCH" in page) is expected


def test_software_and_models_are_named_with_their_weights(analyses):
    page = prose(analyses["crowded"])
    assert "cspine-node 1.2.3" in page
    for number in range(14):
        assert f"a-long-name-of-a-model-{number} 1.2.3-rc4+int8 ({number:x}{number:x}" in page


def test_nothing_names_the_patient_the_study_or_the_day(analyses):
    page = prose(analyses["turned"]) + prose(analyses["withheld"])
    assert not re.search(r"PHANTOM|PH0001|2\.25\.|(19|20)\d{6}|\d{4}-\d\d-\d\d|\^", page)


def test_the_same_analysis_gives_the_same_page(analysis):
    first, second = (summary_page(analysis, ReportingConfig(), SOFTWARE) for _ in range(2))
    assert first.dtype == np.uint8
    assert first.shape == (*PAGE_SIZE[::-1], 3)
    assert (first == second).all()
    assert (first != summary_page(analysis, CONFIGS["zh-CN"], SOFTWARE)).any()


@pytest.mark.parametrize(("structure", "letter"), [(Structure.SPINAL_CORD, "d"), (Structure.SPINAL_CANAL, "D")])
def test_each_diameter_of_a_ratio_stands_by_its_own_letter(structure, letter, analysis):
    sagittal = analysis.measurements.sagittal
    ratio = sagittal.ratio(structure)
    marked = zip((f"{letter}i", f"{letter}a", f"{letter}b"), (4.11, 8.22, 7.33), strict=True)
    values = dict(marked)
    parts = zip(("at_level", "above", "below"), values.values(), strict=True)
    told = replace(ratio, **{name: replace(getattr(ratio, name), value=value) for name, value in parts})
    changed = replace(sagittal, ratios={**sagittal.ratios, (structure, ratio.reference): told})
    page = prose(with_measurements(analysis, sagittal=changed))
    assert dict.fromkeys(values, 1) == {mark: page.count(f"{mark} {value:.2f} mm") for mark, value in values.items()}


def test_each_axial_value_stands_in_the_row_of_its_name(analysis):
    decisive = analysis.measurements.axial.decisive
    names = {
        "ap": "Cord AP",
        "transverse": "Cord transverse",
        "area": "Cord area (TA)",
        "area_along_cord": "TA perpendicular to cord",
        "compression_ratio": "Compression ratio (CR)",
        "canal_ap": "Canal AP",
        "canal_area": "Canal area",
    }
    # no two alike, or rows that changed places would not be seen
    told = replace(decisive, **{one: replace(getattr(decisive, one), value=11.0 + number) for number, one in enumerate(names)})
    axial = replace(analysis.measurements.axial, decisive=told)
    page = draw_page(with_measurements(analysis, axial=axial), ReportingConfig(), SOFTWARE).texts
    for field, name in names.items():
        (row,) = (one.at[1] for one in page if one.words == name)
        numbers = [float(one.words.split()[0]) for one in page if one.at[1] == row and one.words[0].isdigit() and one.style.bold]
        assert numbers == [shown(getattr(told, field))], name
