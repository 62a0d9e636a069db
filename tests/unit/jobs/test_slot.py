from pathlib import Path

import pytest

from node.domain.errors import ConfigError, Reason
from node.jobs.slot import hold_slot, is_slot_free


def test_slot_is_held_once_and_free_afterwards(tmp_path: Path):
    with hold_slot(tmp_path, "local-0"):
        assert not is_slot_free(tmp_path, "local-0")
        with pytest.raises(ConfigError, match="local-0 already runs as process") as caught, hold_slot(tmp_path, "local-0"):
            pass
        assert caught.value.reason == Reason.ALREADY_RUNNING
        with hold_slot(tmp_path, "local-1"):
            pass
    assert is_slot_free(tmp_path, "local-0")
    with hold_slot(tmp_path, "local-0"):
        pass


def test_slot_that_was_never_used_is_free(tmp_path: Path):
    assert is_slot_free(tmp_path, "local-7")
