"""Functions run in a process of their own, so that their memory and their end can be looked at."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Run:
    """What a module printed as JSON, and the most memory that it held."""

    said: Any
    peak_mb: float


def run_module(module: str, arguments: Sequence[str], deadline_s: float) -> Run:
    """Run a module that ends with :func:`finish`; fail if it ends otherwise, or not in time."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=deadline_s)
    assert done.returncode == 0, done.stderr[-4000:]
    said, peak_mb = json.loads(done.stdout)
    return Run(said, peak_mb)


def finish(said: object) -> None:
    """Print a result and the peak of memory.

    The kernel's VmHWM begins with this program; ``ru_maxrss`` would begin with the size of the process that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (peak_kb,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    sys.stdout.write(json.dumps([said, peak_kb / 1024]))
