"""What comes back over C-STORE is linked to our results: a real store and job database."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import dcmread

from node.cli.studies import studies
from node.domain.anatomy import Structure
from node.domain.feedback import FeedbackKind
from node.domain.identity import StudyInstanceUID
from node.domain.study import SeriesRole
from node.jobs import JobClient, open_jobs
from node.returned import FeedbackDesk
from node.store import Store, open_store, read_head
from tests.support.analyses import Scene
from tests.support.feedback_objects import REJECTED, copied_seg, corrected_seg, key_objects
from tests.support.web_world import DELIVERED, WebWorld
from tools.labelme import annotation_paths, read_annotation
from tools.labelme.corrected import export_corrections
from tools.phantom.series import Subject
from tools.training.annotated import annotated_samples


@dataclass
class Place:
    """A node with one measured study."""

    world: WebWorld
    store: Store
    jobs: JobClient
    study: StudyInstanceUID

    @property
    def report(self) -> Path:
        current = self.jobs.study(self.study).study.current
        assert current is not None
        assert current.folder is not None
        return Path(current.folder)

    def returns(self, path: Path) -> Path:
        """Take an object as the receiver does; return where it lies."""
        head = read_head(path)
        arrived = self.store.incoming / path.name
        shutil.copy(path, arrived)
        received = self.store.receive(arrived, head)
        self.store.note_returned(head)
        return received.path

    def collect(self, later_s: float = 0.0) -> str:
        return FeedbackDesk(self.store, self.jobs, lambda: datetime.now(UTC) + timedelta(seconds=later_s)).collect()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    world = WebWorld(tmp_path_factory.mktemp("returned"))
    study = StudyInstanceUID(world.measured(Scene(subject=Subject("returned")), DELIVERED))
    jobs = open_jobs(world.config.database)
    yield Place(world, open_store(world.config.store), jobs, study)
    jobs.close()


def test_feedback_is_linked_counted_and_told_once(made: Place, tmp_path: Path):
    state = made.jobs.study(made.study).study.state
    made.returns(corrected_seg(made.report, tmp_path))
    made.returns(key_objects(made.report, tmp_path, REJECTED))
    for own in sorted(made.report.glob("s*.dcm")):
        made.returns(own)
    assert made.collect() == "1 corrected, 1 rejected"
    assert made.collect() == "no feedback"
    assert made.store.returned.waiting() == ()
    history = made.jobs.study(made.study)
    assert history.study.current is not None
    assert {(one.kind, one.modality, one.analysis_id) for one in history.feedback} == {
        (FeedbackKind.CORRECTED, "SEG", history.study.current.analysis_id),
        (FeedbackKind.REJECTED, "KO", history.study.current.analysis_id),
    }
    assert history.study.state == state
    assert len(history.analyses) == 1
    assert made.jobs.tally().feedback == {"corrected": 1, "rejected": 1}

    config = str(made.world.folder / "config.yaml")
    assert "feedback rejected, " in CliRunner().invoke(studies, ["show", made.study, "--config", config]).output
    shown = json.loads(CliRunner().invoke(studies, ["show", made.study, "--json", "--config", config]).output)
    assert [one["kind"] for one in shown["feedback"]] == ["corrected", "rejected"]


def test_a_corrected_segmentation_goes_into_the_training(made: Place, tmp_path: Path):
    made.returns(corrected_seg(made.report, tmp_path, rows=4))
    made.returns(newer := corrected_seg(made.report, tmp_path, rows=6))
    assert made.collect() == "2 corrected"
    (done,) = export_corrections(made.jobs, made.store, tmp_path / "labelme")
    assert done.folder is not None, done.message
    assert done.feedback.sop_instance_uid == newer.stem
    true = dcmread(newer).pixel_array
    samples = annotated_samples(tmp_path / "labelme", SeriesRole.SAGITTAL_T2)
    annotations = [read_annotation(path) for path in annotation_paths(done.folder)]
    assert len(samples) == len(annotations) == sum(frame.any() for frame in true) / 2  # of cord and of canal
    drawn = sum(one.masks[structure].sum() for one in annotations for structure in Structure)
    assert drawn == pytest.approx(true.sum(), rel=0.03)
    assert not any(one.landmarks for one in annotations)
    (again,) = export_corrections(made.jobs, made.store, tmp_path / "labelme")
    assert again.message == "was there already and is left as it is"


def test_the_same_object_again_is_not_counted_again(made: Place, tmp_path: Path):
    path = copied_seg(made.report, tmp_path)
    made.returns(path)
    assert made.collect() == "1 noted"
    before = len(made.jobs.audit(made.study))
    made.returns(path)
    made.collect()
    assert len(made.jobs.audit(made.study)) == before


def test_a_damaged_object_is_kept_with_its_reason_and_holds_up_none(made: Place, tmp_path: Path):
    broken, sound = corrected_seg(made.report, tmp_path), key_objects(made.report, tmp_path, REJECTED)
    broken.write_bytes(broken.read_bytes()[:-200])
    place = made.returns(broken)
    made.returns(sound)
    assert made.collect() == "1 rejected, 1 unreadable"
    told = [one.message for one in made.jobs.study(made.study).feedback if one.kind is FeedbackKind.UNREADABLE]
    assert told == ["not_dicom: cannot be read (EOFError)"]
    assert place.exists()


def test_what_comes_before_its_result_waits_for_it_an_hour(made: Place, tmp_path: Path):
    path = corrected_seg(made.report, tmp_path)
    unknown = WebWorld(tmp_path / "other")
    unknown.folder.mkdir()
    jobs = open_jobs(unknown.config.database)
    place = Place(unknown, open_store(unknown.config.store), jobs, made.study)
    place.returns(path)
    assert place.collect() == "no feedback"
    assert len(place.store.returned.waiting()) == 1
    jobs.study_ready(made.study)
    assert place.collect(later_s=7200) == "no feedback"  # its study is queued
    assert len(place.store.returned.waiting()) == 1
    jobs.cancel(made.study)
    place.collect(later_s=7200)
    assert place.store.returned.waiting() == ()
    jobs.close()


def test_feedback_goes_with_its_study_and_stays_counted(made: Place, tmp_path: Path):
    made.returns(corrected_seg(made.report, tmp_path))
    assert made.collect() == "1 corrected"
    counted = made.jobs.tally().feedback
    assert made.jobs.purge_ended(made.study, "retention")
    assert made.jobs.feedback() == ()
    assert made.jobs.tally().feedback == counted
