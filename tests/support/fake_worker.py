"""Run a real worker process with fake stages: ``python -m tests.support.fake_worker CONFIG WORLD SLOT``."""

import os
import signal
import sys
import threading
from pathlib import Path

from node.config import Config, load_config
from node.domain.errors import NodeError
from node.durable import Collaborators, Sender
from node.log import configure_logging
from node.workflows import work_until_stopped
from tests.support.fake_world import FakeAnalyser, FakeDeliverer, FakeShadow, World


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def digest(world: World, study_instance_uid: str) -> str:
    found = world.get(f"digest {study_instance_uid}") or "digest 1"
    if found == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return found


def sender_of(config: Config) -> Sender:
    from node.webhooks import WebhookSender  # noqa: PLC0415 - a second of every start that needs none

    return WebhookSender(config.webhooks, "http://node.example")


def main(config_path: str, world_path: str, slot: str) -> int:
    config = load_config(Path(config_path))
    configure_logging(config.log.level)
    world = World(Path(world_path))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    collaborators = Collaborators(
        FakeAnalyser(world),
        FakeDeliverer(world),
        lambda uid: digest(world, uid),
        config.destinations,
        sweep=lambda: world.note("swept") or "nothing",
        shadow=None if world.get("has shadow") is None else FakeShadow(world),
        sender=sender_of(config) if config.webhooks else None,
        collect_feedback=lambda: world.set("feedback collected") or "nothing",
    )
    try:
        work_until_stopped(config, int(slot), collaborators, stop, lambda: say("ready"))
    except NodeError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
