"""The supervisor with real child processes."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.service import ChildKeeper, Role, roles
from tests.support.external import wait_until
from tests.support.fake_world import Process

READY_THEN_WAIT = "import sys; print('child ready', flush=True); sys.stdin.read()"


class Kept:
    """A child kept in a thread, as ``serve`` does it."""

    def __init__(self, code: str, grace_s: float = 5.0) -> None:
        self.stop = threading.Event()
        self.said: list[str] = []
        self.keeper = ChildKeeper(Role("child", (sys.executable, "-c", code)), self.stop, self.said.append, grace_s)
        self._thread = threading.Thread(target=self.keeper.keep)
        self._thread.start()

    def end(self) -> None:
        self.stop.set()
        self.keeper.terminate()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def kept() -> Iterator[list[Kept]]:
    started: list[Kept] = []
    yield started
    for one in started:
        one.end()


def test_child_that_dies_is_started_again(kept: list[Kept]):
    one = Kept("import os; print(os.getpid(), flush=True); input()")
    kept.append(one)
    wait_until(lambda: len(one.said) == 1, "first start")
    os.kill(int(one.said[0]), signal.SIGKILL)
    wait_until(lambda: len(one.said) == 2, "second start")
    assert one.said[0] != one.said[1]
    assert not one.keeper.has_given_up


def test_child_that_cannot_start_ends_the_service_at_once(kept: list[Kept]):
    one = Kept("raise SystemExit(1)")
    kept.append(one)
    assert one.stop.wait(10)
    wait_until(lambda: one.keeper.has_given_up, "giving up")


def test_child_that_asks_for_it_is_tried_again(kept: list[Kept], tmp_path: Path):
    marker = tmp_path / "marker"
    code = f"import pathlib; p = pathlib.Path({str(marker)!r}); e = p.exists(); p.touch(); e or exit(75); {READY_THEN_WAIT}"
    one = Kept(code)
    kept.append(one)
    wait_until(lambda: one.said == ["child ready"], "second start")
    assert not one.keeper.has_given_up


def test_stop_ends_a_child_that_listens_to_it():
    one = Kept(READY_THEN_WAIT)
    wait_until(lambda: one.said == ["child ready"], "start")
    before_s = time.monotonic()
    one.end()
    assert time.monotonic() - before_s < 5
    assert not one.keeper.has_given_up


def test_roles_are_a_receiver_and_the_wanted_workers(tmp_path: Path):
    path = tmp_path / "config.yaml"
    made = roles(2, path)
    assert [role.name for role in made] == ["receiver", "worker 0", "worker 1"]
    assert all(role.command[-2:] == ("--config", str(path)) for role in made)
    assert "--config" not in roles(1, None)[0].command


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Process]:
    """A supervised receiver whose parent is a process that can be killed."""
    config = tmp_path / "config.yaml"
    config.write_text(
        "database: sqlite:jobs.db\nstore: file:store\n"
        "reception: {port: 0, bind_address: 127.0.0.1, minimum_free_disk_mb: 0}\njobs: {shutdown_grace_s: 2}\n"
    )
    parent = (
        "import subprocess, sys; from node.service import roles; from pathlib import Path; "
        f"child = subprocess.Popen(roles(0, Path({str(config)!r}))[0].command, stdin=subprocess.PIPE); "
        "print(child.pid, flush=True); child.wait()"
    )
    process = Process(["-c", parent], tmp_path / "log")
    yield process
    process.kill()


def test_child_ends_when_its_parent_is_killed(receiver: Process):
    pid = int(receiver.line())
    assert receiver.line().startswith("receiver ready on port ")
    receiver.send(signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), "the child to end", 30)
    assert "parent process is gone" in receiver.log
