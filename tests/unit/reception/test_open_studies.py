"""Marks, hand-over and recovery, with a clock of our own."""

import os
from pathlib import Path

import pytest
from pydicom.uid import MRImageStorage, SegmentationStorage

from node.config import CompletionConfig
from node.domain.errors import Reason, TransientError
from node.domain.identity import StudyInstanceUID
from node.reception import Clock, OpenStudies, StudyAssembler
from node.store import InstanceHead, Store, open_store

STUDY = StudyInstanceUID("1.2.3")


class FakeClock:
    """Both clocks, set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, lambda: self.now_s + 1e9)


class Node:
    """Open studies over a store, with what was handed over."""

    def __init__(self, folder: Path) -> None:
        self.time = FakeClock()
        self.store: Store = open_store(f"file:{folder}")
        self.taken: list[StudyInstanceUID] = []
        self.restart()

    def restart(self) -> int:
        assembler = StudyAssembler(CompletionConfig(quiet_s=30, maximum_s=100))
        self.open_studies = OpenStudies(assembler, self.store, self.time.clock())
        return self.open_studies.restore()

    def arrive(self, sop_class: str = MRImageStorage) -> None:
        self.open_studies.note(InstanceHead(STUDY, "1.2.4", "1.2.5", sop_class, "MR", ""))

    def hand_over(self) -> int:
        return self.open_studies.hand_over(self.taken.append)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "store")


def test_a_study_is_marked_until_it_was_handed_over(node: Node):
    node.arrive()
    assert list(node.store.open_marks()) == [STUDY]
    assert node.hand_over() == 0
    node.time.now_s += 30
    assert node.hand_over() == 1
    assert node.taken == [STUDY]
    assert node.store.open_marks() == {}


def test_a_result_neither_opens_a_study_nor_keeps_it_open(node: Node):
    node.arrive(SegmentationStorage)
    assert node.store.open_marks() == {}
    assert [one.sop_instance_uid for one in node.store.returned.waiting()] == ["1.2.5"]
    node.arrive()
    node.time.now_s += 29
    node.arrive(SegmentationStorage)
    node.time.now_s += 1
    assert node.hand_over() == 1


def test_a_study_whose_hand_over_fails_stays_open_and_is_handed_over_again(node: Node):
    def unavailable(_study: StudyInstanceUID) -> None:
        raise TransientError(Reason.DATABASE_UNAVAILABLE, "down")

    node.arrive()
    node.time.now_s += 30
    assert node.open_studies.hand_over(unavailable) == 0
    assert list(node.store.open_marks()) == [STUDY]
    assert node.hand_over() == 0
    node.time.now_s += 30
    assert node.hand_over() == 1
    assert node.store.open_marks() == {}


def test_a_study_that_opens_again_during_its_hand_over_keeps_its_mark(node: Node):
    node.arrive()
    node.time.now_s += 30
    assert node.open_studies.hand_over(lambda _study: node.arrive()) == 1
    assert list(node.store.open_marks()) == [STUDY]
    node.time.now_s += 30
    assert node.hand_over() == 1
    assert node.store.open_marks() == {}


def test_marked_studies_are_open_again_after_a_crash(node: Node):
    node.arrive()
    os.utime(node.store.root / "open" / STUDY, (node.time.now_s + 1e9 - 20,) * 2)
    assert node.restart() == 1
    node.time.now_s += 9.9
    assert node.hand_over() == 0
    node.time.now_s += 0.1
    assert node.hand_over() == 1


def test_a_mark_from_the_future_counts_as_now(node: Node):
    node.arrive()
    os.utime(node.store.root / "open" / STUDY, (node.time.now_s + 2e9,) * 2)
    node.restart()
    node.time.now_s += 30
    assert node.hand_over() == 1


def test_waiting_is_bounded_by_the_next_study_and_by_one_that_may_still_arrive(node: Node):
    assert node.open_studies.seconds_to_next() == 30
    node.arrive()
    node.time.now_s += 12
    assert node.open_studies.seconds_to_next() == 18
    node.time.now_s += 100
    assert node.open_studies.seconds_to_next() == 0
    assert len(node.open_studies) == 1


class Neighbour:
    """Another receiver on the same store."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.store = open_store(f"file:{node.store.root}", "neighbour-104")

    def arrive(self) -> None:
        self.store.mark_open(STUDY)
        epoch_s = self._node.time.now_s + 1e9
        os.utime(self.store.marks.own_path(STUDY), (epoch_s, epoch_s))


def test_a_study_is_complete_when_it_is_quiet_at_every_receiver(node: Node):
    neighbour = Neighbour(node)
    node.arrive()
    node.time.now_s += 20
    neighbour.arrive()
    node.time.now_s += 10
    assert node.hand_over() == 0
    node.time.now_s += 20
    assert node.hand_over() == 1
    assert list(node.store.open_marks()) == [STUDY], "the neighbour hands it over as well"


def test_a_study_that_never_ends_elsewhere_is_handed_over_in_the_end(node: Node):
    neighbour = Neighbour(node)
    node.arrive()
    for _ in range(9):
        node.time.now_s += 10
        neighbour.arrive()
        assert node.hand_over() == 0
    node.time.now_s += 10
    neighbour.arrive()
    assert node.hand_over() == 1


def test_the_studies_of_a_receiver_that_is_gone_are_handed_over_by_another(node: Node):
    Neighbour(node).arrive()
    node.time.now_s += 89
    assert node.open_studies.adopt(silent_s=90) == 0
    node.time.now_s += 2
    assert node.open_studies.adopt(silent_s=90) == 1
    assert node.hand_over() == 1
    assert node.store.open_marks() == {}
