"""The clock of the machine is set while studies arrive and results wait: by a day forward, and back."""

import random
from pathlib import Path

import pytest

from node.domain.identity import StudyInstanceUID
from tests.support.external import drops_sockets, wait_until
from tests.support.fault_node import FaultNode
from tests.support.nightly import tell
from tests.support.recording_pacs import RecordingPacs
from tests.support.senders import Sender, small_study


@drops_sockets
@pytest.mark.parametrize("jump_s", [86400, -86400], ids=["a day forward", "a day back"])
def test_a_clock_that_is_set_loses_nothing(tmp_path: Path, jump_s: int):
    clock = tmp_path / "clock"
    clock.write_text("0", encoding="ascii")
    rng = random.Random(6)  # noqa: S311 - seeded, not secret
    before, during, after = (small_study(tmp_path / "sent", rng) for _ in range(3))
    changes = {"reception": {"completion": {"quiet_s": 0.5}}, "jobs": {"polling_s": 0.05}}
    with RecordingPacs() as pacs, FaultNode(tmp_path / "node", [pacs.destination()], changes, clock=clock) as node:
        node.start("receiver")
        node.start("worker")
        pacs.stop()
        _send(node, before)
        wait_until(lambda: "peer_unreachable" in node.log("worker"), "a delivery waits", 30)
        _send(node, during)
        clock.write_text(str(jump_s), encoding="ascii")
        pacs.start()
        _send(node, after)
        if jump_s < 0:  # what waits for another attempt waits until its time by the new clock, or until somebody retries
            assert set(node.wait_for_ends([after.uid], 30).values()) >= {"delivered"}
            for study in (before, during):
                if node.states()[study.uid] == "analysed":
                    node.jobs.retry(StudyInstanceUID(study.uid))
        states = node.wait_for_ends([study.uid for study in (before, during, after)], 30)
        assert set(states.values()) == {"delivered"}
        assert all(len(pacs.of_study(study.uid)) == 1 for study in (before, during, after))
        tell("clock", jump_s=jump_s, studies=len(states))


def _send(node: FaultNode, study) -> None:
    sender = Sender(node.port, [study])
    sender.start()
    sender.join(20)
    assert len(sender.accepted) == len(study.paths)
