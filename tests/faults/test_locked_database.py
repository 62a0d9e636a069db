"""Another program holds the job database: what cannot be announced or recorded now is when it lets go."""

import random
import subprocess
import sys
from pathlib import Path

from tests.support.external import drops_sockets, wait_until
from tests.support.fault_node import FaultNode
from tests.support.nightly import tell, times
from tests.support.recording_pacs import RecordingPacs
from tests.support.senders import Sender, small_study

HOLD = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60); "
    "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read(); c.execute('ROLLBACK')"
)
#: Longer at night than any of our time-outs for a lock.
HOLD_S = times(4, 50)


@drops_sockets
def test_a_database_that_is_locked_by_another_program_is_waited_for(tmp_path: Path):
    rng = random.Random(4)  # noqa: S311 - seeded, not secret
    studies = [small_study(tmp_path / "sent", rng) for _ in range(4)]
    changes = {"reception": {"completion": {"quiet_s": 0.3}}, "jobs": {"polling_s": 0.05}}
    with RecordingPacs() as pacs, FaultNode(tmp_path / "node", [pacs.destination()], changes) as node:
        node.start("receiver")
        node.start("worker")
        first, locked = Sender(node.port, studies[:1]), Sender(node.port, studies[1:])
        first.start()
        wait_until(lambda: "analysis begun" in node.log("worker"), "the worker is in the middle of it", 30)
        command = [sys.executable, "-c", HOLD, str(tmp_path / "node" / "jobs.db")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdin is not None
            assert holder.stdout.readline() == b"held\n"
            locked.start()
            locked.join(HOLD_S)
            assert len(locked.accepted) == 9, "images are taken while the job database is locked"
            if HOLD_S > 30:
                wait_until(lambda: "it stays open" in node.log("receiver"), "an announcement fails", HOLD_S)
            else:
                wait_until(lambda: len(node.store.open_marks()) == 3, "the studies stay open")
            holder.stdin.close()
        states = node.wait_for_ends([study.uid for study in studies], 90)
        assert set(states.values()) == {"delivered"}
        assert [node.is_running(role) for role in ("receiver", "worker")] == [True, True]
        assert all(len(pacs.of_study(study.uid)) == 1 for study in studies)
        tell("locked database", held_s=HOLD_S, studies=len(states))
