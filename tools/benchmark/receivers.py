"""The receivers that are compared: the node, and those that a hospital could have instead."""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools.benchmark.processes import free_port, listening

ROOT = Path(__file__).resolve().parents[2]
NODE, PYNETDICOM, DCMTK, ORTHANC, ROUTER = "node", "pynetdicom storescp", "DCMTK storescp --fork", "Orthanc", "dicom-ai-router"
#: Quiet time of the receivers that have one: no study becomes complete while it is measured how it arrives.
_QUIET_S = 600
_ROUTER_VERSION = "0.3.0"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver; ``clear`` deletes what it holds and returns how many instances that were, ``url`` is for HTTP."""

    name: str
    port: int
    ae_title: str
    pid: int
    clear: Callable[[], int]
    url: str = ""


@contextmanager
def running_node(folder: Path, environment: Mapping[str, str]) -> Iterator[Receiver]:
    """Run ``cspine-node receive`` as it comes, fsync and all."""
    port = free_port()
    reception = {"bind_address": "127.0.0.1", "port": port, "completion": {"quiet_s": _QUIET_S}, "minimum_free_disk_mb": 500}
    settings = {"store": "file:store", "database": "sqlite:jobs.db", "reception": reception}
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, "-m", "node", "receive", "--config", str(folder / "config.yaml")]
    with listening(command, port, folder, {**environment, "PYTHONPATH": str(ROOT)}) as pid:
        yield Receiver(NODE, port, "CSPINE", pid, lambda: _emptied(folder / "store" / "studies", "*.dcm"))


@contextmanager
def running_pynetdicom(folder: Path, environment: Mapping[str, str]) -> Iterator[Receiver]:
    """Run the receiver that comes with pynetdicom."""
    port = free_port()
    command = [sys.executable, "-m", "pynetdicom", "storescp", "--quiet", "--output-directory", str(folder / "files"), str(port)]
    with listening(command, port, folder, environment) as pid:
        yield Receiver(PYNETDICOM, port, "STORESCP", pid, lambda: _emptied(folder / "files", "*"))


@contextmanager
def running_dcmtk(folder: Path, environment: Mapping[str, str]) -> Iterator[Receiver]:
    """Run DCMTK's storescp with a process for each association."""
    port = free_port()
    (folder / "files").mkdir(parents=True)
    command = ["storescp", "--fork", "--output-directory", str(folder / "files"), str(port)]
    with listening(command, port, folder, environment) as pid:
        yield Receiver(DCMTK, port, "STORESCP", pid, lambda: _emptied(folder / "files", "*"))


@contextmanager
def running_orthanc(folder: Path, environment: Mapping[str, str]) -> Iterator[Receiver]:
    """Run Orthanc with the settings of the demo."""
    port, http_port = free_port(), free_port()
    settings = json.loads((ROOT / "docker" / "orthanc.json").read_text(encoding="utf-8"))
    settings |= {"StorageDirectory": "files", "IndexDirectory": "files", "DicomPort": port, "HttpPort": http_port}
    folder.mkdir(parents=True)
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    with listening(["Orthanc", "orthanc.json"], port, folder, environment) as pid:
        url = f"http://127.0.0.1:{http_port}"
        yield Receiver(ORTHANC, port, "ORTHANC", pid, lambda: _emptied_orthanc(url), url)


@contextmanager
def running_router(folder: Path, environment: Mapping[str, str]) -> Iterator[Receiver]:
    """Run dicom-ai-router out of a virtual environment of its own, which is made the first time.

    Raises
    ------
    RuntimeError
        If it cannot be installed.
    """
    port = free_port()
    settings = {
        "router": {
            "ae_title": "AIROUTER",
            "port": port,
            "bind_address": "127.0.0.1",
            "study_quiet_seconds": _QUIET_S,
            "workdir": ".",
        },
        "pacs": {"ae_title": "PACS", "host": "127.0.0.1", "port": 1},
        "ai_endpoints": {},
        "rules": [],
        "deid": {"salt": ""},
    }
    folder.mkdir(parents=True)
    (folder / "router.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [_router_python(), "-m", "airouter", "serve", "--config", "router.yaml"]
    with listening(command, port, folder, {**environment, "AIROUTER_DEID_SALT": "of a benchmark, no secret"}) as pid:
        yield Receiver(ROUTER, port, "AIROUTER", pid, lambda: _emptied(folder / "inbox", "*.dcm"))


RECEIVERS = {
    NODE: running_node,
    PYNETDICOM: running_pynetdicom,
    DCMTK: running_dcmtk,
    ORTHANC: running_orthanc,
    ROUTER: running_router,
}


def is_missing(name: str) -> str:
    """Return why a receiver cannot be run here, nothing if it can."""
    program = {DCMTK: "storescp", ORTHANC: "Orthanc"}.get(name)
    if program and shutil.which(program) is None:
        return f"the program {program} is not installed"
    if name == ROUTER:
        try:
            _router_python()
        except RuntimeError as error:
            return str(error)
    return ""


def _router_python() -> str:
    """Return the Python of the environment that holds dicom-ai-router; none of its packages become ours."""
    environment = ROOT / ".artifacts" / "dicom-ai-router"
    python = str(environment / "bin" / "python")
    if not _succeeds(python, "-c", "import airouter"):
        is_made = _succeeds(sys.executable, "-m", "venv", "--clear", str(environment))
        if not is_made or not _succeeds(python, "-m", "pip", "install", "--quiet", f"dicom-ai-router=={_ROUTER_VERSION}"):
            raise RuntimeError(f"dicom-ai-router {_ROUTER_VERSION} could not be installed by pip")
    return python


def _succeeds(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 0


def _emptied(folder: Path, pattern: str) -> int:
    files = [path for path in folder.rglob(pattern) if path.is_file()]
    for path in folder.iterdir() if folder.is_dir() else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return len(files)


def _emptied_orthanc(url: str) -> int:
    count = int(json.loads(asked(f"{url}/statistics"))["CountInstances"])
    for patient in json.loads(asked(f"{url}/patients")):
        asked(f"{url}/patients/{patient}", "DELETE")
    return count


def asked(url: str, method: str = "GET", body: bytes | None = None) -> bytes:
    """Return what a server on loopback answers."""
    request = urllib.request.Request(url, body, method=method)  # noqa: S310 - of loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return bytes(answer.read())
