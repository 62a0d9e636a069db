"""The files that take longest come first, so that no core idles beside the last of them; see ``tools/check.sh``."""

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_LONGEST_FIRST = (
    "integration/test_plausibility_gate.py",
    "integration/test_jobs.py",
    "integration/test_takeover.py",
    "end_to_end/test_no_patient_data.py",
    "end_to_end/test_ohif.py",
    "faults/test_cluster.py",
    "end_to_end/test_recovery.py",
    "integration/test_web_browser.py",
    "end_to_end/test_phantom_study.py",
    "end_to_end/test_real_volume.py",
)
_FOLDERS = ("faults", "integration", "end_to_end", "property", "unit", "architecture", "training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file; the order within a file stays."""
    items.sort(key=lambda item: _place(item.path.relative_to(_HERE)))


def _place(path: Path) -> tuple[int, int]:
    name, folder = path.as_posix(), path.parts[0]
    first = _LONGEST_FIRST.index(name) if name in _LONGEST_FIRST else len(_LONGEST_FIRST)
    return first, _FOLDERS.index(folder) if folder in _FOLDERS else len(_FOLDERS)
