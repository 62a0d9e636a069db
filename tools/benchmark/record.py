"""``bench/latest.json``: the machine, and the latest result of each section with its date and the versions it ran with."""

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from node import __version__
from tools.benchmark.figures import Section

_PACKAGES = ("numpy", "pydicom", "pynetdicom", "highdicom", "onnxruntime", "torch", "dbos", "dicom-ai-router")
_PROGRAMS = {"DCMTK": ("storescu", "--version"), "Orthanc": ("Orthanc", "--version")}


def machine() -> dict[str, str | int | float]:
    """Return what the figures depend on of this machine; neither its name nor its paths."""
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="ascii"))
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "cpu": model.group(1).strip() if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory.group(1)) / 1e6) if memory else 0,
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": platform.release().partition("-")[0],
    }


def versions() -> dict[str, str]:
    """Return the versions of the node, of Python, and of the parts and peers that are installed."""
    found = {"cspine-node": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    for name, command in _PROGRAMS.items():
        if shutil.which(command[0]):
            answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout
            number = re.search(r"\d+\.\d+\.\d+", answer)
            found[name] = number.group(0) if number else "unknown"
    return found


def replaced(record: Mapping[str, Any], section: Section, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with one section put in the place of its older result.

    Parameters
    ----------
    about
        ``machine``, ``date`` and ``versions`` of this run; sections that ran on another machine do not stay beside it.
    """
    others = record.get("sections", {}) if record.get("machine") == about["machine"] else {}
    found = section.as_json() | {"date": about["date"], "versions": about["versions"]}
    return {"machine": about["machine"], "sections": dict(sorted((others | {section.name: found}).items()))}


def write_section(path: Path, section: Section) -> None:
    """Put a section into the file, which is made if it is not there."""
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    about = {"machine": machine(), "date": datetime.now(UTC).date().isoformat(), "versions": versions()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(replaced(record, section, about), indent=2) + "\n", encoding="utf-8")
