"""The second set of models in a process of its own: what it leaves, and how it ends."""

import shutil
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.config import Config, ShadowConfig
from node.domain.errors import PermanentError, Reason
from node.domain.identity import StudyInstanceUID
from node.domain.job import ShadowEnd, ShadowOutcome
from node.shadow import ShadowRunner, read_shadow
from node.store import Store, open_store, read_head
from tests.support import shadow_stub
from tests.support.dicom_peers import Uids, mr_instance, write_instance
from tests.support.feedback_objects import corrected_seg


@dataclass
class Place:
    """A store with one study whose results lie there, and a second report that the stub gives out."""

    store: Store
    study: StudyInstanceUID
    results: Path
    second: Path
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, code: str = "0", *, digest: str = "", timeout_s: float = 60.0) -> ShadowOutcome:
        shadow = ShadowConfig(enabled=True, keypoints="next", timeout_s=timeout_s)
        command = (sys.executable, str(shadow_stub.__file__), str(self.second), code)
        runner = ShadowRunner(Config(shadow=shadow), self.store, self.stop, command)
        try:
            return runner.run(self.study, digest or self.store.study_digest(self.study), self.results)
        finally:
            assert list((self.store.root / "shadow").glob("*")) == []


@pytest.fixture
def place(first: Path, tmp_path: Path) -> Place:
    store, uids = open_store(f"file:{tmp_path}/store"), Uids.new()
    arrived = write_instance(store.incoming / "arrived.dcm", mr_instance(uids))
    store.receive(arrived, read_head(arrived))
    study = StudyInstanceUID(uids.study)
    results = store.results_folder(study, "a1")
    shutil.copytree(first, results, dirs_exist_ok=True)
    second = shutil.copytree(first, tmp_path / "second")
    shutil.move(corrected_seg(first, tmp_path, rows=5), second / "seg_sagittal_t2.dcm")
    return Place(store, study, results, second)


def test_only_the_measurements_and_the_overlap_are_kept(place: Place):
    before = sorted(place.results.iterdir())
    assert place.run() == ShadowOutcome(ShadowEnd.MEASURED)
    assert sorted(place.results.iterdir()) == before
    kept = place.results.parent / ".shadow" / "a1"
    assert sorted(path.name for path in kept.iterdir()) == ["measurements.json", "overlap.json"]
    report = read_shadow(place.results)
    assert report is not None
    dice = {(one.series, one.structure): one.dice for one in report.overlaps}
    assert 0.5 < dice["sagittal_t2", "spinal_cord"] < 1
    assert dice["sagittal_t2", "spinal_canal"] == dice["axial_t2", "spinal_cord"] == 1.0
    assert place.run("3").end is ShadowEnd.DECLINED


def test_what_fails_is_told_without_a_name_and_leaves_nothing(place: Place):
    with pytest.raises(PermanentError) as error:
        place.run("1")
    assert (error.value.reason, error.value.message) == (Reason.PROCESS_ENDED, "model_missing: no such model")
    with pytest.raises(PermanentError, match=r"took longer than shadow.timeout_s"):
        place.run("hang", timeout_s=1.0)
    assert read_shadow(place.results) is None


def test_a_worker_that_ends_does_not_wait_for_it(place: Place):
    place.stop.set()
    assert place.run("hang").end is ShadowEnd.INTERRUPTED


def test_a_study_that_changed_or_went_is_not_compared(place: Place):
    assert place.run(digest="other").end is ShadowEnd.SUPERSEDED
    shutil.rmtree(place.results.parent)
    assert place.run().end is ShadowEnd.SUPERSEDED
    assert not place.results.parent.exists()


def test_the_same_set_twice_is_a_mistake():
    with pytest.raises(ValueError, match="this is the first set"):
        ShadowConfig(enabled=True)
    assert ShadowConfig(enabled=True, keypoints="next").beside(Config().inference).keypoints == "next"
