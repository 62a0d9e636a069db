"""The PACS of the demo: Orthanc where it is installed, else a second receiver of this node. Used by ``demo.py``."""

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom

ROOT = Path(__file__).resolve().parents[1]
_RESULT_MODALITIES = ("SEG", "SR")
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Pacs:
    """A running PACS, and how to list the results that it holds."""

    description: str
    ae_title: str
    port: int
    results: Callable[[], list[str]]


@contextmanager
def open_pacs(folder: Path, port: int, http_port: int) -> Iterator[Pacs]:
    """Run a PACS on given ports of this machine until the end of the block."""
    folder.mkdir(parents=True)
    start = _orthanc if shutil.which("Orthanc") else _second_receiver
    with start(folder, port, http_port) as pacs:
        yield pacs


@contextmanager
def _orthanc(folder: Path, port: int, http_port: int) -> Iterator[Pacs]:
    settings = json.loads((ROOT / "docker" / "orthanc.json").read_text(encoding="utf-8"))
    settings |= {"StorageDirectory": str(folder), "IndexDirectory": str(folder), "DicomPort": port, "HttpPort": http_port}
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    address = f"http://127.0.0.1:{http_port}"
    with _process(["Orthanc", str(folder / "orthanc.json")], folder / "orthanc.log") as process:
        _wait(lambda: process.poll() is not None or _answers(f"{address}/system"))
        yield Pacs(f"Orthanc, DICOM port {port}, web {address}", settings["DicomAet"], port, lambda: _orthanc_results(address))


def _orthanc_results(address: str) -> list[str]:
    lines = []
    for series in json.loads(_read(f"{address}/series?expand")):
        tags = series["MainDicomTags"]
        if tags.get("Modality") in _RESULT_MODALITIES:
            lines.append(
                f"{tags['Modality']}: {address}/app/explorer.html#series?uuid={series['ID']}  {tags.get('SeriesDescription', '')}"
            )
    return sorted(lines)


@contextmanager
def _second_receiver(folder: Path, port: int, _http_port: int) -> Iterator[Pacs]:
    reception = {"ae_title": "STANDIN", "bind_address": "127.0.0.1", "port": port, "minimum_free_disk_mb": 100}
    settings = {"store": "file:store", "database": "sqlite:jobs.db", "reception": reception}
    (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")
    log = folder / "pacs.log"
    command = [sys.executable, "-m", "node", "receive", "--config", str(folder / "config.yaml")]
    with _process(command, log) as process:
        _wait(lambda: process.poll() is not None or "ready" in log.read_text(encoding="utf-8"))
        description = f"a second receiver of this node stands in, DICOM port {port} (Orthanc is not installed)"
        yield Pacs(description, "STANDIN", port, lambda: _stored_results(folder / "store" / "studies"))


def _stored_results(folder: Path) -> list[str]:
    lines = []
    for path in sorted(folder.rglob("*.dcm")):
        modality = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Modality"]).get("Modality")
        if modality in _RESULT_MODALITIES:
            lines.append(f"{modality}: {path}")
    return sorted(lines)


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_S)


def _wait(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"the PACS did not start within {_PATIENCE_S:.0f} s")
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        _read(address)
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


def _read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - an address of this machine
        return bytes(answer.read())
