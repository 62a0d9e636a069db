import pytest

from node.domain.anatomy import LANDMARKS, LEVELS, Corner, Level, Vertebra
from node.domain.errors import PermanentError, Reason
from node.domain.identity import parse_ae_title, parse_uid


@pytest.mark.parametrize("text", ["1.2.840.10008.1.1", "2.25.0", "1.2.3\0", "1"])
def test_uids_are_accepted_without_padding(text):
    assert parse_uid(text) == text.rstrip("\0")


@pytest.mark.parametrize("text", ["", "../../etc", "1..2", "1.2.", ".1", "1.2/3", "1.2.a", "1" * 65, "1.2\n", "１.２"])
def test_what_is_not_a_uid_is_refused(text):
    with pytest.raises(PermanentError) as refused:
        parse_uid(text)
    assert refused.value.reason is Reason.UID_INVALID


def test_ae_titles():
    assert parse_ae_title(" PACS ") == "PACS"
    for wrong in ("", "A" * 17, "A\\B", "A\nB"):
        with pytest.raises(PermanentError):
            parse_ae_title(wrong)


def test_landmarks_are_in_heat_map_order():
    assert len(LANDMARKS) == 20
    assert (LANDMARKS[0].vertebra, LANDMARKS[0].corner) == (Vertebra.C3, Corner.ANTERIOR_SUPERIOR)
    assert (LANDMARKS[19].vertebra, LANDMARKS[19].corner) == (Vertebra.C7, Corner.POSTERIOR_INFERIOR)


def test_levels_alternate_between_vertebrae_and_discs():
    assert [level.is_disc for level in LEVELS] == [False, True] * 4 + [False]
    assert Level("C5/C6").order == 5
