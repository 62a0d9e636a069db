from datetime import UTC, datetime

import pytest

from node.domain.identity import StudyInstanceUID
from node.domain.job import DeliveryState, JobState
from node.domain.worklist import AnalysisEntry, DeliveryEntry, Durations, StudyEntry, StudyList, StudyQuery, Tally
from node.web.views import Actions, Filters, actions_of, parse_filters, query_of, worklist_view

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TALLY = Tally({"failed": 2}, {}, None, 0, {}, {}, {}, Durations())


def delivery(state: str, reason: str | None = None) -> DeliveryEntry:
    return DeliveryEntry("pacs", state, 1, 0, reason, "", None, AT)


def entry(state: JobState, *deliveries: DeliveryEntry, findings=(), reason=None) -> StudyEntry:
    analysis = AnalysisEntry("a", 1, state, None, reason, "", findings, (), None, 0, 0, AT, AT, deliveries)
    return StudyEntry(StudyInstanceUID("1.2"), state, AT, AT, analysis)


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        (entry(JobState.RUNNING), Actions(False, True, False)),
        (entry(JobState.WAITING), Actions(True, True, False)),
        (entry(JobState.FAILED), Actions(True, False, False)),
        (entry(JobState.CANCELLED), Actions(True, False, False)),
        (entry(JobState.DECLINED), Actions(False, False, False)),
        (entry(JobState.DELIVERED, delivery("delivered")), Actions(False, False, True)),
        (entry(JobState.ANALYSED, delivery("delivered"), delivery("dead")), Actions(True, False, True)),
        (entry(JobState.ANALYSED, delivery("delivered"), delivery("waiting")), Actions(True, True, True)),
        (entry(JobState.ANALYSED, delivery("sending")), Actions(False, True, False)),
        (StudyEntry(StudyInstanceUID("1.2"), JobState.QUEUED, AT, AT, None), Actions(False, True, False)),
    ],
)
def test_what_may_be_done_follows_from_the_states(study, expected):
    assert actions_of(study) == expected


def test_filters_of_an_address_are_kept_and_others_left_out():
    given = {"state": "failed", "status": "odd", "delivery": "dead", "reason": " planes_disagree ", "text": "2.25", "page": "3"}
    filters = parse_filters({**given, "x": "y"})
    assert filters == Filters("failed", "", "dead", "planes_disagree", "2.25", 3)
    query = query_of(filters)
    assert query == StudyQuery(
        states=frozenset({JobState.FAILED}),
        deliveries=frozenset({DeliveryState.DEAD}),
        reason="planes_disagree",
        text="2.25",
        limit=50,
        offset=100,
    )


@pytest.mark.parametrize("page", ["", "0", "-1", "x", "9" * 30, "١"])
def test_a_page_that_is_none_is_the_first_or_a_late_one(page):
    assert parse_filters({"page": page}).page == 1


def test_the_worklist_tells_each_reason_once_and_counts_every_state():
    study = entry(
        JobState.ANALYSED,
        delivery("dead", "peer_unreachable"),
        findings=({"code": "planes_disagree"}, {"code": "planes_disagree"}),
    )
    view = worklist_view(StudyList((study,), 101), Filters(), TALLY.studies, {"1.2": "ACC1"})
    (line,) = view.studies
    assert line.reasons == ("planes_disagree", "peer_unreachable")
    assert (line.accession_number, view.pages, view.counts["failed"], view.counts["queued"]) == ("ACC1", 3, 2, 0)
