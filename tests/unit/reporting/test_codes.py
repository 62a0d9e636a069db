import re
from pathlib import Path

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.codedict import codes as standard

import node
from node.domain.anatomy import LEVELS, VERTEBRAE, Level, Structure
from node.domain.errors import Reason
from node.domain.measurement import ReferenceMethod, Unit, Verdict
from node.reporting import codes
from node.reporting.reasons_zh import REASONS_ZH


def test_private_codes_fit_into_their_attributes_and_are_unique():
    listed = codes.private_codes()
    assert len({code.value for code in listed}) == len({code.meaning for code in listed}) == len(listed)
    for code in listed:
        assert code.scheme_designator == "99CSMR"
        assert 0 < len(code.value) <= 16, code
        assert 0 < len(code.meaning) <= 64, code
        assert (code.value + code.meaning).isascii()


@pytest.mark.parametrize(
    "code",
    [*codes.STRUCTURES.values(), *codes.LEVELS.values(), *codes.VERTEBRAE.values(), codes.CERVICAL_SPINE],
    ids=lambda code: code.meaning,
)
def test_snomed_codes_are_in_the_table_of_the_standard(code):
    # some codes stand there under several names
    known = {
        meaning.lower() for entries in concepts["SCT"].values() for value, (meaning, _) in entries.items() if value == code.value
    }
    assert code.meaning.lower() in known


def test_every_domain_word_has_a_code():
    assert set(codes.LEVELS) == set(Level) == set(LEVELS)
    assert set(codes.VERTEBRAE) == set(VERTEBRAE)
    assert set(codes.STRUCTURES) == set(codes.RATIO_DIAMETERS) == set(Structure)
    assert set(codes.UNITS) == set(Unit)
    assert set(codes.METHODS) == set(ReferenceMethod)
    assert set(codes.VERDICTS) == set(Verdict)
    assert codes.UNITS[Unit.MM] == standard.UCUM.Millimeter


#: The stages whose reasons may stand beside a measurement: why a series could not be used, what speaks against a value.
STAGES = ("selection", "loading", "measurement", "reporting")
#: Ends a study or a start, so that there is no report to say it in.
NEVER_REPORTED = {
    Reason.CONFIG_INVALID,
    Reason.DISK_FULL,
    Reason.OUTPUT_FOLDER_IN_USE,
    Reason.REPORT_FAILED,
    Reason.REPORT_UNREADABLE,
    Reason.STORE_FAILED,
}


def test_every_reason_beside_a_measurement_has_a_code_of_its_own_and_chinese_words():
    sources = [path for stage in STAGES for path in (Path(node.__file__).parent / stage).glob("*.py")]
    used = {Reason[name] for path in sources for name in re.findall(r"Reason\.([A-Z0-9_]+)", path.read_text(encoding="utf-8"))}
    assert len(used - NEVER_REPORTED) > 50
    for reason in used - NEVER_REPORTED:
        assert codes.reason_code(reason).value != "R_OTHER", reason
        assert REASONS_ZH[reason], reason
    assert len(set(codes.REASONS.values())) == len(codes.REASONS)
    assert len(set(REASONS_ZH.values())) == len(REASONS_ZH)
    assert set(codes.REASONS) == set(REASONS_ZH)
    assert codes.reason_code(Reason.DISK_FULL).value == "R_OTHER"
