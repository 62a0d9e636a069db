"""Receiver and worker end again and again while four modalities send: what was accepted is analysed and delivered once."""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from node.reporting import read_report
from tests.support.dicom_peers import dataset_bytes
from tests.support.external import drops_sockets
from tests.support.fault_node import FaultNode
from tests.support.nightly import tell, times
from tests.support.recording_pacs import RecordingPacs
from tests.support.senders import Sender, SentStudy, small_study
from tests.support.toy_worker import content_digest

SENDERS = 4


@drops_sockets
@pytest.mark.parametrize(
    ("end", "images", "at_least", "seed"),
    [("kill", times(60, 1000), times(5, 60), 1), ("stop", times(40, 200), times(2, 12), 2)],
    ids=["kill -9", "SIGTERM"],
)
def test_nothing_is_lost_when_processes_end_at_random_moments(tmp_path: Path, end: str, images: int, at_least: int, seed: int):
    rng = random.Random(seed)  # noqa: S311 - seeded, not secret
    studies = [small_study(tmp_path / "sent", rng, images=5) for _ in range(images // 5)]
    with RecordingPacs() as pacs, FaultNode(tmp_path / "node", [pacs.destination()], {"jobs": {"polling_s": 0.05}}) as node:
        node.start("receiver")
        node.start("worker")
        senders = [Sender(node.port, studies[n::SENDERS], is_stubborn=n > 0, pace_s=0.6, seed=seed + n) for n in range(SENDERS)]
        for sender in senders:
            sender.start()
        ends = _end_while_sending(node, senders, rng, end, at_least)
        for sender in senders:
            sender.join(120)
        accepted = {uid: study for sender in senders for uid, study in sender.accepted.items()}
        states = node.wait_for_ends(sorted({study.uid for study in accepted.values()}), 120)
        answers = sum((sender.answers for sender in senders), Counter())
        tell(
            end,
            **ends,
            studies=len(states),
            states=dict(Counter(states.values())),
            images=len(accepted),
            answers=dict(answers),
        )
        _nothing_is_lost(node, pacs, accepted, {study.uid: study for study in studies})


def _end_while_sending(node: FaultNode, senders: list[Sender], rng: random.Random, end: str, at_least: int) -> dict[str, int]:
    """Kill a process, or stop it and see that it ends well, and start it again, until everything is sent."""
    ends = Counter[str]()
    while any(sender.is_alive() for sender in senders) or ends.total() < at_least:
        time.sleep(rng.uniform(0.05, 1.0))  # the moment of the end is what is random
        role = rng.choice(("receiver", "worker"))
        if end == "kill":
            node.kill(role)
        else:
            assert node.stop(role) == 0, node.log(role)
        node.start(role)
        ends[role] += 1
    return dict(ends)


def _nothing_is_lost(node: FaultNode, pacs: RecordingPacs, accepted: dict[str, SentStudy], studies: dict[str, SentStudy]) -> None:
    on_disk = {path.stem: path for path in (node.store.root / "studies").rglob("*.dcm")}
    for uid, study in accepted.items():
        assert dataset_bytes(on_disk[uid]) == dataset_bytes(study.paths[uid])
    assert set(node.states().values()) == {"delivered"}
    results: list[str] = []
    for uid in node.states():
        analyses = node.history(uid).analyses
        results += [item.instance.sop_instance_uid for one in analyses for item in read_report(Path(one.folder or ""))]
        last = read_report(Path(analyses[-1].folder or ""))
        content = content_digest([path for name, path in on_disk.items() if name in studies[uid].paths])
        assert [pacs.instances[item.instance.sop_instance_uid].ImageComments for item in last] == [content] * len(last)
    assert sorted(results) == sorted(pacs.instances), "what was reported is in the PACS, each once, and nothing else"
    assert all(len(digests) == 1 for digests in pacs.digests.values()), "one UID, two contents"
    tell("results", studies=len(node.states()), objects=len(results), stores=pacs.stores.total())
