"""What the queue adds: 50 studies at once beside its arithmetic, and studies per hour by workers, with a model that sleeps."""

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import yaml
from pydicom.uid import generate_uid

from node.domain.identity import StudyInstanceUID
from node.domain.job import DeliveryState
from node.jobs import JobClient, open_jobs
from tools.benchmark.figures import Row, Section, Target, alternate

ROOT = Path(__file__).resolve().parents[2]
#: How long the stand-in for a model takes for a study.
_MODEL_S = 4.0
_QUEUED, _QUEUED_WORKERS = 50, 5
_WORKERS = (1, 2, 4, 8)
_STUDIES_EACH = 2
_PATIENCE_S, _LOOK_S = 300.0, 0.2
_WITHIN, _PROPORTIONAL = Target("<=", 1.1), Target(">=", 0.9)


def run(repeats: int) -> Section:
    """Measure, with real worker processes on a real job database."""
    waits = tuple(_p95(_turned_around(_QUEUED_WORKERS, _QUEUED)) for _ in range(repeats))
    expected = _p95([math.ceil(number / _QUEUED_WORKERS) * _MODEL_S for number in range(1, _QUEUED + 1)])
    hourly = alternate({str(workers): partial(_hourly, workers) for workers in _WORKERS}, repeats)
    rows = [
        Row(
            "95th percentile of the turn-around, studies queued at once",
            f"{_QUEUED} studies, {_QUEUED_WORKERS} workers, the model sleeps {_MODEL_S:g} s",
            "s",
            waits,
            (expected,) * repeats,
            "arithmetic of the queue",
            _WITHIN,
        )
    ]
    alone = hourly[str(_WORKERS[0])]
    for workers in _WORKERS[1:]:
        other = tuple(workers * one for one in alone)
        condition = f"{workers} workers, the model sleeps {_MODEL_S:g} s"
        against = f"{workers} x 1 worker"
        rows.append(Row("studies per hour", condition, "1/h", hourly[str(workers)], other, against, _PROPORTIONAL))
    settings: dict[str, str | int | float] = {"model_s": _MODEL_S, "queued": _QUEUED, "repeats": repeats}
    return Section(
        "queueing", "Queue", tuple(rows), settings, ("the model is a stand-in that sleeps, as a GPU would take the time",)
    )


def _hourly(workers: int) -> float:
    """Return how many studies are done in an hour."""
    count = workers * _STUDIES_EACH
    return 3600 * count / max(_turned_around(workers, count))


def _p95(seconds: Sequence[float]) -> float:
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]


def _turned_around(workers: int, count: int) -> list[float]:
    """Return the seconds from the first announcement to the delivery of each study."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, _working(Path(name), workers) as jobs:
        studies = [StudyInstanceUID(str(generate_uid())) for _ in range(count)]
        for study in studies:
            jobs.study_ready(study)
        begun = min(jobs.study(study).study.first_ready_at for study in studies)
        return [(_delivered_at(jobs, study) - begun).total_seconds() for study in studies]


def _delivered_at(jobs: JobClient, study: StudyInstanceUID) -> datetime:
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        for analysis in jobs.study(study).analyses:
            for delivery in analysis.deliveries:
                if delivery.state == DeliveryState.DELIVERED:
                    return delivery.updated_at
        time.sleep(_LOOK_S)
    raise RuntimeError(f"a study was not delivered within {_PATIENCE_S:g} s")


@contextmanager
def _working(folder: Path, workers: int) -> Iterator[JobClient]:
    """Run workers with the stand-in until the end of the block; give the client of their job database when all are ready."""
    database = f"sqlite:{folder / 'jobs.db'}"
    peer = {"name": "pacs", "host": "127.0.0.1", "port": 104, "ae_title": "PACS"}
    settings = {"database": database, "store": f"file:{folder / 'store'}", "jobs": {"workers": workers}, "destinations": [peer]}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with ExitStack() as stack:
        processes = [stack.enter_context(_worker(folder / "config.yaml", slot)) for slot in range(workers)]
        for process in processes:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError("a worker did not start")
        yield stack.enter_context(closing(open_jobs(database)))


@contextmanager
def _worker(config: Path, slot: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tools.benchmark.stand_in", str(config), str(slot), str(_MODEL_S)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(_PATIENCE_S)
