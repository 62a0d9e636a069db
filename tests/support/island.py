"""A machine of its own on this one: a network namespace, joined by a cable that a test can pull."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Island:
    """The namespace, its end of the cable, and what it can reach.

    Parameters
    ----------
    name
        Of the namespace.
    address
        Of this machine, as the island sees it; nothing of it leaves this machine (198.18.0.0/15, RFC 2544).
    """

    name: str
    address: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What to put before a command that is to run there."""
        return ("ip", "netns", "exec", self.name)

    def pull(self) -> None:
        """Pull the cable: no side is told, as where a switch loses its power."""
        _ip("-n", self.name, "link", "set", "cable", "down")

    def plug(self) -> None:
        """Plug it in again."""
        _ip("-n", self.name, "link", "set", "cable", "up")


@contextmanager
def island() -> Iterator[Island]:
    """Make a namespace; skip the test where this machine does not let us, in CI too: it takes root and the right to do so."""
    number = random.randrange(1, 255)  # noqa: S311 - a name, not a secret
    name, cable = f"cspine-{os.getpid()}", f"cspine{number}"
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not allow network namespaces")
    try:
        _ip("link", "add", cable, "type", "veth", "peer", "name", "cable", "netns", name)
        _ip("address", "add", f"198.18.{number}.1/30", "dev", cable)
        _ip("-n", name, "address", "add", f"198.18.{number}.2/30", "dev", "cable")
        _ip("link", "set", cable, "up")
        for inner in ("lo", "cable"):
            _ip("-n", name, "link", "set", inner, "up")
        yield Island(name, f"198.18.{number}.1")
    finally:
        _ip("netns", "delete", name)  # takes the cable along


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)
