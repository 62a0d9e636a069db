"""Everything on one machine: receiver, workers and web as processes of their own, kept alive by one that does nothing else.

A crash or an out-of-memory in a model library ends a worker, never an association. A child knows that its parent is
gone when its standard input ends; so no child outlives a parent that was killed.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from node.config import load_config
from node.domain.job import retry_delay_s
from node.log import configure_logging

_log = logging.getLogger(__name__)

#: Exit code of a role that could not start now and may later; EX_TEMPFAIL of sysexits.h.
EXIT_TRY_AGAIN = 75

_FIRST_RESTART_S = 0.5
_MAXIMUM_RESTART_S = 60.0
_STEADY_S = 60.0
# What a child may need beyond its own grace to close its files and connections.
_KILL_MARGIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Role:
    """One child process: its name and its command line."""

    name: str
    command: tuple[str, ...]


def roles(workers: int, config_path: Path | None, *, has_web: bool = False) -> tuple[Role, ...]:
    """Return the receiver, as many workers as wanted, and the web role where it is."""
    options = ("--supervised", *(() if config_path is None else ("--config", str(config_path))))
    program = (sys.executable, "-m", "node")
    receiver = Role("receiver", (*program, "receive", *options))
    working = (Role(f"worker {slot}", (*program, "work", "--slot", str(slot), *options)) for slot in range(workers))
    return (receiver, *working, *((Role("web", (*program, "web", *options)),) if has_web else ()))


def serve(config_path: Path | None, say: Callable[[str], None]) -> bool:
    """Run the node until a signal ends it; return False if a part could not start at all.

    Parameters
    ----------
    say
        Called with one line when a child is ready.

    Raises
    ------
    ConfigError
        If the configuration cannot be used.
    """
    config = load_config(config_path)
    configure_logging(config.log.level)
    stop = stop_when_told()
    wanted = roles(config.jobs.workers, config_path, has_web=config.web.enabled)
    keepers = [ChildKeeper(role, stop, say, config.jobs.shutdown_grace_s) for role in wanted]
    threads = [threading.Thread(target=keeper.keep, name=keeper.role.name) for keeper in keepers]
    for thread in threads:
        thread.start()
    stop.wait()
    for keeper in keepers:
        keeper.terminate()
    for thread in threads:
        thread.join()
    return not any(keeper.has_given_up for keeper in keepers)


class ChildKeeper:
    """Keeps one child process running: starts it, starts it again when it dies, stops it.

    A child that ends before it was ready for the first time is not started again, unless it asks for that with
    :data:`EXIT_TRY_AGAIN`: a taken port or a missing model is for a person to mend.
    """

    def __init__(self, role: Role, stop: threading.Event, say: Callable[[str], None], grace_s: float) -> None:
        self.role = role
        self.has_given_up = False
        self._stop = stop
        self._say = say
        self._grace_s = grace_s
        self._child: subprocess.Popen[str] | None = None
        self._was_ready = False
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Run the child until ``stop`` is set; sets ``stop`` itself when it gives up."""
        quick_ends = 0
        while not self._stop.is_set():
            started_s = time.monotonic()
            code = self._run()
            if self._stop.is_set():
                break
            if not self._was_ready and code != EXIT_TRY_AGAIN:
                _log.error("process could not start", extra={"role": self.role.name, "exit_code": code})
                self.has_given_up = True
                self._stop.set()
                break
            quick_ends = 1 if time.monotonic() - started_s > _STEADY_S else quick_ends + 1
            delay_s = retry_delay_s(quick_ends, _FIRST_RESTART_S, _MAXIMUM_RESTART_S)
            _log.warning("process ended", extra={"role": self.role.name, "exit_code": code, "restart_in_s": delay_s})
            self._stop.wait(delay_s)

    def _run(self) -> int:
        """Run the child once, pass on what it says, and return its exit code."""
        with self._lock:
            if self._stop.is_set():
                return 0
            self._child = _start(self.role)
        with self._child as child:
            for line in child.stdout or ():
                self._was_ready = True
                self._say(line.rstrip("\n"))
            return child.wait()

    def terminate(self) -> None:
        """Ask the child to stop; kill it when its grace is over."""
        with self._lock:
            child = self._child
        if child is None:
            return
        child.terminate()
        timer = threading.Timer(self._grace_s + _KILL_MARGIN_S, child.kill)
        timer.daemon = True
        timer.start()


def _start(role: Role) -> subprocess.Popen[str]:
    return subprocess.Popen(role.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def stop_when_told(parent_grace_s: float | None = None) -> threading.Event:
    """Return an event that SIGTERM and SIGINT set.

    Parameters
    ----------
    parent_grace_s
        For a child of :func:`serve`: the event is also set when the parent is gone, and the process ends by force
        this long after.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if parent_grace_s is not None:
        watch = threading.Thread(target=_watch_parent, args=(stop, parent_grace_s + _KILL_MARGIN_S), daemon=True)
        watch.start()
    return stop


def _watch_parent(stop: threading.Event, force_after_s: float) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        continue
    if not stop.is_set():
        _log.warning("parent process is gone")
        stop.set()
    time.sleep(force_after_s)
    os._exit(1)
