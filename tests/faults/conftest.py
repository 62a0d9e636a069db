"""What all the tests of this folder have in common."""

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pynetdicom drop sockets of connections that were refused or reset without closing them: that is what is tested."""
    for item in items:
        if _HERE in item.path.parents:
            for warning in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{warning}"))
