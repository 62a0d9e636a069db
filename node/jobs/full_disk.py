"""The engine waits where SQLite has no room, as it waits for a lock and for a server that is away.

It would give up the work whose record the disk did not take: done, not recorded, in nobody's queue until the worker starts again.
"""

import sqlite3

from dbos import _sys_db as engine_database
from dbos._utils import retriable_sqlite_exception

_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_PRIMARY = 0xFF  # of an error code: the rest says where it happened


def is_passing(error: Exception) -> bool:
    """Return whether what the engine was about to write to SQLite can be written later: the lock is held, or the disk full."""
    cause = getattr(error, "orig", None)
    has_no_room = isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", 0) & _PRIMARY in _NO_ROOM
    return has_no_room or retriable_sqlite_exception(error)


def wait_for_room() -> None:
    """Let the engine try again, with its own pauses, what it cannot write; it has no setting for that."""
    setattr(engine_database, "retriable_sqlite_exception", is_passing)  # noqa: B010 - not exported
