"""Who sends: DCMTK's storescu with and without Nagle's algorithm, and pynetdicom; one process for each association."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, _config, build_context, evt

from node.delivery.checkpoint import guard_reactor
from tools.benchmark.receivers import ROOT, Receiver

_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Sender:
    """A way to send; ``is_prompt`` if neither side waits for acknowledgements before it sends (TCP_NODELAY)."""

    name: str
    program: str
    is_prompt: bool

    @property
    def environment(self) -> dict[str, str]:
        """Return what the sender and DCMTK's receivers are told about Nagle's algorithm."""
        return {"TCP_NODELAY": "1"} if self.is_prompt else {}


STORESCU = Sender("storescu", "storescu", is_prompt=False)
PROMPT_STORESCU = Sender("storescu TCP_NODELAY=1", "storescu", is_prompt=True)
PYNETDICOM_SCU = Sender("pynetdicom", "pynetdicom", is_prompt=True)
SENDERS = (STORESCU, PROMPT_STORESCU, PYNETDICOM_SCU)


def seconds_to_send(sender: Sender, receiver: Receiver, shares: Sequence[Path]) -> float:
    """Send each folder over an association of its own, all at the same time, and return how long that took.

    Raises
    ------
    RuntimeError
        If a sender failed.
    """
    environment = {**os.environ, **sender.environment, "PYTHONPATH": str(ROOT)}
    begin_s = time.monotonic()
    with ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(_command(sender, receiver, share), env=environment, stdin=PIPE, stdout=PIPE))
            for share in shares
        ]
        if sender.program == "pynetdicom":
            begin_s = _started_together(processes)
        codes = [process.wait(_TIMEOUT_S) for process in processes]
        seconds = time.monotonic() - begin_s
    if any(codes):
        raise RuntimeError(f"{sender.name} to {receiver.name} failed with exit codes {codes}")
    return seconds


def _command(sender: Sender, receiver: Receiver, share: Path) -> list[str]:
    if sender.program == "storescu":
        return ["storescu", "--scan-directories", "-aec", receiver.ae_title, "127.0.0.1", str(receiver.port), str(share)]
    return [sys.executable, "-m", "tools.benchmark.senders", receiver.ae_title, str(receiver.port), str(share)]


def _started_together(processes: Sequence["subprocess.Popen[bytes]"]) -> float:
    """Let processes begin when all of them have loaded what they need, and return when that was."""
    for process in processes:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        process.stdout.readline()
    begin_s = time.monotonic()
    for process in processes:
        assert process.stdin is not None  # noqa: S101 - a pipe
        process.stdin.write(b"\n")
        process.stdin.flush()
    return begin_s


def main(ae_title: str, port: int, folder: Path) -> bool:
    """Send the files of a folder as they are, and return whether all were taken."""
    _config.STORE_SEND_CHUNKED_DATASET = True  # do not decode them
    paths = sorted(folder.iterdir())
    print("ready", flush=True)
    sys.stdin.readline()
    entity = AE(ae_title="SCANNER")
    contexts = [build_context(MRImageStorage, ExplicitVRLittleEndian)]
    handlers: list[evt.EventHandlerType] = [(evt.EVT_CONN_OPEN, _be_prompt), (evt.EVT_CONN_OPEN, guard_reactor)]
    association = entity.associate("127.0.0.1", port, contexts, ae_title=ae_title, evt_handlers=handlers)
    answers = [association.send_c_store(path).get("Status") for path in paths] if association.is_established else [None]
    association.release()
    return set(answers) == {0}


def _be_prompt(event: evt.Event) -> None:
    transport = event.assoc.dul.socket
    assert transport is not None and transport.socket is not None  # noqa: S101, PT018 - it is open
    transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
