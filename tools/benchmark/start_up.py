"""How long the commands take to start, and what the idle node costs."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tools.benchmark.figures import Row, Section, Target
from tools.benchmark.processes import family, free_port, listening

ROOT = Path(__file__).resolve().parents[2]
_HELP_S, _READY_S, _IDLE_PERCENT = Target("<=", 0.3), Target("<=", 3.0), Target("<=", 3.0)
_SETTLE_S, _WATCH_S, _PATIENCE_S = 5.0, 20.0, 60.0


def run(repeats: int) -> Section:
    """Measure."""
    helps = tuple(seconds_to_run("-m", "node", "--help") for _ in range(3 * repeats))
    bare = tuple(seconds_to_run("-c", "import click") for _ in range(3 * repeats))
    served = [_served() for _ in range(repeats)]
    ready, percent, memory = (tuple(one[k] for one in served) for k in range(3))
    rows = (
        Row("cspine-node --help", "warm disk", "s", helps, target=_HELP_S),
        Row("Python with click alone", "warm disk", "s", bare),
        Row("serve until every role is ready", "1 worker, models loaded, empty store", "s", ready, target=_READY_S),
        Row("CPU of the idle node", f"all roles, {_WATCH_S:g} s", "% of one core", percent, target=_IDLE_PERCENT),
        Row("memory of the idle node", "all roles, pages shared by several counted once", "MB", memory),
    )
    return Section("start_up", "Start-up", rows, {"repeats": repeats})


def seconds_to_run(*arguments: str) -> float:
    """Return how long Python takes with these arguments, from nothing to its end.

    Raises
    ------
    CalledProcessError
        If it fails.
    """
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=True, timeout=300)
    return time.perf_counter() - begun


def _served() -> tuple[float, float, float]:
    """Return the seconds until the node is ready, its CPU while idle in percent of a core, and its memory in MB."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, _serving(Path(name)) as (pid, ready_s):
        time.sleep(_SETTLE_S)
        begun, used = time.perf_counter(), _cpu_s(pid)
        time.sleep(_WATCH_S)
        percent = 100 * (_cpu_s(pid) - used) / (time.perf_counter() - begun)
        return ready_s, percent, _proportional_mb(pid)


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[int, float]]:
    """Run every role as ``serve`` does; give the process id and how long it took until ready."""
    port, web_port = free_port(), free_port()
    settings = {
        "store": f"file:{folder / 'store'}",
        "database": f"sqlite:{folder / 'jobs.db'}",
        "reception": {"bind_address": "127.0.0.1", "port": port, "minimum_free_disk_mb": 500},
        "web": {"host": "127.0.0.1", "port": web_port},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, "-m", "node", "serve", "--config", str(folder / "config.yaml")]
    begun = time.perf_counter()
    with listening(command, web_port, folder, {"PYTHONPATH": str(ROOT)}) as pid:
        while not (_say_ready(folder / "output.log") and _is_ready(f"http://127.0.0.1:{web_port}/health/ready")):
            if time.perf_counter() - begun > _PATIENCE_S:
                raise RuntimeError("the node does not become ready")
            time.sleep(0.02)
        yield pid, time.perf_counter() - begun


def _say_ready(log: Path) -> bool:
    """Return whether every role has said so: studies are received, analysed and shown."""
    said = log.read_text(encoding="utf-8", errors="replace")
    return all(f"{role} ready" in said for role in ("receiver", "worker 0", "web"))


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - of loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process and those that it started have used."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _proportional_mb(pid: int) -> float:
    """Return the memory of a process and those that it started; a page that several use counts for each with its share."""
    total_kb = 0
    for one in family(pid):
        rollup = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii")
        total_kb += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total_kb * 1024 / 1e6
