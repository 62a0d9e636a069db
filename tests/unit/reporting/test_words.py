import re
from dataclasses import fields
from pathlib import Path
from string import Formatter

import pytest

import node
from node.domain.anatomy import Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.measurement import Measurement, Quantity, Unit, Verdict
from node.reporting.figures import shown
from node.reporting.reasons_zh import REASONS_ZH
from node.reporting.words import WORDINGS, ReasonText, wording
from tests.support.printed import without_glyph

#: Where findings come from.
STAGES = ("selection", "loading", "measurement")
LOW = Finding(Reason.MASK_CONFIDENCE_LOW, Severity.FLAG, "mean probability 0.61 inside the cord at C5")
GONE = Finding(Reason.LEVEL_MISSING, Severity.WITHHOLD, "the C5 posterior superior corner was not found")
GONE_TOO = Finding(Reason.LEVEL_MISSING, Severity.WITHHOLD, "the C6 posterior superior corner was not found")


def texts(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, bool):
        return []
    parts = [one for _, one in sorted(value.items())] if isinstance(value, dict) else value
    return [text for part in parts for text in texts(part)]


def phrases(language):
    words = wording(language)
    return {one.name: texts(getattr(words, one.name)) for one in fields(words)}


def places(text):
    return [name for _, name, _, _ in Formatter().parse(text) if name is not None]


def test_both_languages_say_the_same_with_the_same_places_to_fill():
    english, chinese = phrases("en"), phrases("zh-CN")
    for name, words in english.items():
        assert [places(one) for one in words] == [places(one) for one in chinese[name]], name
    assert all(re.search(r"[一-鿿]", "".join(words)) for name, words in chinese.items() if words), "in Chinese"


def test_every_reason_of_a_finding_has_a_chinese_sentence():
    sources = [path.read_text(encoding="utf-8") for stage in STAGES for path in (Path(node.__file__).parent / stage).glob("*.py")]
    used = {Reason[name] for source in sources for name in re.findall(r"Reason\.([A-Z_0-9]+)", source)}
    assert len(used) > 40
    assert used - set(REASONS_ZH) == {Reason.CONFIG_INVALID}, "with that the node does not start"


def test_every_character_has_a_glyph():
    every = [*REASONS_ZH.values(), *(text for language in WORDINGS for one in phrases(language).values() for text in one)]
    assert without_glyph("".join(every)) == set()
    assert without_glyph("".join(map(chr, range(0x21, 0x7F)))) == set()
    assert without_glyph("麟") == {"麟"}, "the check would see it"


@pytest.mark.parametrize("unit", list(Unit))
def test_values_are_written_in_the_digits_of_every_other_result(unit):
    measured = Measurement(Quantity.AP_DIAMETER, Structure.SPINAL_CORD, unit, 12.345678, Verdict.REPORT)
    assert float(wording("en").value(measured).split()[0]) == shown(measured)


@pytest.mark.parametrize(("language", "word"), [("en", "withheld"), ("zh-CN", "未给出")])
def test_a_value_that_is_withheld_says_so(language, word):
    gone = Measurement(Quantity.AP_DIAMETER, Structure.SPINAL_CORD, Unit.MM, None, Verdict.WITHHOLD)
    assert wording(language).value(gone) == wording(language).value(None) == word


def test_the_heaviest_reason_stands_first_and_none_twice():
    told = wording("en").reasons_of([LOW, GONE, LOW, GONE_TOO])
    assert [one.text for one in told] == [GONE.message, GONE_TOO.message, LOW.message]


def test_chinese_tells_each_code_once_with_its_numbers_in_small_print():
    told = wording("zh-CN").reasons_of([LOW, GONE, GONE_TOO])
    assert told == (
        ReasonText(REASONS_ZH[Reason.LEVEL_MISSING], f"{GONE.message}; {GONE_TOO.message}"),
        ReasonText(REASONS_ZH[Reason.MASK_CONFIDENCE_LOW], LOW.message),
    )
