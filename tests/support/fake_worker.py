"""Run a real worker process with fake stages: ``python -m tests.support.fake_worker CONFIG WORLD SLOT``."""

import signal
import sys
import threading
from pathlib import Path

from node.config import load_config
from node.domain.errors import NodeError
from node.log import configure_logging
from node.workflows import Collaborators, work_until_stopped
from tests.support.fake_world import FakeAnalyser, FakeDeliverer, World


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(config_path: str, world_path: str, slot: str) -> int:
    config = load_config(Path(config_path))
    configure_logging(config.log.level)
    world = World(Path(world_path))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    collaborators = Collaborators(
        FakeAnalyser(world),
        FakeDeliverer(world),
        lambda uid: world.get(f"digest {uid}") or "digest 1",
        config.destinations,
        sweep=lambda: world.note("swept") or "nothing",
    )
    try:
        work_until_stopped(config, int(slot), collaborators, stop, lambda: say("ready"))
    except NodeError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
