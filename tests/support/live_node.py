"""The installed node as its users run it: real processes, a real configuration, a store of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from node.config import DestinationConfig
from tests.support.external import free_port, require_tool, wait_until

ROOT = Path(__file__).resolve().parents[2]
FINAL = ("delivered", "declined", "failed", "cancelled")


class LiveNode:
    """A node below a folder: ``start`` runs ``cspine-node serve`` or one role, commands are run beside it."""

    def __init__(
        self, folder: Path, destinations: Sequence[DestinationConfig] = (), changes: Mapping[str, Any] | None = None
    ) -> None:
        self.folder = folder
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {
            "store": "file:store",
            "database": "sqlite:jobs.db",
            "reception": {
                "ae_title": "CSPINE",
                "bind_address": "127.0.0.1",
                "port": self.port,
                "minimum_free_disk_mb": 10,
                "completion": {"quiet_s": 1.0},
            },
            "destinations": [destination.model_dump(mode="json") for destination in destinations],
            "jobs": {"polling_s": 0.1},
            "web": {"enabled": False},
        }
        self.config = folder / "config.yaml"
        for section, change in (changes or {}).items():
            before = settings.get(section)
            settings[section] = {**before, **change} if isinstance(before, dict) else change
        self.config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        self.log = folder / "node.log"

    @contextmanager
    def running(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run ``serve`` (or another command) until the block is left; wait until its parts are ready."""
        role = command or ("serve",)
        before = self.log.stat().st_size if self.log.exists() else 0
        wanted = {"serve": 2}.get(role[0], 1)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "node", *role, "--config", str(self.config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
        try:
            wait_until(
                lambda: (
                    process.poll() is not None or len(re.findall(r"^\w[\w ]* ready", self.text(before), re.MULTILINE)) >= wanted
                ),
                f"{role[0]} is ready, see {self.log}",
                deadline_s=60,
            )
            assert process.poll() is None, self.text(before)
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)

    def text(self, start: int = 0) -> str:
        """Return what the node has logged, from a byte on."""
        return self.log.read_bytes()[start:].decode("utf-8", "replace") if self.log.exists() else ""

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the node beside it."""
        return subprocess.run(
            [sys.executable, "-m", "node", *command, "--config", str(self.config)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=120,
        )

    def store_scu(self, folder: Path) -> None:
        """Send every DICOM file below a folder with DCMTK's storescu."""
        command = [require_tool("storescu"), "-aet", "SCANNER", "-aec", "CSPINE", "+sd", "+r", "+sp", "*.dcm", "-R", "127.0.0.1"]
        environment = {**os.environ, "TCP_NODELAY": "1"}
        done = subprocess.run(
            [*command, str(self.port), str(folder)], capture_output=True, text=True, check=False, env=environment, timeout=120
        )
        assert done.returncode == 0, done.stderr + done.stdout

    def studies(self) -> list[dict[str, Any]]:
        """Return what ``studies list --json`` prints."""
        done = self.run("studies", "list", "--json")
        assert done.returncode == 0, done.stderr
        listing: list[dict[str, Any]] = json.loads(done.stdout)
        return listing

    def history(self, study_instance_uid: str) -> dict[str, Any]:
        """Return what ``studies show --json`` prints."""
        done = self.run("studies", "show", study_instance_uid, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def wait_for_end(self, deadline_s: float = 120, states: Sequence[str] = FINAL) -> dict[str, Any]:
        """Wait until there is a study and it has come to an end; return its entry."""
        listing: list[dict[str, Any]] = []

        def ended() -> bool:
            listing[:] = self.studies()
            return bool(listing) and all(one["state"] in states for one in listing)

        wait_until(ended, f"the study ends, see {self.log}", deadline_s=deadline_s)
        return listing[0]

    def results(self) -> list[Path]:
        """Return the folders of the analyses that have results."""
        return sorted(path.parent for path in (self.folder / "store" / "results").glob("*/*/measurements.json"))

    def worker_pids(self) -> list[int]:
        """Return the process ids of this node's running workers."""
        done = subprocess.run(["pgrep", "-f", f"node work .*{self.config}"], capture_output=True, text=True, check=False)
        return [int(pid) for pid in done.stdout.split()]
