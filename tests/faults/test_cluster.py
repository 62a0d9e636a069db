"""Machines on one Postgres: killed at random moments, gone for ever, cut off from the network and joined again."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from node.reporting import read_report
from tests.support.cluster import Cluster
from tests.support.dicom_peers import dataset_bytes
from tests.support.external import drops_sockets, wait_until
from tests.support.island import island
from tests.support.nightly import at_night, tell, times
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.recording_pacs import RecordingPacs
from tests.support.senders import Sender, SentStudy, small_study
from tests.support.toy_worker import content_digest

RECEIVERS = ("receiver 1", "receiver 2")
WORKERS = ("worker 1", "worker 2", "worker 3")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@drops_sockets
@pytest.mark.parametrize("seed", [1])
def test_a_cluster_that_is_killed_at_random_delivers_each_study_once(server: PostgresServer, tmp_path: Path, seed: int):
    rng = random.Random(seed)  # noqa: S311 - seeded, not secret
    studies = [small_study(tmp_path / "sent", rng, images=4) for _ in range(times(12, 300))]
    with RecordingPacs() as pacs, Cluster(tmp_path / "node", server.new_database(), pacs.destination()) as cluster:
        for machine in (*RECEIVERS, WORKERS[2]):
            cluster.start(machine, wait=False)
        for machine in (*RECEIVERS, WORKERS[2]):
            cluster.wait_until_ready(machine)
        senders = [
            Sender(cluster.ports[receiver], halves(studies, part), pace_s=0.8, seed=seed + part)
            for part, receiver in enumerate(RECEIVERS)
        ]
        for sender in senders:
            sender.start()
        wait_until(lambda: "analysis begun" in cluster.log(WORKERS[2]), "the first worker begins an analysis", 60)
        for worker in WORKERS[:2]:
            cluster.start(worker, wait=False)
        cluster.kill(WORKERS[2])
        for worker in WORKERS[:2]:
            cluster.wait_until_ready(worker)
        deadline_s = time.monotonic() + times(15, 600)
        is_going_on = lambda: time.monotonic() < deadline_s or any(sender.is_alive() for sender in senders)  # noqa: E731
        kills = kill_at_random(cluster, (*RECEIVERS, *WORKERS[:2]), rng, is_going_on)
        for sender in senders:
            sender.join(120)
        uids = [study.uid for study in studies]
        states = cluster.wait_for_ends(uids, times(90, 900))
        check(cluster, pacs, studies)
        assert "job taken over" in cluster.log()
        analyses = [one for uid in uids for one in cluster.jobs.study(uid).analyses]
        tell(
            "cluster",
            studies=len(states),
            states=dict(Counter(states.values())),
            kills=kills | {WORKERS[2]: 1},
            analyses=len(analyses),
            interruptions=sum(one.interruptions for one in analyses),
            taken_over=cluster.log().count("job taken over"),
            stores=pacs.stores.total(),
            objects=len(pacs.instances),
            deadlocks=cluster.deadlocks(),
        )


@at_night
@drops_sockets
def test_a_machine_that_loses_its_network_is_replaced_and_takes_part_again(tmp_path: Path):
    """Nobody closes its connections: the server frees its lock when nothing has answered it for 25 s."""
    rng = random.Random(1)  # noqa: S311 - seeded, not secret
    studies = [small_study(tmp_path / "sent", rng, images=4) for _ in range(4)]
    with (
        island() as far,
        running_postgres(far.address) as server,
        RecordingPacs(address=far.address) as pacs,
        Cluster(tmp_path / "node", server.new_database(), pacs.destination(), quiet_s=1.0) as cluster,
    ):
        cluster.start("receiver 1")
        cluster.start("worker 1", before=far.inside)
        send(cluster, studies[:3])
        wait_until(lambda: "analysis begun" in cluster.log("worker 1"), "the far worker begins an analysis", 60)
        far.pull()
        cluster.start("worker 2")
        cluster.wait_for_ends([study.uid for study in studies[:3]], 120)
        assert "job taken over" in cluster.log("worker 2")
        cluster.kill("worker 2")
        far.plug()
        send(cluster, studies[3:])
        cluster.wait_for_ends([studies[3].uid], 120)
        check(cluster, pacs, studies)


def send(cluster: Cluster, studies: list[SentStudy]) -> None:
    """Send studies to the first receiver until it has them."""
    sender = Sender(cluster.ports["receiver 1"], studies)
    sender.start()
    sender.join(60)


def halves(studies: list[SentStudy], part: int) -> list[SentStudy]:
    """Return the images of each study that go to one of two receivers."""
    return [SentStudy(study.uid, dict(list(study.paths.items())[part::2])) for study in studies]


def kill_at_random(
    cluster: Cluster, machines: Sequence[str], rng: random.Random, is_going_on: Callable[[], bool]
) -> dict[str, int]:
    """Kill and start machines while something goes on; return how often each was killed."""
    kills = Counter[str]()
    while is_going_on():
        time.sleep(rng.uniform(0.2, 2.0))  # the moment of the kill is what is random
        machine = rng.choice(machines)
        cluster.kill(machine)
        kills[machine] += 1
        cluster.start(machine)
    return dict(kills)


def check(cluster: Cluster, pacs: RecordingPacs, studies: list[SentStudy]) -> None:
    """Every study is delivered with all its images; the PACS holds what the ledger says, each object once."""
    assert set(cluster.states().values()) == {"delivered"}
    on_disk = {path.stem: path for path in (cluster.store.root / "studies").rglob("*.dcm")}
    results: list[str] = []
    for study in studies:
        assert all(dataset_bytes(on_disk[uid]) == dataset_bytes(path) for uid, path in study.paths.items())
        analyses = cluster.jobs.study(study.uid).analyses
        reported = [read_report(Path(one.folder or "")) for one in analyses if one.folder]
        results += [item.instance.sop_instance_uid for report in reported for item in report]
        content = content_digest([on_disk[uid] for uid in study.paths])
        assert [pacs.instances[item.instance.sop_instance_uid].ImageComments for item in reported[-1]] == [content] * 2
    assert sorted(results) == sorted(pacs.instances), "what was reported is in the PACS, each once, and nothing else"
    assert all(len(digests) == 1 for digests in pacs.digests.values()), "one UID, two contents"
    assert cluster.deadlocks() == 0
