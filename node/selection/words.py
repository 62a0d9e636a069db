"""Words in series texts, English and Chinese, as tables: they veto a series or break a tie, never more.

Patterns are matched, ignoring case, on text whose underscores are spaces. Chinese words need no word borders.
"""

import re
from enum import Enum

_C = re.IGNORECASE


class Region(Enum):
    """A part of the body that a text can name."""

    CERVICAL = "cervical spine"
    THORACIC = "thoracic spine"
    LUMBAR = "lumbar spine"
    OTHER = "another part of the body"


REGION_WORDS: dict[Region, re.Pattern[str]] = {
    Region.CERVICAL: re.compile(
        r"(?<!uterine )\bcervic(al|o)|\bc[- /]?(t[- ]?)?(spine|sp)\b|\bHWS\b|(?<!宫)颈[椎髓段脊胸]|(?<!宮)頸[椎髓段脊胸]", _C
    ),
    Region.THORACIC: re.compile(r"thorac(ic(?! outlet)|o)|\bc?[- /]?tl?[- ]?spine\b|\bdorsal spine|\bBWS\b|胸[椎髓段腰]", _C),
    Region.LUMBAR: re.compile(r"lumb(ar|o)|sacr(al|um)|\bl[- ]?s?[- ]?spine\b|\bls ?spine\b|\bLWS\b|腰[椎骶段]|骶|胸腰", _C),
    Region.OTHER: re.compile(
        r"\bbrain\b|\bhead\b(?!.{0,5}neck)|\bskull\b|\bpituitary|\borbit|\bknee\b|\bshoulder|\bhip\b|\babdom|\bpelvi|\bliver\b|"
        r"\bbreast\b|prostat|\bankle\b|\bfoot\b|\bwrist\b|\bhand\b|\belbow\b|\bheart\b|\bcardiac|carotid|\bcervix\b|uter(us|ine)|"
        r"颅|头部|脑|垂体|膝|肩|髋|腹|盆|肝|乳腺|前列腺|踝|腕|肘|心脏|宫颈|宮頸|子宫|颈动脉",
        _C,
    ),
}

LOCALIZER = re.compile(r"\bloc(ali[sz]er)?s?\b|\bscout|\bsurvey\b|\b3[- ]?pl(ane)?\b|定位", _C)
DIFFUSION = re.compile(r"\bdwi\b|\bdti\b|\badc\b|diffusion|\btrace\s?w?\b|弥散|扩散|瀰散", _C)
POST_CONTRAST = re.compile(
    r"(?<![\w+])\+ ?c\b|\bc ?\+(?!\w)|\bpost[- ]?(contrast|gd|gad|gado|km|iv)|gadolin|(?<!pre )\bgd\b|增强", _C
)
FAT_SUPPRESSED = re.compile(r"\bstir\b|\btirm\b|\b(t[12] ?)?fs\b|fat ?-?sat|fat ?-?sup|\bspa?ir\b|压脂|抑脂|脂肪抑制|壓脂", _C)
REFORMATTED = re.compile(r"\bmpr\b|\bmip\b|reformat|\bsubtract|平面重建|三维重建|减影", _C)
MYELOGRAPHY = re.compile(r"myelo(?!path)|\bMYUR\b|水成像|脊髓造影", _C)
T2 = re.compile(r"\bt2(?!\d)", _C)
T2_STAR = re.compile(r"\bt2 ?(\*|star)|\bmedic\b|\bmerge\b|\bt2fl2d", _C)
NOT_T2 = re.compile(r"\bt1(?!\d)|\bpd\b|flair", _C)
PLANE_WORDS = {
    "sagittal": re.compile(r"\bsag|矢", _C),
    "axial": re.compile(r"\b(ax|tra|axi)|轴位|横断|橫斷|軸位", _C),
}


def matches(pattern: re.Pattern[str], texts: tuple[str, ...]) -> bool:
    """Return whether a pattern is found in one of the texts."""
    return any(pattern.search(text) for text in texts)


def regions_of(texts: tuple[str, ...]) -> frozenset[Region]:
    """Return every part of the body that the texts name."""
    return frozenset(region for region, pattern in REGION_WORDS.items() if matches(pattern, texts))
