"""Two receivers that share a store: marks of their own, the latest arrival of both, and what one leaves behind."""

import os
import threading
from pathlib import Path

import pytest

from node.domain.errors import NodeError, Reason
from node.domain.identity import StudyInstanceUID
from node.store import Store, open_store
from node.store.entry import write_entry

STUDY = StudyInstanceUID("1.2.3")
OTHER = StudyInstanceUID("1.2.30")


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Store, Store]:
    return open_store(f"file:{tmp_path}", "a-104"), open_store(f"file:{tmp_path}", "b-104")


def age(store: Store, study: str, at: float) -> None:
    os.utime(store.marks.own_path(StudyInstanceUID(study)), (at, at))


def test_each_receiver_removes_its_own_mark_only(stores: tuple[Store, Store]):
    first, second = stores
    first.mark_open(STUDY, "MR1")
    second.mark_open(STUDY, "MR2")
    age(first, STUDY, 100)
    age(second, STUDY, 200)
    assert first.open_marks() == {STUDY: 200}
    assert first.marks.arrivals(own=True, others=False) == {STUDY: 100}
    assert first.marks.arrivals(own=False, others=True) == {STUDY: 200}
    assert first.senders(STUDY) == ("MR1", "MR2")
    first.remove_mark(STUDY)
    assert first.open_marks() == {STUDY: 200}
    assert not first.removal.take_out(STUDY), "it is still being received elsewhere"
    second.remove_mark(STUDY)
    assert first.open_marks() == {}


def test_the_marks_of_a_receiver_that_is_gone_are_taken_over_with_their_time_and_senders(stores: tuple[Store, Store]):
    first, gone = stores
    gone.mark_open(STUDY, "MR1")
    gone.mark_open(OTHER)
    age(gone, STUDY, 100)
    age(gone, OTHER, 300)
    assert first.marks.adopt(before=200) == 1
    assert first.marks.arrivals(own=True, others=False) == {STUDY: 100}
    assert first.senders(STUDY) == ("MR1",)
    assert first.marks.arrivals(own=False, others=True) == {OTHER: 300}
    gone.mark_open(STUDY)
    assert len(first.marks.of_study(STUDY)) == 2, "it lives after all"


def test_a_mark_of_a_node_on_one_machine_is_taken_over_when_it_grows(tmp_path: Path):
    open_store(f"file:{tmp_path}").mark_open(STUDY)
    grown = open_store(f"file:{tmp_path}", "a-104")
    assert grown.marks.adopt(before=grown.marks.now_s() + 1) == 1
    assert list(grown.marks.arrivals(own=True, others=False)) == [STUDY]


def test_a_deleted_study_has_no_marks(stores: tuple[Store, Store]):
    for store in stores:
        store.mark_open(STUDY)
        store.mark_open(OTHER)
    stores[0].delete_study(STUDY)
    assert list(stores[0].open_marks()) == [OTHER]


def instance(store: Store, name: str) -> None:
    path = store.root / "studies" / STUDY / "1.2.4" / f"{name}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_a_worker_that_sees_less_than_was_announced_waits(stores: tuple[Store, Store]):
    receiver, worker = stores
    instance(receiver, "1.2.5")
    instance(receiver, "1.2.6")
    manifest = receiver.write_manifest(STUDY)
    worker.require_manifest(STUDY, manifest)
    instance(receiver, "1.2.7")
    worker.require_manifest(STUDY, manifest)
    (receiver.root / "studies" / STUDY / "1.2.4" / "1.2.5.dcm").unlink()
    with pytest.raises(NodeError, match="does not show 1 of 2 instances yet") as stale:
        worker.require_manifest(STUDY, manifest)
    assert stale.value.reason is Reason.STORE_FAILED
    assert receiver.write_manifest(STUDY) != manifest


@pytest.mark.parametrize("name", ["../../etc/passwd", "manifest-1.json", ""])
def test_what_is_no_manifest_is_refused(stores: tuple[Store, Store], name: str):
    with pytest.raises(NodeError):
        stores[0].require_manifest(STUDY, name)


def test_a_manifest_that_is_not_there_yet_is_waited_for(stores: tuple[Store, Store]):
    with pytest.raises(NodeError, match="share `store`"):
        stores[0].require_manifest(STUDY, f"manifest-{'0' * 24}.json")
    assert stores[0].write_manifest(OTHER) == "", "the study was deleted meanwhile"


def test_two_that_write_the_same_entry_do_not_disturb_each_other(tmp_path: Path):
    errors: list[OSError] = []

    def write(text: str) -> None:
        try:
            for _ in range(100):
                write_entry(tmp_path / "entry", text)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(text * 1000,)) for text in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set((tmp_path / "entry").read_text(encoding="ascii")) in ({"a"}, {"b"})
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]
