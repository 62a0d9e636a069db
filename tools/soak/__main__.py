"""Run a node of its own under load and report: ``python -m tools.soak --out FOLDER --count 60 --per-minute 12 --minutes 5``.

The node, with its real models, and a PACS that takes everything run on loopback, on free ports, and end with the script. The
report is printed and lies in ``soak.json``: rates of arrival and completion, how long each stage took, and what memory, files and
threads did.
"""

import json
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import yaml
from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.presentation import build_context
from rich.console import Console
from rich.table import Table

from node.domain.identity import StudyInstanceUID
from node.domain.worklist import StudyHistory
from node.jobs import JobClient, open_jobs
from tools.phantom.study import PhantomSettings, write_phantom_study
from tools.soak.load import Load, Sent, read_instances
from tools.soak.watch import Watch

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_S = 120.0
_FINAL = ("delivered", "declined", "failed", "cancelled")
_STAGES = ("announced", "begun", "analysed", "delivered", "total")


@click.command()
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for everything; must be new."
)
@click.option("--count", default=60, show_default=True, type=click.IntRange(1, 10000), help="Studies at most.")
@click.option("--minutes", default=5.0, show_default=True, type=click.FloatRange(0.1, 1440), help="Time to send at most.")
@click.option("--per-minute", default=12.0, show_default=True, type=click.FloatRange(0.1, 600), help="Studies each minute.")
@click.option("--fault-share", default=0.2, show_default=True, type=click.FloatRange(0, 1), help="Share that is sent badly.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 16))
@click.option("--database", default="sqlite:jobs.db", show_default=True, help="Job database, as in the configuration.")
@click.option("--seed", default=1, show_default=True)
def soak(out: Path, count: int, minutes: float, per_minute: float, **options: Any) -> None:  # noqa: ANN401 - of click
    """Send phantom studies to a node at a rate, and report what took how long and what grew."""
    out.mkdir(parents=True)
    write_phantom_study(out / "study", PhantomSettings(seed=12, compressions=1, minimum_mscc_percent=12))
    whole = [*read_instances(out / "study" / "sagittal_t2"), *read_instances(out / "study" / "axial_t2")]
    foreign = read_instances(out / "study" / "localizer")
    with _pacs() as pacs_port:
        port = _free_port()
        config = _write_config(out, port, pacs_port, options)
        with _node(out, config) as process, closing(open_jobs(_database(out, options["database"]))) as jobs:
            watch = Watch(process)
            load = Load(port, "CSPINE", whole, foreign, random.Random(options["seed"]), options["fault_share"])  # noqa: S311
            started_s = time.monotonic()
            load.run(count, 60 / per_minute, started_s + 60 * minutes, watch.tick)
            sending_s = time.monotonic() - started_s
            _wait_for_ends(jobs, load.sent, watch)
            report = _report(jobs, load, watch, sending_s, time.monotonic() - started_s)
    (out / "soak.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)


def _write_config(out: Path, port: int, pacs_port: int, options: dict[str, Any]) -> Path:
    settings = {
        "store": "file:store",
        "database": options["database"],
        "reception": {"bind_address": "127.0.0.1", "port": port, "completion": {"quiet_s": 2.0}, "minimum_free_disk_mb": 500},
        "jobs": {"workers": options["workers"]},
        "web": {"enabled": False},
        "destinations": [{"name": "pacs", "host": "127.0.0.1", "port": pacs_port, "ae_title": "PACS"}],
    }
    path = out / "config.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def _database(out: Path, database: str) -> str:
    return f"sqlite:{out.absolute() / database.removeprefix('sqlite:')}" if database.startswith("sqlite:") else database


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _pacs() -> Iterator[int]:
    """Run a PACS that takes everything and keeps nothing."""
    entity = AE(ae_title="PACS")
    entity.supported_contexts = [build_context(one.abstract_syntax or "") for one in StoragePresentationContexts]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _event: 0)])
    assert server is not None  # noqa: S101 - one that does not block is returned
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()


