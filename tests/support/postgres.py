"""A private Postgres server in a temporary folder, for one test session."""

import os
import pwd
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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


class PostgresServer:
    """A server that listens at one address of this machine; Postgres refuses to run as root, so root hands it to its user."""

    def __init__(self, cluster: Path, address: str = "127.0.0.1") -> None:
        self._address = address
        self._programs = postgres_programs()
        self._cluster = cluster
        self._user = _hand_over(cluster) if os.geteuid() == 0 else []
        self._port = free_port()
        self._call("initdb", "-A", "trust", "-U", _USER, "-E", "UTF8", "--no-sync")
        with (cluster / "pg_hba.conf").open("a", encoding="ascii") as rules:
            rules.write(f"host all all {address}/30 trust\n")

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses={self._address} -c unix_socket_directories= -c fsync=off"
        self._call("pg_ctl", "-w", "-l", str(self._cluster / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop the server at once, as a crash does."""
        self._call("pg_ctl", "-w", "-m", "immediate", "stop")

    def new_database(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"jobs_{uuid.uuid4().hex}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://{_USER}@{self._address}:{self._port}/{database}"

    def _call(self, program: str, *arguments: str) -> None:
        command = [*self._user, str(self._programs / program), "-D", str(self._cluster), *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=60)


@contextmanager
def running_postgres(address: str = "127.0.0.1") -> Iterator[PostgresServer]:
    """Run a server with its files in a temporary folder; not in one of pytest, which closes them to other users."""
    with tempfile.TemporaryDirectory(prefix="cspine-postgres-") as folder:
        server = PostgresServer(Path(folder), address)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _hand_over(cluster: Path) -> list[str]:
    """Give a folder to Postgres' user, and return the command that runs another as that user."""
    owner = pwd.getpwnam(_USER)
    os.chown(cluster, owner.pw_uid, owner.pw_gid)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
