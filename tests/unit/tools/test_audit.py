"""What the audit makes of pip-audit's answers."""

from tools.audit import verdict


def test_nothing_looked_up_is_not_called_clean():
    lines, code = verdict([{"name": "a", "skip_reason": "not found"}], 1)
    assert code == 0
    assert "NOT DONE" in lines[0]


def test_a_known_hole_fails_and_names_the_version_that_mends_it():
    hole = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
    lines, code = verdict([{"name": "a", "version": "1.0", "vulns": [hole]}, {"name": "b", "version": "1", "vulns": []}], 3)
    assert code == 1
    assert lines == ["audit: 2 of 3 locked dependencies looked up, 1 known vulnerabilities", "a 1.0: PYSEC-1 (fixed in 2.0)"]


def test_a_clean_lock_passes():
    assert verdict([{"name": "b", "version": "1", "vulns": []}], 1)[1] == 0
