"""A job database, a fake world and real worker processes on them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from node.domain.identity import StudyInstanceUID
from node.domain.job import JobState
from node.jobs import JobClient, open_jobs
from tests.support.external import wait_until
from tests.support.fake_world import Process, World

STUDY = StudyInstanceUID("1.2.840.1")
OTHER_STUDY = StudyInstanceUID("1.2.840.10")

CONFIG = """\
database: {database}
store: file:{folder}/store
jobs:
  workers: {workers}
  polling_s: 0.05
  shutdown_grace_s: 5
  takeover_s: 0.6
  start_patience_s: {start_patience_s}
  machine_name: {machine}
  alarm_s: {alarm_s}
  maximum_recovery_attempts: 2
  retry: {{first_delay_s: 0.1, maximum_attempts: 3}}
webhooks: {webhooks}
destinations:
  - {{name: pacs, host: a.example, port: 104, ae_title: PACS, retry: {{first_delay_s: 0.1, maximum_attempts: {attempts}}}}}
  - {{name: archive, host: b.example, port: 104, ae_title: ARCHIVE, retry: {{first_delay_s: 0.1, maximum_attempts: {attempts}}}}}
"""


@dataclass
class Node:
    """A job database, a fake world and the worker processes on them."""

    folder: Path
    database: str
    world: World
    jobs: JobClient
    processes: list[Process] = field(default_factory=list)
    webhooks: str = "[]"
    start_patience_s: float = 40

    def work(self, slot: int = 0, workers: int = 1, attempts: int = 3, machine: str = "here", alarm_s: float = 600) -> Process:
        config = self.folder / f"config-{machine}-{slot}-{workers}-{attempts}.yaml"
        names = {"workers": workers, "attempts": attempts, "machine": machine, "alarm_s": alarm_s}
        text = CONFIG.format(
            database=self.database, folder=self.folder, webhooks=self.webhooks, start_patience_s=self.start_patience_s, **names
        )
        config.write_text(text, encoding="utf-8")
        arguments = ["-m", "tests.support.fake_worker", str(config), str(self.world.folder), str(slot)]
        process = Process(arguments, self.folder / "log")
        self.processes.append(process)
        return process

    def working(self, slot: int = 0, workers: int = 1, attempts: int = 3, machine: str = "here", alarm_s: float = 600) -> Process:
        process = self.work(slot, workers, attempts, machine, alarm_s)
        assert process.line() == "ready", process.log
        return process

    def state(self, study: StudyInstanceUID = STUDY) -> JobState:
        return self.jobs.study(study).study.state

    def delivery(self, destination: str, study: StudyInstanceUID = STUDY) -> str | None:
        current = self.jobs.study(study).study.current
        states = {one.destination: one.state for one in current.deliveries} if current else {}
        return states.get(destination)

    def wait_for(self, state: JobState, study: StudyInstanceUID = STUDY) -> None:
        wait_until(lambda: self.state(study) == state, f"{study} to be {state}: {self.jobs.study(study)}", 30)

    def wait_for_delivery(self, destination: str, state: str, study: StudyInstanceUID = STUDY) -> None:
        wait_until(lambda: self.delivery(destination, study) == state, f"{destination} to be {state}", 30)


def make_node(folder: Path, database: str) -> Iterator[Node]:
    world = World(folder / "world")
    world.folder.mkdir()
    node = Node(folder, database, world, open_jobs(database))
    try:
        yield node
    finally:
        for process in node.processes:
            process.kill()
        node.jobs.close()
