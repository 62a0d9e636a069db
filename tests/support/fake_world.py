"""A world without DICOM for the workflows: what it does and what happened lie as files in one folder."""

import errno
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.config import DestinationConfig
from node.domain.errors import Declined, Finding, PermanentError, Reason, Severity, TransientError
from node.domain.identity import SOPInstanceUID, StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisOutcome, AnalysisStatus, DeliveryOutcome, ShadowEnd, ShadowOutcome
from node.domain.prediction import ModelIdentity
from tests.support.external import wait_until

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class World:
    """The folder: ``set``/``clear`` decide what the fakes do, ``happened`` tells what they did."""

    folder: Path

    def set(self, name: str, content: str = "") -> None:
        (self.folder / name).write_text(content, encoding="utf-8")

    def clear(self, name: str) -> None:
        (self.folder / name).unlink()

    def get(self, name: str) -> str | None:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else None

    def note(self, line: str) -> None:
        with (self.folder / "happened").open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def happened(self) -> list[str]:
        return (self.get("happened") or "").splitlines()

    def reset(self) -> None:
        """Forget what was set and what happened."""
        for path in self.folder.iterdir():
            if path.is_file():
                path.unlink()

    def wait_for(self, line: str, times: int = 1) -> None:
        wait_until(lambda: self.happened().count(line) >= times, f"{line!r} x {times}; happened: {self.happened()}", 30)


_NO_AXIAL = Finding(Reason.NO_AXIAL_T2, Severity.DECLINE, "no axial T2")
_FAILURES: dict[str | None, Exception] = {
    "transient": TransientError(Reason.DISK_FULL, "the disk is full"),
    "disk": OSError(errno.ENOSPC, "No space left on device"),
    "permanent": PermanentError(Reason.MODEL_MISSING, "no model"),
    "declined": Declined(Reason.NO_AXIAL_T2, "no axial T2", (_NO_AXIAL,)),
    "bug": ValueError("DOE^JANE"),
}


class FakeAnalyser:
    """Analyses by noting it; held, failing or killed as the world says."""

    def __init__(self, world: World) -> None:
        self._world = world

    def fingerprint(self) -> str:
        return self._world.get("fingerprint") or "software 1"

    def analyse(self, study_instance_uid: StudyInstanceUID, analysis_id: AnalysisId, predecessor: Path | None) -> AnalysisOutcome:
        self._world.note(f"analyse {study_instance_uid}")
        if predecessor is not None:
            self._world.note(f"replaces {predecessor.name}")
        wait_until(lambda: self._world.get("hold analysis") is None, "the analysis to be let go", 60)
        failure = self._world.get("analysis fails")
        if failure in _FAILURES:
            raise _FAILURES[failure]
        if failure == "process":
            os.kill(os.getpid(), signal.SIGKILL)
        if failure == "unchanged":
            return AnalysisOutcome(AnalysisStatus.UNCHANGED)
        folder = self._world.folder / "results" / analysis_id
        folder.mkdir(parents=True, exist_ok=True)
        self._world.note(f"analysed {study_instance_uid}")
        finding = Finding(Reason.PLANES_DISAGREE, Severity.FLAG, "planes disagree")
        return AnalysisOutcome(AnalysisStatus.PARTIAL, (finding,), folder, 2, (ModelIdentity("toy", "1", "abc"),))


class FakeDeliverer:
    """Delivers by noting it; held, down or refusing for one destination as the world says."""

    def __init__(self, world: World) -> None:
        self._world = world

    def deliver(self, destination: DestinationConfig, analysis_folder: Path) -> DeliveryOutcome:
        name = destination.name
        self._world.note(f"send {name}")
        wait_until(lambda: self._world.get(f"hold {name}") is None, f"delivery to {name} to be let go", 60)
        if name == "pacs" and self._world.get("delivery fails") == "process":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._world.get(f"{name} is down") is not None:
            raise TransientError(Reason.PEER_UNREACHABLE, f"{name} does not answer")
        if self._world.get(f"{name} refuses") is not None:
            raise PermanentError(Reason.PEER_REJECTED, f"{name} does not know us")
        self._world.note(f"sent {name} {analysis_folder.name}")
        refused = (
            (Finding(Reason.SOP_CLASS_REFUSED, Severity.ERROR, "no SEG"),) if self._world.get(f"{name} picks") is not None else ()
        )
        return DeliveryOutcome((SOPInstanceUID("1.2.3"),), refused)


class FakeShadow:
    """The second set of models: notes that it ran; failing or interrupted as the world says."""

    set_id = "next"

    def __init__(self, world: World) -> None:
        self._world = world

    def run(self, study_instance_uid: StudyInstanceUID, digest: str, results: Path) -> ShadowOutcome:
        self._world.note(f"shadow {study_instance_uid} {digest} {results.name}")
        if self._world.get("shadow fails") is not None:
            raise ValueError("DOE^JANE")
        return ShadowOutcome(ShadowEnd.MEASURED)


class Process:
    """A child process that says ``ready`` on its output; killed at the end of the test."""

    def __init__(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, before: Sequence[str] = ()
    ) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._child = subprocess.Popen(
                [*before, sys.executable, *arguments],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def line(self, deadline_s: float = 30.0) -> str:
        assert self._child.stdout is not None
        readable, _, _ = select.select([self._child.stdout], [], [], deadline_s)
        assert readable, f"no line within {deadline_s:g} s; log: {self.log}"
        return self._child.stdout.readline().rstrip("\n")

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def wait(self, deadline_s: float = 30.0) -> int:
        return self._child.wait(deadline_s)

    def kill(self) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.communicate()
