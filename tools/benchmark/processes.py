"""Programs that run beside the benchmark and end with it, each by its own process id."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_S = 30.0


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def listening(command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a program in a folder until the block is left; give its process id when it listens.

    Raises
    ------
    RuntimeError
        If it does not listen in time; says where its output lies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=stream, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            deadline_s = time.monotonic() + _PATIENCE_S
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"{command[0]} does not listen; see {log}: {log.read_text(errors='replace')[-500:]}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def family(pid: int) -> Sequence[int]:
    """Return a process and those that it started, and so on."""
    parents = {int(path.name): _status(path, "PPid") for path in Path("/proc").glob("[0-9]*")}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def memory_mb(pid: int, field: str = "VmHWM") -> float:
    """Return the resident memory of a process and its children: greatest (``VmHWM``) or now (``VmRSS``), in megabytes (10^6)."""
    return sum(_status(Path(f"/proc/{one}"), field) for one in family(pid)) * 1024 / 1e6


def _status(process: Path, field: str) -> int:
    try:
        found = re.search(rf"^{field}:\s+(\d+)", (process / "status").read_text(encoding="utf-8"), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):  # it ended at this moment
        return 0
    return int(found.group(1)) if found else 0


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
