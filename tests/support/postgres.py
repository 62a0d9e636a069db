"""A private Postgres server in a temporary folder, for one test session."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.external import free_port

_USER = "postgres"


def postgres_programs() -> Path:
    """Return the folder of Postgres' programs; without it skip the test, or fail it where CI is set."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    if on_path:
        return Path(on_path).parent
    (pytest.fail if os.environ.get("CI") else pytest.skip)("Postgres is not installed")


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Give the URL of a server that listens on this machine only; Postgres refuses to run as root."""
    programs = postgres_programs()
    cluster = folder / "cluster"
    cluster.mkdir()
    prefix: list[str] = []
    if os.geteuid() == 0:
        owner = pwd.getpwnam(_USER)
        os.chown(cluster, owner.pw_uid, owner.pw_gid)
        prefix = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    port = free_port()

    def call(*command: str) -> None:
        subprocess.run([*prefix, *command], check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=60)

    initdb, control = str(programs / "initdb"), str(programs / "pg_ctl")
    call(initdb, "-D", str(cluster), "-A", "trust", "-U", _USER, "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    call(control, "-D", str(cluster), "-w", "-l", str(cluster / "log"), "-o", options, "start")
    try:
        yield f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
    finally:
        call(control, "-D", str(cluster), "-w", "-m", "immediate", "stop")
