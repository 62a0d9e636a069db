import socket
from pathlib import Path

import pytest

from node.config import Config, JobsConfig, RetryConfig
from node.domain.errors import Finding, NodeError, PermanentError, Reason, Severity, TransientError
from node.domain.identity import SOPInstanceUID
from node.domain.job import DeliveryOutcome, DeliveryState
from node.workflows import delivery_ending, engine_settings

STORED = (SOPInstanceUID("1.2"), SOPInstanceUID("1.3"))
NO_SEG = Finding(Reason.SOP_CLASS_REFUSED, Severity.ERROR, "no SEG")
DOWN = TransientError(Reason.PEER_UNREACHABLE, "no answer")
RETRY = RetryConfig(first_delay_s=10, maximum_delay_s=30, maximum_attempts=5)


@pytest.mark.parametrize(
    ("result", "failures", "state", "reason", "retry_in_s"),
    [
        (DeliveryOutcome(STORED), 1, DeliveryState.DELIVERED, None, None),
        (DeliveryOutcome(STORED[:1], (NO_SEG,)), 1, DeliveryState.INCOMPLETE, Reason.SOP_CLASS_REFUSED, None),
        (DOWN, 1, DeliveryState.WAITING, Reason.PEER_UNREACHABLE, 10),
        (DOWN, 2, DeliveryState.WAITING, Reason.PEER_UNREACHABLE, 20),
        (DOWN, 4, DeliveryState.WAITING, Reason.PEER_UNREACHABLE, 30),
        (DOWN, 5, DeliveryState.DEAD, Reason.PEER_UNREACHABLE, None),
        (PermanentError(Reason.PEER_REJECTED, "no"), 1, DeliveryState.DEAD, Reason.PEER_REJECTED, None),
    ],
)
def test_result_of_an_attempt_decides_what_follows(
    result: DeliveryOutcome | NodeError, failures: int, state: DeliveryState, reason: Reason | None, retry_in_s: float | None
):
    ending = delivery_ending(result, failures, RETRY)
    assert (ending.state, ending.reason, ending.retry_in_s) == (state, reason, retry_in_s)


def test_local_workers_keep_their_names_when_the_machine_changes_its_own():
    settings = engine_settings(Config(database="sqlite:/var/node/jobs.db"), slot=1)
    assert settings.executor_id == "local-1"
    assert settings.lock_folder == Path("/var/node")


def test_workers_of_a_shared_database_are_named_after_their_machine():
    config = Config(database="postgresql://h/d", store="file:/var/node/store")
    assert engine_settings(config, slot=0).executor_id == f"{socket.gethostname()}-0"
    assert engine_settings(config, slot=0).lock_folder is None, "a server holds the places of all machines"
    named = config.model_copy(update={"jobs": JobsConfig(machine_name="mr-1")})
    assert engine_settings(named, slot=2).executor_id == "mr-1-2"
