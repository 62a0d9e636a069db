"""The job database: SQLite on this machine's own disk, or Postgres for several machines, chosen by the URL."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dbos import DBOS
from dbos import error as dbos_error
from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from node.domain.errors import ConfigError, Reason, TransientError
from node.jobs.schema import SCHEMA, Row

#: Execution options of a transaction that only reads: on SQLite it takes no lock of a writer.
READING = {"cspine_reading": True}

_CONNECT_TIMEOUT_S = 10
_LOCK_TIMEOUT_S = 30
_RETRY_S = 0.1

# A conflict of two writers is among them: the second succeeds when it tries again.
_UNAVAILABLE = (
    OperationalError,
    InterfaceError,
    IntegrityError,
    PoolTimeoutError,
    sqlite3.Error,
    dbos_error.DBOSInitializationError,
    OSError,
)


def database_url(database: str) -> URL:
    """Return the SQLAlchemy URL of ``database`` in the configuration: ``sqlite:PATH`` or ``postgresql://...``."""
    if database.startswith("sqlite:"):
        path = database.removeprefix("sqlite:").removeprefix("///")
        return URL.create("sqlite", database=str(Path(path).absolute()))
    return make_url(database).set(drivername="postgresql+psycopg")


def sqlite_path(url: URL) -> Path | None:
    """Return the file of a SQLite database, None for a server."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def open_engine(url: URL) -> Engine:
    """Return an engine on the job database; connects to nothing."""
    if sqlite_path(url) is None:
        return _open_server_engine(url)
    engine = create_engine(url, connect_args={"timeout": _LOCK_TIMEOUT_S})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_immediately)
    return engine.execution_options(schema_translate_map={SCHEMA: None})


def _open_server_engine(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S})
    except ModuleNotFoundError as error:
        raise ConfigError(
            Reason.CONFIG_INVALID, "database: a postgresql:// URL needs the driver: pip install 'cspine-node[postgres]'"
        ) from error


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Transactions are begun by _begin_immediately: sqlite3 would begin them only at the first write, too late for
    # a transaction that reads and then writes.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_immediately(connection: Connection) -> None:
    is_reading = any(name in connection.get_execution_options() for name in READING)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def server_time(database: str) -> datetime:
    """Return the time of the database server; raise TransientError ``database_unavailable`` if we may not use it."""
    url = database_url(database)
    engine = open_engine(url)
    with translated_errors(url), engine.connect() as connection:
        moment = connection.scalar(select(func.now()))
    engine.dispose()
    return moment if isinstance(moment, datetime) else datetime.now(UTC)


def prepare_database(url: URL) -> None:
    """Create or bring up to date the tables of the engine and of the ledger; safe to repeat and to do at once.

    Raises
    ------
    TransientError
        ``database_unavailable``.
    """
    with translated_errors(url):
        engine = open_engine(url)
        if sqlite_path(url) is None:
            _prepare_server(url, engine)
        else:
            _create_sqlite_file(url)
            _migrate_engine_tables(url)
            with engine.begin() as connection:
                Row.metadata.create_all(connection)
        engine.dispose()


def _prepare_server(url: URL, engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, _alone(connection):
        _migrate_engine_tables(url)
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        Row.metadata.create_all(connection)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Be the only process that prepares the database: two that create the tables at once would both find them missing.

    Asks again and again, because a statement that waits for the lock has a snapshot, and the engine's migration, which
    makes an index concurrently, waits for every snapshot to end: both would wait for ever.
    """
    while not connection.execute(text("SELECT pg_try_advisory_lock(hashtext('cspine-node'))")).scalar_one():
        time.sleep(_RETRY_S)
    try:
        yield
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(hashtext('cspine-node'))"))


def _migrate_engine_tables(url: URL) -> None:
    DBOS.migrate(url.render_as_string(hide_password=False))


def _create_sqlite_file(url: URL) -> None:
    """Make the folder and the file in write-ahead mode, which stays with the file: readers do not wait for writers."""
    path = sqlite_path(url)
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


@contextmanager
def translated_errors(url: URL) -> Iterator[None]:
    """Turn what the database libraries raise inside the block into TransientError ``database_unavailable``."""
    try:
        yield
    except _UNAVAILABLE as error:
        cause = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        raise TransientError(
            Reason.DATABASE_UNAVAILABLE,
            f"the job database {url.render_as_string(hide_password=True)} cannot be used: {cause}; "
            "check `database` in the configuration and that the server runs",
        ) from error
