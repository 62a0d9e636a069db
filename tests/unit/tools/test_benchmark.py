"""The arithmetic of the benchmark, its record and its table."""

import pytest

from tools.benchmark.figures import Row, Section, Target, alternate
from tools.benchmark.record import machine, replaced
from tools.benchmark.table import BEGIN, END, full_table, inserted, summary

FAST = Row("rate", "small", "images/s", (20, 30, 90), (10, 10, 10), "peer", Target(">=", 3))
SLOW = Row("rate", "large", "images/s", (5, 5, 5), (10, 1, 10), "peer", Target(">=", 3))
ALONE = Row("start", "idle", "s", (0.2, 0.4, 0.3), target=Target("<=", 0.3))


def about(cpu: str = "one") -> dict[str, object]:
    return {"machine": {"cpu": cpu, "cores": 2, "memory_gb": 8, "system": "Debian"}, "date": "2026-01-01", "versions": {"a": "1"}}


def section(name: str, *rows: Row) -> Section:
    return Section(name, name.title(), rows, {"images": 3})


def test_the_ratio_is_the_median_of_the_ratios_within_the_runs():
    assert FAST.ratio == 3
    assert SLOW.ratio == 0.5  # not 5 / median(10, 1, 10), and not the mean of 0.5, 5 and 0.5
    assert (FAST.is_met, SLOW.is_met, ALONE.is_met) == (True, False, True)
    assert (ALONE.ratio, ALONE.median) == (None, 0.3)


def test_a_run_without_its_pair_is_refused():
    with pytest.raises(ValueError, match="needs one of peer"):
        Row("rate", "small", "images/s", (1, 2, 3), (1, 2), "peer")


def test_competitors_alternate_and_take_turns_to_begin():
    order: list[str] = []
    figures = alternate({name: lambda name=name: order.append(name) or float(len(order)) for name in "abc"}, 3)
    assert "".join(order) == "abcbcacab"
    assert figures["a"] == (1, 6, 8)


def test_a_run_of_one_section_replaces_only_that_section():
    record = replaced({}, section("ingest", FAST), about())
    record = replaced(record, section("start", ALONE), about())
    record = replaced(record, section("ingest", SLOW), about())
    assert [row["ratio"] for row in record["sections"]["ingest"]["rows"]] == [0.5]
    assert [row["median"] for row in record["sections"]["start"]["rows"]] == [0.3]
    assert list(replaced(record, section("ingest", FAST), about("another"))["sections"]) == ["ingest"]


def test_the_table_says_what_was_met():
    record = replaced({}, section("ingest", FAST, SLOW), about())
    record = replaced(record, section("start", ALONE), about())
    lines = summary(record).splitlines()
    assert "| Ingest | rate | peer | 1.75x (0.5 to 3) | >= 3 | 1 of 2 conditions |" in lines
    assert "| Start | start |  | 0.3 s | <= 0.3 | yes |" in lines
    assert "| ingest | rate | large | 5 images/s | 10 (peer) | 0.50 | >= 3 | **no** |" in full_table(record)


def test_the_table_goes_between_its_markers_and_nowhere_else():
    text = inserted(inserted(f"before\n{BEGIN}\n{END}\nafter\n", "old"), "| new |")
    assert text == f"before\n{BEGIN}\n| new |\n{END}\nafter\n"
    with pytest.raises(ValueError, match="no place"):
        inserted("before", "| new |")


def test_the_machine_is_described_without_its_name():
    assert set(machine()) == {"cpu", "cores", "memory_gb", "system", "kernel"}
