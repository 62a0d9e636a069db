"""A private Postgres server in a temporary folder, for one test session."""

import os
import pwd
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.external import free_port, require_tool

_USER = "postgres"


def postgres_programs() -> Path:
    """Return the folder of Postgres' programs; without it skip the test, or fail it where CI is set."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    return Path(require_tool("initdb")).parent


@dataclass(frozen=True)
class PostgresServer:
    """A running server that listens on this machine only."""

    port: int

    def url(self, database: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"jobs_{uuid.uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Run a server with its files in a temporary folder; Postgres refuses to run as root, so root hands it to its user.

    Not in a folder of pytest, which closes its folders to other users.
    """
    programs = postgres_programs()
    with tempfile.TemporaryDirectory(prefix="cspine-postgres-") as folder:
        cluster = Path(folder)
        with _running(programs, cluster, _hand_over(cluster) if os.geteuid() == 0 else []) as server:
            yield server


@contextmanager
def _running(programs: Path, cluster: Path, user: list[str]) -> Iterator[PostgresServer]:
    def call(program: str, *arguments: str) -> None:
        command = [*user, str(programs / program), "-D", str(cluster), *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=60)

    port = free_port()
    call("initdb", "-A", "trust", "-U", _USER, "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    call("pg_ctl", "-w", "-l", str(cluster / "log"), "-o", options, "start")
    try:
        yield PostgresServer(port)
    finally:
        call("pg_ctl", "-w", "-m", "immediate", "stop")


def _hand_over(cluster: Path) -> list[str]:
    """Give a folder to Postgres' user, and return the command that runs another as that user."""
    owner = pwd.getpwnam(_USER)
    os.chown(cluster, owner.pw_uid, owner.pw_gid)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
