"""A node whose receiver and worker are real processes that a test kills, stops and starts one by one."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from node.config import DestinationConfig, load_config
from node.domain.worklist import StudyEntry, StudyHistory
from node.jobs import open_jobs
from node.store import open_store
from tests.support.external import wait_until
from tests.support.fake_world import Process
from tests.support.live_node import LiveNode

FINAL = ("delivered", "declined", "failed", "cancelled")


class FaultNode:
    """A node below a folder; the worker runs the real job engine, store and delivery with an analysis of milliseconds."""

    def __init__(
        self,
        folder: Path,
        destinations: Sequence[DestinationConfig] = (),
        changes: Mapping[str, Any] | None = None,
        logs: Path | None = None,
        clock: Path | None = None,
    ) -> None:
        self._live = LiveNode(folder, destinations, changes)
        self.folder, self.port, self.config = folder, self._live.port, self._live.config
        self._logs = logs or folder
        config = load_config(self.config)
        self.store = open_store(config.store)
        self.jobs = open_jobs(config.database)
        self.starts = 0
        self._processes: dict[str, Process] = {}
        shifted = [] if clock is None else ["-m", "tests.support.shifted_clock", str(clock)]
        self._commands = {
            "receiver": [*shifted, *_module("node", clock), "receive", "--config", str(self.config)],
            "worker": [*shifted, *_module("tests.support.toy_worker", clock), str(self.config), "0"],
        }

    def __enter__(self) -> "FaultNode":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        self.jobs.close()

    def start(self, role: str) -> Process:
        """Start a role and wait until it is ready."""
        process = self._processes[role] = Process(self._commands[role], self._logs / f"{role}.log")
        self.starts += 1
        assert "ready" in process.line(60), self.log(role)
        return process

    def kill(self, role: str) -> None:
        """End a role with ``kill -9``."""
        self._processes[role].kill()

    def stop(self, role: str, deadline_s: float = 60) -> int:
        """Ask a role to stop, and return its exit code."""
        process = self._processes[role]
        process.send(signal.SIGTERM)
        code = process.wait(deadline_s)
        process.kill()
        return code

    def log(self, role: str) -> str:
        return (self._logs / f"{role}.log").read_text(encoding="utf-8")

    def is_running(self, role: str) -> bool:
        return self._processes[role].is_running

    def open_files(self, role: str) -> int:
        """Return how many file descriptors a role holds."""
        return len(list(Path(f"/proc/{self._processes[role].pid}/fd").iterdir()))

    def threads(self, role: str) -> int:
        return len(list(Path(f"/proc/{self._processes[role].pid}/task").iterdir()))

    def memory_mb(self, role: str) -> float:
        """Return the resident memory of a role."""
        status = Path(f"/proc/{self._processes[role].pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def studies(self) -> dict[str, StudyEntry]:
        return {str(entry.study_instance_uid): entry for entry in self.jobs.studies()}

    def history(self, study_instance_uid: str) -> StudyHistory:
        return self.jobs.study(study_instance_uid)

    def states(self) -> dict[str, str]:
        return {uid: str(entry.state) for uid, entry in self.studies().items()}

    def wait_for_ends(self, studies: Sequence[str], deadline_s: float = 60) -> dict[str, str]:
        """Wait until these studies have come to an end and nothing is open; return their states."""

        def ended() -> bool:
            states = self.states()
            return not self.store.open_marks() and all(states.get(uid) in FINAL for uid in studies)

        wait_until(ended, f"the studies end, see {self.folder}", deadline_s)
        return self.states()


def _module(name: str, clock: Path | None) -> list[str]:
    return [name] if clock is not None else ["-m", name]
