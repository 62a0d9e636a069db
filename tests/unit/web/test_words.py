import re
import string

import pytest

from node.domain.errors import Severity
from node.domain.feedback import FeedbackKind
from node.domain.job import AnalysisStatus, DeliveryState, JobState
from node.domain.measurement import Verdict
from node.web.rendering import STATIC, THEMES
from node.web.words import WORDS, Wording

TEMPLATES = STATIC.parent / "templates"


def places(text: str) -> list[str]:
    return [(name or "") + (spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name is not None]


@pytest.mark.parametrize("key", WORDS)
def test_both_languages_say_it_and_fill_the_same_places(key):
    english, chinese = WORDS[key]
    assert english.strip()
    assert chinese.strip()
    assert places(english) == places(chinese)


def test_every_word_of_the_domain_is_there():
    wanted = [f"state_{one.value}" for one in (*JobState, *DeliveryState)]
    wanted += [f"status_{one.value}" for one in AnalysisStatus] + [f"verdict_{one.value}" for one in Verdict]
    wanted += [f"feedback_{one.value}" for one in FeedbackKind]
    wanted += [f"severity_{one.value}" for one in Severity] + [f"theme_{one}" for one in THEMES]
    assert [key for key in wanted if key not in WORDS] == []


def test_every_key_of_the_templates_is_there_and_no_word_stands_in_them():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.iterdir()))
    keys = set(re.findall(r"""\bt\(["']([\w-]+)["']\s*[,)]""", text))
    assert len(keys) > 60
    assert sorted(keys - set(WORDS)) == []


def test_a_reason_is_told_in_chinese_where_it_has_a_sentence():
    assert Wording("zh-CN").reason("planes_disagree") == "矢状位与轴位测量不一致"
    assert Wording("zh-CN").reason("peer_unreachable") == ""
    assert Wording("zh-CN").reason("no such code") == ""
    assert Wording("en").reason("planes_disagree") == ""


def test_a_state_without_a_word_is_told_as_it_is_stored():
    assert Wording("en")("state_new_one") == "new_one"
