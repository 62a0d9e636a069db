"""The place of one worker in a cluster: a session lock of Postgres, which the server frees when the worker is gone.

Whoever holds the lock of an executor decides over the work that it has begun: the executor itself while it lives, and after
it the one that takes its work over. It needs a session of its own: a pool that hands out sessions by transaction, as PgBouncer
can, breaks it.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from node.domain.errors import ConfigError, Reason
from node.jobs.database import translated_errors

_log = logging.getLogger(__name__)

_RETRY_S = 0.2
# A machine that lost its power closes nothing: the server asks after it, and frees its lock within 25 s.
_SESSION = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c idle_session_timeout=0"
_CONNECTION = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
_TAKE = text("SELECT pg_try_advisory_lock(hashtextextended('cspine-node ' || :name, 0))")
_FREE = text("SELECT pg_advisory_unlock(hashtextextended('cspine-node ' || :name, 0))")


class Place:
    """Holds the lock of an executor; used by one thread at a time.

    Every method raises TransientError ``database_unavailable`` where the server is away.
    """

    def __init__(self, url: URL, executor_id: str) -> None:
        self._url = url
        self._executor_id = executor_id
        # The name shows whose session it is in pg_stat_activity; the server cuts it at 63 characters.
        arguments = {**_CONNECTION, "options": _SESSION, "application_name": f"cspine-node place {executor_id}"[:63]}
        self._engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=arguments)
        self._connection: Connection | None = None

    def take(self, patience_s: float) -> None:
        """Take the place, waiting for the session of a predecessor that is not yet known to be dead.

        Raises
        ------
        ConfigError
            ``already_running`` if another process holds it all that time.
        """
        deadline_s = time.monotonic() + patience_s
        while not self.keep():
            if time.monotonic() > deadline_s:
                raise ConfigError(
                    Reason.ALREADY_RUNNING,
                    f"worker {self._executor_id} already runs, here or on another machine; stop it, or give this one another "
                    "--slot or jobs.machine_name",
                )
            time.sleep(_RETRY_S)

    def keep(self) -> bool:
        """Return whether we hold the place; take it again if the connection was lost."""
        with translated_errors(self._url):
            if self._connection is not None and self._is_alive(self._connection):
                return True
            connection = self._engine.connect()
            if not _is_taken(connection, self._executor_id):
                connection.close()
                return False
            self._connection = connection
            return True

    @contextmanager
    def deciding_over(self, name: str) -> Iterator[bool]:
        """Hold another lock for the time of the block, if it is free; say whether it was."""
        connection = self._connection
        if connection is None:
            yield False
            return
        with translated_errors(self._url):
            is_free = _is_taken(connection, name)
            yield is_free
            if is_free:
                connection.execute(_FREE, {"name": name})

    def leave(self) -> None:
        """Give the place back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._engine.dispose()

    def _is_alive(self, connection: Connection) -> bool:
        try:
            connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            _log.warning("the place in the cluster was lost: %s", type(error).__name__, extra={"worker": self._executor_id})
            self._connection = None
            connection.invalidate()
            connection.close()
            return False
        return True


def _is_taken(connection: Connection, name: str) -> bool:
    return bool(connection.execute(_TAKE, {"name": name}).scalar_one())
