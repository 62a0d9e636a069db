from datetime import UTC, datetime

import pytest

from node.domain.identity import StudyInstanceUID
from node.domain.worklist import AuditEntry, Durations, EventEntry, Tally
from node.web.statistics import DayLine, ReasonLine, _line, statistics_view

TALLY = Tally(
    {},
    {},
    None,
    0,
    {("declined", "no_sagittal_t2"): 2, ("failed", "process_ended"): 3, ("partial", ""): 9},
    {},
    {("planes_disagree", "flag"): 1, ("level_missing", "withhold"): 4, ("localizer", "decline"): 7},
    Durations(),
)


def event(day: int, kind: str, subject: str = "") -> AuditEntry:
    return AuditEntry(StudyInstanceUID("1.2"), EventEntry(datetime(2026, 1, day, tzinfo=UTC), kind, subject, None, ""))


def test_days_count_arrivals_and_ends_latest_first():
    trail = [
        event(1, "study ready", "announcement 1"),
        event(1, "study ready", "announcement 2"),
        event(1, "analysis partial"),
        event(2, "study ready", "announcement 1"),
        event(2, "analysis declined"),
        event(3, "delivery delivered"),
    ]
    assert statistics_view(TALLY, trail, []).days == (DayLine("2026-01-02", 1, 0, 0, 1, 0), DayLine("2026-01-01", 1, 0, 1, 0, 0))


def test_reasons_are_ordered_by_how_often_they_were_given():
    view = statistics_view(TALLY, [], [])
    assert view.declined == (ReasonLine("process_ended", "failed", 3), ReasonLine("no_sagittal_t2", "declined", 2))
    assert view.gate == (ReasonLine("level_missing", "withhold", 4), ReasonLine("planes_disagree", "flag", 1))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([float(n) for n in range(11)], (11, 0, 1.0, 5.0, 9.0)),
        ([7.0, None], (1, 1, 7.0, 7.0, 7.0)),
        ([None], (0, 1, None, None, None)),
    ],
)
def test_values_are_told_by_their_quantiles_and_withheld_ones_are_counted(values, expected):
    line = _line("scanner", "mscc", ("%", 2), values)
    assert (line.count, line.withheld, line.p10, line.median, line.p90) == expected
