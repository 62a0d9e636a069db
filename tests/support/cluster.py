"""Receivers and workers of several machines on one Postgres and one store, each a real process that a test kills and starts."""

from collections.abc import Sequence
from pathlib import Path

import psycopg
import yaml

from node.config import DestinationConfig
from node.jobs import open_jobs
from node.store import open_store
from tests.support.external import free_port, wait_until
from tests.support.fake_world import Process

FINAL = ("delivered", "declined", "failed", "cancelled")


class Cluster:
    """Machines ``receiver N`` and ``worker N``; the analysis of the workers is a toy, everything else is the node."""

    def __init__(self, folder: Path, database: str, destination: DestinationConfig, quiet_s: float = 5.0) -> None:
        folder.mkdir()
        self.folder = folder
        self.database = database
        self.store = open_store(f"file:{folder / 'store'}")
        self.jobs = open_jobs(database)
        self.ports: dict[str, int] = {}
        self._destination = destination
        self._quiet_s = quiet_s
        self._processes: dict[str, Process] = {}

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        self.jobs.close()

    def start(self, machine: str, *, wait: bool = True, before: Sequence[str] = ()) -> Process:
        """Start a machine, for the first time or again; ``before`` is put before its command."""
        config = self._config(machine)
        is_receiver = machine.startswith("receiver")
        role = ["-m", "node", "receive", "--config"] if is_receiver else ["-m", "tests.support.toy_worker"]
        arguments = [*role, str(config), *([] if is_receiver else ["0"])]
        process = self._processes[machine] = Process(arguments, self.folder / f"{machine}.log", {"TOY_ANALYSIS_S": "1"}, before)
        if wait:
            self.wait_until_ready(machine)
        return process

    def wait_until_ready(self, machine: str) -> None:
        line = self._processes[machine].line(90)
        assert "ready" in line, line + self.log(machine)

    def kill(self, machine: str) -> None:
        """End a machine with ``kill -9``."""
        self._processes[machine].kill()

    def log(self, machine: str = "") -> str:
        """Return what a machine has logged, or all of them."""
        return "".join(path.read_text(encoding="utf-8") for path in sorted(self.folder.glob(f"{machine}*.log")))

    def resources(self, machine: str) -> tuple[float, int, int]:
        """Return resident memory in MB, open files and threads of a machine."""
        process = Path(f"/proc/{self._processes[machine].pid}")
        status = (process / "status").read_text(encoding="ascii").splitlines()
        memory_mb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
        return memory_mb, len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))

    def wait_for_ends(self, studies: Sequence[str], deadline_s: float) -> dict[str, str]:
        """Wait until these studies have come to an end and nothing is open; return their states."""

        def ended() -> bool:
            states = self.states()
            return not self.store.open_marks() and all(states.get(uid) in FINAL for uid in studies)

        wait_until(ended, f"the studies end, see {self.folder}: {self.states()}", deadline_s)
        return self.states()

    def states(self) -> dict[str, str]:
        return {str(entry.study_instance_uid): str(entry.state) for entry in self.jobs.studies()}

    def deadlocks(self) -> int:
        with psycopg.connect(self.database) as connection:
            row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
        return int(row[0]) if row else -1

    def _config(self, machine: str) -> Path:
        port = self.ports.setdefault(machine, free_port())
        completion = {"quiet_s": self._quiet_s, "maximum_s": 600}
        reception = {
            "bind_address": "127.0.0.1",
            "port": port,
            "minimum_free_disk_mb": 10,
            "maximum_associations_per_peer": 100,
            "completion": completion,
        }
        jobs = {
            "polling_s": 0.1,
            "machine_name": machine.replace(" ", "-"),
            "takeover_s": 2.0,
            "shutdown_grace_s": 5,
            "maximum_recovery_attempts": 20,
            "retry": {"first_delay_s": 0.5},
        }
        settings = {
            "store": f"file://{self.folder / 'store'}",
            "database": self.database,
            "reception": reception,
            "jobs": jobs,
            "destinations": [self._destination.model_dump(mode="json")],
        }
        path = self.folder / f"{machine}.yaml"
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return path
