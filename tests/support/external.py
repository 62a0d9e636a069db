"""External programs and conditions that tests wait for."""

import functools
import gc
import os
import shutil
import socket
import time
import warnings
from collections.abc import Callable

import pytest


def drops_sockets(test: Callable[..., None]) -> Callable[..., None]:
    """Let pynetdicom drop sockets of refused and reset connections without closing them, and collect them in this test."""

    @functools.wraps(test)
    def wrapped(*arguments: object, **named: object) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            try:
                test(*arguments, **named)
            finally:
                gc.collect()

    return wrapped


def require_tool(name: str) -> str:
    """Return the path of a program; without it skip the test, or fail it where CI is set."""
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"the program {name} is not installed")
    return path


def free_port() -> int:
    """Return a port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = 15.0) -> None:
    """Return when a condition holds; fail the test if it does not within the deadline."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            pytest.fail(f"waited {deadline_s:g} s in vain: {what}")
        time.sleep(0.01)
