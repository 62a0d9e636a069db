"""What ``tools/install_neighbours.sh`` puts into the repository: the OHIF viewer and JavaScript packages."""

import importlib.util
import os
from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / ".neighbours"


def neighbour(name: str) -> Path:
    """Return a folder of the neighbours; without it skip the test, or fail it where CI is set."""
    if not (_FOLDER / ".installed").exists():
        _missing(f"{name} of the neighbours is not installed")
    return _FOLDER / name


def require_package(name: str) -> None:
    """Skip the test where a Python package is not installed, or fail it where CI is set."""
    if importlib.util.find_spec(name) is None:
        _missing(f"the Python package {name} is not installed")


def _missing(what: str) -> None:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)
