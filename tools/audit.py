"""Look up the locked dependencies in a service of known vulnerabilities: exit code 1 if one has a hole.

pip-audit calls a lock clean of which it could look up nothing, as behind a mirror of the package index; here that is said, and
does not fail. Usage: python tools/audit.py
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
OPTIONS = ("--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off", "--timeout", "10")
# Asked for first: without an answer to this one there is no service, and 150 more questions are spared.
PROBE = "pydicom==3.0.2"


def lookup(requirements: Path) -> tuple[list[Mapping[str, Any]], str]:
    """Return what pip-audit says of each requirement, and its messages."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), *OPTIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)["dependencies"], done.stderr
    except (json.JSONDecodeError, KeyError):
        return [], done.stderr


def verdict(dependencies: Sequence[Mapping[str, Any]], wanted: int) -> tuple[list[str], int]:
    """Return what to print, and the exit code."""
    answered = [one for one in dependencies if "vulns" in one]
    holes = [f"{one['name']} {one['version']}: {hole['id']}{fixes(hole)}" for one in answered for hole in one["vulns"]]
    lines = [f"audit: {len(answered)} of {wanted} locked dependencies looked up, {len(holes)} known vulnerabilities", *holes]
    if not answered:
        lines = ["audit: NOT DONE, no service of known vulnerabilities can be reached from here"]
    return lines, int(bool(holes))


def fixes(hole: Mapping[str, Any]) -> str:
    versions = ", ".join(hole.get("fix_versions") or ())
    return f" (fixed in {versions})" if versions else ""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(PROBE + "\n", encoding="ascii")
        dependencies, _ = lookup(probe)
    messages = ""
    if any("vulns" in one for one in dependencies):
        dependencies, messages = lookup(LOCK)
    wanted = sum("==" in line for line in LOCK.read_text(encoding="ascii").splitlines())
    lines, code = verdict(dependencies, wanted)
    print("\n".join(lines))
    if not dependencies and messages:
        print(messages.strip().splitlines()[-1], file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
