"""The disk of store and job database fills up at every step: what cannot be written is answered with a failure or done later."""

import random
from pathlib import Path

import pytest

from tests.support.dicom_peers import dataset_bytes
from tests.support.external import drops_sockets
from tests.support.fault_node import FaultNode
from tests.support.nightly import tell, times
from tests.support.recording_pacs import RecordingPacs
from tests.support.senders import Sender, small_study
from tests.support.small_disk import small_disk

#: How much is left when the study comes, in KB: for nothing, half an instance, some of them, a mark, a report, a job.
LEFT_KB = (0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
SETTINGS = {
    "reception": {"minimum_free_disk_mb": 0, "completion": {"quiet_s": 0.3}},
    "jobs": {"polling_s": 0.05, "retry": {"first_delay_s": 0.2, "maximum_delay_s": 0.5, "maximum_attempts": 1000}},
}


@drops_sockets
@pytest.mark.parametrize("seed", range(times(1, 4)))
def test_a_disk_that_is_full_loses_nothing(tmp_path: Path, seed: int):
    rng = random.Random(seed)  # noqa: S311 - seeded, not secret
    levels = rng.sample(LEFT_KB, times(5, len(LEFT_KB)))
    with (
        RecordingPacs() as pacs,
        small_disk(tmp_path / "disk", 24) as disk,
        FaultNode(disk.folder / "node", [pacs.destination()], SETTINGS, logs=tmp_path) as node,
    ):
        node.start("receiver")
        node.start("worker")
        senders = []
        for left_kb in levels:
            disk.fill(left_kb << 10)
            sender = Sender(node.port, [small_study(tmp_path / "sent", rng, images=4)])
            sender.start()
            sender.join(2.5)
            assert node.is_running("receiver"), node.log("receiver")
            assert node.is_running("worker"), node.log("worker")
            disk.free()
            sender.join(30)
            senders.append(sender)
        _everything_arrived(node, pacs, senders)


def _everything_arrived(node: FaultNode, pacs: RecordingPacs, senders: list[Sender]) -> None:
    accepted = {uid: study for sender in senders for uid, study in sender.accepted.items()}
    assert len(accepted) == 4 * len(senders)
    states = node.wait_for_ends([sender.studies[0].uid for sender in senders], 90)
    assert set(states.values()) == {"delivered"}, states
    on_disk = {path.stem: path for path in (node.store.root / "studies").rglob("*.dcm")}
    for uid, study in accepted.items():
        assert dataset_bytes(on_disk[uid]) == dataset_bytes(study.paths[uid])
    assert all(pacs.of_study(sender.studies[0].uid) for sender in senders)
    assert all(len(digests) == 1 for digests in pacs.digests.values())
    refused = sum(count for sender in senders for name, count in sender.answers.items() if name not in ("0x0000", "last"))
    tell("full disk", studies=len(states), images=len(accepted), refused=refused)