@contextmanager
def _node(out: Path, config: Path) -> Iterator[int]:
    """Run ``serve`` until the end of the block; give its process id when receiver and workers are ready."""
    command = [sys.executable, "-m", "node", "serve", "--config", str(config)]
    log = out / "node.log"
    with log.open("wb") as stream, subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT) as process:
        try:
            deadline_s = time.monotonic() + _PATIENCE_S
            while not all(
                f"{role} " in (text := log.read_text(encoding="utf-8")) and " ready" in text for role in ("receiver", "worker")
            ):
                if time.monotonic() > deadline_s or process.poll() is not None:
                    raise SystemExit(f"the node did not start; see {log}")
                time.sleep(0.2)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=_PATIENCE_S)


def _wait_for_ends(jobs: JobClient, sent: Sequence[Sent], watch: Watch) -> None:
    """Wait until every study has come to its end, as long as some does at times."""
    wanted, ended, last_s = {one.study_instance_uid for one in sent}, -1, time.monotonic()
    while time.monotonic() - last_s < _PATIENCE_S:
        watch.tick()
        now = sum(str(one.state) in _FINAL for one in jobs.studies() if one.study_instance_uid in wanted)
        if now >= len(wanted):
            return
        if now > ended:
            ended, last_s = now, time.monotonic()
        time.sleep(1.0)


def _report(jobs: JobClient, load: Load, watch: Watch, sending_s: float, all_s: float) -> dict[str, Any]:
    histories = [(one, jobs.study(StudyInstanceUID(one.study_instance_uid))) for one in load.sent]
    ended = [history for _, history in histories if str(history.study.state) in _FINAL]
    times: dict[str, list[float]] = {stage: [] for stage in _STAGES}
    for one, history in histories:
        for stage, seconds in _stages(one.at, history).items():
            times[stage].append(seconds)
    return {
        "sent": len(load.sent),
        "refused": load.refused,
        "kinds": dict(Counter(str(one.kind) for one in load.sent)),
        "states": dict(Counter(str(history.study.state) for _, history in histories)),
        "versions": sum(len(history.analyses) for _, history in histories),
        "arrivals_per_minute": round(len(load.sent) / sending_s * 60, 2),
        "completions_per_minute": round(len(ended) / all_s * 60, 2),
        "seconds": {stage: _quantiles(seconds) for stage, seconds in times.items() if seconds},
        "processes": watch.growth(),
    }


def _stages(sent_at: datetime, history: StudyHistory) -> dict[str, float]:
    """Return how long each stage of a delivered study took, in seconds; the first one holds the quiet time."""
    current = history.study.current
    if current is None or current.started_at is None or current.finished_at is None or not current.deliveries:
        return {}
    ready, done = history.study.first_ready_at, max(one.updated_at for one in current.deliveries)
    moments = [sent_at, ready, current.started_at, current.finished_at, done]
    gaps = [(after - before).total_seconds() for before, after in pairwise(moments)]
    return dict(zip(_STAGES, [*gaps, (done - sent_at).total_seconds()], strict=True))


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 99
    return {name: round(cuts[number - 1], 2) for name, number in (("p50", 50), ("p95", 95), ("p99", 99))}


def _print(report: dict[str, Any]) -> None:
    console = Console()
    console.print({key: value for key, value in report.items() if key not in ("seconds", "processes")})
    stages = Table("stage", "p50 s", "p95 s", "p99 s")
    for stage, cuts in report["seconds"].items():
        stages.add_row(stage, *(f"{value:.2f}" for value in cuts.values()))
    console.print(stages)
    growth = Table("process", "quantity", "second quarter", "last quarter", "greatest")
    for name, quantities in report["processes"].items():
        for quantity, values in quantities.items():
            growth.add_row(name, quantity, *(f"{value:.0f}" for value in values.values()))
    console.print(growth)


if __name__ == "__main__":
    soak()
