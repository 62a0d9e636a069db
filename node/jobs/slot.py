"""The place of one worker process, held by a lock that ends with the process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.domain.errors import ConfigError, Reason


def _lock_path(folder: Path, executor_id: str) -> Path:
    return folder / f"worker-{executor_id}.lock"


@contextmanager
def hold_slot(folder: Path, executor_id: str) -> Iterator[None]:
    """Hold the place of a worker for the time of the block.

    Two processes with one name would both take up the same interrupted job.

    Raises
    ------
    ConfigError
        ``already_running`` if a live process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _lock_path(folder, executor_id).open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            process = lock.read(16).strip() or "unknown"
            raise ConfigError(
                Reason.ALREADY_RUNNING,
                f"worker {executor_id} already runs as process {process}; stop it, or give this one another --slot",
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def is_slot_free(folder: Path, executor_id: str) -> bool:
    """Return whether no live process holds the place of a worker."""
    path = _lock_path(folder, executor_id)
    if not path.is_file():
        return True
    with path.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
