"""From the last image of a study to its SR in the PACS, less the quiet time and the analysis: what the node itself adds."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import yaml
from pydicom import Dataset
from pynetdicom import AE, build_context

from node.domain.identity import StudyInstanceUID
from node.jobs import JobClient, open_jobs
from tools.benchmark.figures import Row, Section, Target
from tools.benchmark.processes import free_port
from tools.benchmark.receivers import ORTHANC, ROOT, asked, is_missing, running_orthanc
from tools.phantom.study import PhantomSettings, write_phantom_study
from tools.soak.load import read_instances, renamed

_QUIET_S = 2.0
_PATIENCE_S = 180.0
_OVERHEAD = Target("<=", 0.5)
#: How often Orthanc is asked for the SR, in seconds: the figures are that much too long at most.
_LOOK_S = 0.02


def run(repeats: int) -> Section:
    """Measure, one study after another, each when the node is idle."""
    settings: dict[str, str | int | float] = {"quiet_s": _QUIET_S, "repeats": repeats}
    if why := is_missing(ORTHANC):
        return Section("turnaround", "Turn-around", (), settings, (f"{ORTHANC}: {why}",))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        write_phantom_study(folder / "study", PhantomSettings(seed=12, compressions=1, minimum_mscc_percent=12))
        instances = [*read_instances(folder / "study" / "sagittal_t2"), *read_instances(folder / "study" / "axial_t2")]
        with (
            running_orthanc(folder / "orthanc", {"TCP_NODELAY": "1"}) as pacs,
            _running_node(folder / "node", pacs.port) as port,
            closing(open_jobs(f"sqlite:{folder / 'node' / 'jobs.db'}")) as jobs,
        ):
            measured = [_one_study(jobs, port, pacs.url, renamed(instances)) for _ in range(repeats + 1)]
    overheads, analyses = zip(*measured[1:], strict=True)  # the first one loads the models
    condition = f"one study of {len(instances)} images, idle"
    rows = (
        Row("turn-around less quiet time and analysis", condition, "s", overheads, target=_OVERHEAD),
        Row("analysis, as the job database has it", condition, "s", analyses),
    )
    return Section("turnaround", "Turn-around", rows, settings)


def _one_study(jobs: JobClient, port: int, pacs: str, instances: Sequence[Dataset]) -> tuple[float, float]:
    """Send a study; return the time from its last image to its SR in the PACS less quiet time and analysis, and the analysis."""
    uid = StudyInstanceUID(str(instances[0].StudyInstanceUID))
    _send(port, instances)
    sent_s = time.monotonic()
    while not _holds_report(pacs, uid):
        if time.monotonic() - sent_s > _PATIENCE_S:
            raise RuntimeError(f"no SR within {_PATIENCE_S:g} s")
        time.sleep(_LOOK_S)
    whole_s = time.monotonic() - sent_s
    current = jobs.study(uid).study.current
    if current is None or current.started_at is None or current.finished_at is None:
        raise RuntimeError("the PACS holds an SR, and the job database no analysis")
    analysis_s = (current.finished_at - current.started_at).total_seconds()
    return whole_s - _QUIET_S - analysis_s, analysis_s


def _send(port: int, instances: Sequence[Dataset]) -> None:
    wanted = {(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in instances}
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in sorted(wanted)]
    association = AE(ae_title="SCANNER").associate("127.0.0.1", port, contexts, ae_title="CSPINE")
    answers = {association.send_c_store(one).get("Status") for one in instances}
    association.release()
    if answers != {0}:
        raise RuntimeError(f"the node answered {answers}")


def _holds_report(pacs: str, uid: StudyInstanceUID) -> bool:
    query = {"Level": "Series", "Query": {"StudyInstanceUID": uid, "Modality": "SR"}}
    return bool(json.loads(asked(f"{pacs}/tools/find", "POST", json.dumps(query).encode())))


@contextmanager
def _running_node(folder: Path, pacs_port: int) -> Iterator[int]:
    """Run the whole node until the end of the block; give the port of its receiver when a worker is ready too."""
    port = free_port()
    completion = {"quiet_s": _QUIET_S}
    settings = {
        "store": "file:store",
        "database": "sqlite:jobs.db",
        "reception": {"bind_address": "127.0.0.1", "port": port, "completion": completion, "minimum_free_disk_mb": 500},
        "web": {"enabled": False},
        "destinations": [{"name": "pacs", "host": "127.0.0.1", "port": pacs_port, "ae_title": "ORTHANC"}],
    }
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, "-m", "node", "serve", "--config", str(folder / "config.yaml")]
    log = folder / "node.log"
    with log.open("wb") as stream, subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=stream) as process:
        try:
            begin_s = time.monotonic()
            while not all(f"{role} ready" in log.read_text(encoding="utf-8") for role in ("receiver", "worker 0")):
                if process.poll() is not None or time.monotonic() - begin_s > _PATIENCE_S:
                    raise RuntimeError(f"the node did not start: {log.read_text(encoding='utf-8')[-500:]}")
                time.sleep(0.1)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_PATIENCE_S)
