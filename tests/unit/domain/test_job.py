import pytest

from node.domain.errors import ConfigError, Declined, PermanentError, Reason, TransientError
from node.domain.job import (
    DELIVERY_PREDECESSORS,
    FINAL_DELIVERY_STATES,
    FINAL_JOB_STATES,
    JOB_PREDECESSORS,
    DeliveryState,
    JobState,
    ending_of,
    retry_delay_s,
)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Declined(Reason.NO_AXIAL_T2, "no"), JobState.DECLINED),
        (TransientError(Reason.DISK_FULL, "full"), JobState.WAITING),
        (PermanentError(Reason.MODEL_MISSING, "gone"), JobState.FAILED),
        (ConfigError(Reason.CONFIG_INVALID, "wrong"), JobState.FAILED),
    ],
)
def test_every_kind_of_error_leads_to_its_state(error: Declined, state: JobState):
    ending = ending_of(error)
    assert (ending.state, ending.reason, ending.message) == (state, error.reason, error.message)


@pytest.mark.parametrize(("failures", "delay_s"), [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (10_000, 3600)])
def test_delay_doubles_up_to_the_maximum(failures: int, delay_s: float):
    assert retry_delay_s(failures, 30, 3600) == delay_s


def test_delay_before_the_first_failure_is_refused():
    with pytest.raises(ValueError, match="first failure"):
        retry_delay_s(0, 30, 3600)


def test_first_delay_above_the_maximum_is_the_maximum():
    assert retry_delay_s(1, 100, 10) == 10


def test_every_state_has_its_predecessors():
    assert set(JOB_PREDECESSORS) == set(JobState)
    assert set(DELIVERY_PREDECESSORS) == set(DeliveryState)


def test_every_state_but_queued_may_be_entered_again_by_a_repeated_step():
    assert all(state in JOB_PREDECESSORS[state] for state in JobState)
    assert all(state in DELIVERY_PREDECESSORS[state] for state in DeliveryState)


def test_what_has_ended_only_begins_again_through_the_queue():
    for state in JobState:
        left = FINAL_JOB_STATES - {JobState.DELIVERED, state}
        allowed = {JobState.QUEUED}
        assert not (JOB_PREDECESSORS[state] & left) or state in allowed
    for delivery_state in DeliveryState:
        ended = FINAL_DELIVERY_STATES - {delivery_state}
        assert not (DELIVERY_PREDECESSORS[delivery_state] & ended) or delivery_state is DeliveryState.QUEUED


def test_what_is_delivered_or_declined_is_never_analysed_again_under_the_same_identity():
    for state in (JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.FAILED, JobState.CANCELLED):
        assert not JOB_PREDECESSORS[state] & {JobState.DELIVERED, JobState.DECLINED, JobState.ANALYSED}
