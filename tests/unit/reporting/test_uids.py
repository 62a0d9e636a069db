from pydicom.uid import UID

from node.reporting.uids import derived_uid


def test_the_same_content_has_the_same_uid_and_other_content_another():
    assert derived_uid("a", "SEG") == derived_uid("a", "SEG")
    uids = {derived_uid(fingerprint, kind) for fingerprint in ("a", "b") for kind in ("SEG", "SR")}
    assert len(uids) == 4


def test_uids_are_valid_and_stay_what_they_were():
    uid = UID(derived_uid("0" * 64, "SR"))
    assert uid.is_valid
    assert uid == "2.25.17191325859785331426904066353898861185"
