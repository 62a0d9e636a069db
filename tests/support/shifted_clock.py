"""Run a module whose clock a test sets: ``python -m tests.support.shifted_clock FILE MODULE ARGUMENT...``.

The file holds the seconds by which the time since the epoch is wrong; the clock that only goes forward stays right, as on a
machine whose clock is set. (libfaketime does not go with Python: its ``clock_nanosleep`` refuses absolute times.)
"""

import runpy
import sys
import time
from pathlib import Path

_REAL_S = time.time


def main(clock: str, module: str, *arguments: str) -> None:
    path = Path(clock)
    time.time = lambda: _REAL_S() + float(path.read_text(encoding="ascii"))
    time.time_ns = lambda: int(time.time() * 1e9)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
