"""A PACS that stops, hangs up after it accepted, or refuses a kind of result: each result is there once, in the end."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import Comprehensive3DSRStorage, SegmentationStorage
from pynetdicom import evt

from tests.support.external import drops_sockets, wait_until
from tests.support.fault_node import FaultNode
from tests.support.nightly import tell, times
from tests.support.recording_pacs import RecordingPacs
from tests.support.senders import Sender, SentStudy, small_study

COUNT = times(4, 40)


@pytest.fixture
def pacs() -> Iterator[RecordingPacs]:
    with RecordingPacs() as pacs:
        yield pacs


@pytest.fixture
def node(pacs: RecordingPacs, tmp_path: Path) -> Iterator[FaultNode]:
    # longer than any gap between two images of a sender: one that came later would make a second version of its study
    changes = {"reception": {"completion": {"quiet_s": 1.5}}, "jobs": {"polling_s": 0.05}}
    with FaultNode(tmp_path / "node", [pacs.destination()], changes) as node:
        node.start("receiver")
        node.start("worker")
        yield node


@pytest.fixture
def studies(tmp_path: Path) -> list[SentStudy]:
    rng = random.Random(3)  # noqa: S311 - seeded, not secret
    return [small_study(tmp_path / "sent", rng) for _ in range(COUNT)]


def send(node: FaultNode, studies: list[SentStudy]) -> None:
    sender = Sender(node.port, studies)
    sender.start()
    sender.join(60)
    assert len(sender.accepted) == sum(len(study.paths) for study in studies)


def each_once(pacs: RecordingPacs, studies: list[SentStudy]) -> None:
    for study in studies:
        assert [len(pacs.of_study(study.uid, kind)) for kind in ("SR", "SEG")] == [1, 1]
    assert all(len(digests) == 1 for digests in pacs.digests.values())
    tell("PACS", studies=len(studies), objects=len(pacs.instances), stores=pacs.stores.total())


@drops_sockets
def test_a_pacs_that_is_stopped_and_started_again_and_again_gets_every_result(node, pacs, studies):
    rng = random.Random(1)  # noqa: S311 - seeded, not secret
    sender = Sender(node.port, studies, pace_s=0.3)
    sender.start()
    stops = 0
    while sender.is_alive() or stops < times(3, 20):
        pacs.stop()
        sender.join(rng.uniform(0.1, 0.8))
        pacs.start()
        sender.join(rng.uniform(0.1, 0.8))
        stops += 1
    assert set(node.wait_for_ends([study.uid for study in studies]).values()) == {"delivered"}
    each_once(pacs, studies)
    tell("PACS", stops=stops)


@drops_sockets
def test_a_pacs_that_hangs_up_before_or_after_it_stored_gets_every_result_once(node, pacs, studies):
    rng = random.Random(2)  # noqa: S311 - seeded, not secret

    def misbehave(event: evt.Event, number: int) -> int | None:
        how = rng.choice(("stores", "hangs up", "stores and hangs up", "is full")) if number < 10 * COUNT else "stores"
        if how in ("hangs up", "stores and hangs up"):
            event.assoc.abort()
        return {"hangs up": 0xC000, "is full": 0xA700}.get(how)

    pacs.before_store = misbehave
    send(node, studies)
    assert set(node.wait_for_ends([study.uid for study in studies]).values()) == {"delivered"}
    each_once(pacs, studies)


def refuse_segmentations(event: evt.Event, _number: int) -> int | None:
    return 0x0122 if event.request.AffectedSOPClassUID == SegmentationStorage else None


@drops_sockets
def test_a_pacs_that_refuses_a_sop_class_by_status_gets_the_others_and_the_reason_is_shown(node, pacs, studies):
    pacs.before_store = refuse_segmentations
    send(node, studies)
    _others_arrive(node, pacs, studies)


@drops_sockets
def test_a_pacs_that_refuses_a_sop_class_by_context_gets_the_others_and_the_reason_is_shown(tmp_path: Path, studies):
    with RecordingPacs((Comprehensive3DSRStorage,)) as pacs, FaultNode(tmp_path / "node", [pacs.destination()]) as node:
        node.start("receiver")
        node.start("worker")
        send(node, studies[:1])
        _others_arrive(node, pacs, studies[:1])


def _others_arrive(node: FaultNode, pacs: RecordingPacs, studies: list[SentStudy]) -> None:
    for study in studies:
        wait_until(lambda study=study: _delivery(node, study) == "incomplete", "the delivery ends", 30)
        (delivery,) = node.history(study.uid).analyses[0].deliveries
        assert (delivery.stored_count, delivery.reason) == (1, "sop_class_refused")
        assert (len(pacs.of_study(study.uid)), len(pacs.of_study(study.uid, "SEG"))) == (1, 0)


def _delivery(node: FaultNode, study: SentStudy) -> str:
    states = node.states()
    analyses = node.history(study.uid).analyses if study.uid in states else ()
    return analyses[0].deliveries[0].state if analyses and analyses[0].deliveries else ""
