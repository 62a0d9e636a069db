"""Memory, open files and threads of the processes of a node, sampled while it works."""

import statistics
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

_INTERVAL_S = 5.0
_ROLES = ("receive", "work", "web")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process holds at a moment, in seconds since the start."""

    at_s: float
    memory_mb: float
    files: int
    threads: int


@dataclass
class Watch:
    """Samples the children of a process at most every few seconds."""

    parent: int
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    _start_s: float = field(default_factory=time.monotonic)
    _last_s: float = -_INTERVAL_S

    def tick(self) -> None:
        """Take a sample if it is time."""
        now_s = time.monotonic()
        if now_s - self._last_s < _INTERVAL_S:
            return
        self._last_s = now_s
        for process in Path("/proc").glob("[0-9]*"):
            try:
                self._sample(process, now_s - self._start_s)
            except (FileNotFoundError, ProcessLookupError, StopIteration):  # it ended at this moment
                continue

    def _sample(self, process: Path, at_s: float) -> None:
        status = dict(
            line.split(":\t", 1) for line in (process / "status").read_text(encoding="ascii").splitlines() if ":\t" in line
        )
        if int(status["PPid"]) != self.parent:
            return
        words = (process / "cmdline").read_bytes().decode().split("\0")
        role = next(word for word in words if word in _ROLES)
        name = f"{role} {words[words.index('--slot') + 1]}" if "--slot" in words else role
        files = len(list((process / "fd").iterdir()))
        sample = Sample(at_s, int(status["VmRSS"].split()[0]) / 1024, files, int(status["Threads"]))
        self.samples.setdefault(name, []).append(sample)

    def growth(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return for each process and quantity the median of the second quarter of the time and of the last, and the greatest."""
        found = {}
        for name, samples in sorted(self.samples.items()):
            quarter = max(1, len(samples) // 4)
            rows = [asdict(sample) for sample in samples]
            found[name] = {
                quantity: {
                    "second_quarter": statistics.median(row[quantity] for row in rows[quarter : 2 * quarter] or rows),
                    "last_quarter": statistics.median(row[quantity] for row in rows[-quarter:]),
                    "greatest": max(row[quantity] for row in rows),
                }
                for quantity in ("memory_mb", "files", "threads")
            }
        return found
