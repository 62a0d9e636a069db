"""The folder layout, the moves and the marks of the store."""

import os
from pathlib import Path

import pytest
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage, SegmentationStorage

from node.domain.errors import ConfigError, PermanentError, Reason, TransientError
from node.domain.identity import StudyInstanceUID
from node.store import Store, open_store, read_head
from tests.support.dicom_peers import Uids, mr_instance, write_instance


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"file:{tmp_path / 'store'}")


def receive(store: Store, uids: Uids, sop_class=MRImageStorage, **changes):
    instance = mr_instance(uids, sop_class=sop_class)
    for keyword, value in changes.items():
        setattr(instance, keyword, value)
    arrived = write_instance(store.incoming / "arrived.dcm", instance)
    return store.receive(arrived, read_head(arrived))


def test_an_instance_lies_under_its_study_and_series(store: Store):
    uids = Uids.new()
    ref = receive(store, uids)
    assert ref.path == store.root / "studies" / uids.study / uids.series / f"{uids.instance}.dcm"
    assert ref.path.is_file()
    assert list(store.incoming.iterdir()) == []
    assert ref.sop_class_uid == MRImageStorage


def test_an_instance_sent_again_replaces_the_earlier_file(store: Store):
    uids = Uids.new()
    first, again = receive(store, uids), receive(store, uids)
    assert first == again
    assert len(store.study(StudyInstanceUID(uids.study)).all_series[0].instances) == 1


def test_a_study_is_read_back_by_series(store: Store):
    uids = Uids.new()
    other = Uids.new(uids.study)
    refs = {
        receive(store, uids),
        receive(store, Uids.new(uids.study, uids.series)),
        receive(store, other, EnhancedMRImageStorage),
    }
    study = store.study(StudyInstanceUID(uids.study))
    assert {instance for series in study.all_series for instance in series.instances} == refs
    assert {series.series_instance_uid: len(series.instances) for series in study.all_series} == {uids.series: 2, other.series: 1}
    assert store.study_uids() == (uids.study,)


def test_the_digest_depends_on_the_mr_images_alone(store: Store):
    uids = Uids.new()
    receive(store, uids)
    digest = store.study_digest(StudyInstanceUID(uids.study))
    receive(store, Uids.new(uids.study), SegmentationStorage)
    assert store.study_digest(StudyInstanceUID(uids.study)) == digest
    receive(store, Uids.new(uids.study))
    assert store.study_digest(StudyInstanceUID(uids.study)) != digest


def test_the_digest_changes_with_the_content_of_an_image_and_not_when_it_is_sent_again(store: Store):
    uids = Uids.new()
    digests = []
    for change in ({}, {}, {"PatientID": "2"}, {"PixelData": bytes(512)}, {}):
        receive(store, uids, **change)
        digests.append(store.study_digest(StudyInstanceUID(uids.study)))
    assert [digests.index(one) for one in digests] == [0, 0, 2, 3, 0]


def test_deleting_a_study_leaves_the_others(store: Store):
    gone, kept = Uids.new(), Uids.new()
    receive(store, gone)
    receive(store, kept)
    results = store.results_folder(StudyInstanceUID(gone.study), "a1")
    store.mark_open(StudyInstanceUID(gone.study))
    store.delete_study(StudyInstanceUID(gone.study))
    store.delete_study(StudyInstanceUID(gone.study))
    assert store.study_uids() == (kept.study,)
    assert not results.exists()
    assert store.open_marks() == {}


def test_an_unknown_study_is_an_error(store: Store):
    with pytest.raises(PermanentError) as caught:
        store.study(StudyInstanceUID("1.2.3"))
    assert caught.value.reason is Reason.NO_USABLE_SERIES


@pytest.mark.parametrize("hostile", ["../../etc", "/etc/passwd", "1.2.3/../4", "", ".", "..", "1" * 65, "1.2\n.3"])
def test_no_path_is_built_from_a_uid_that_is_not_one(store: Store, hostile: str):
    uid = StudyInstanceUID(hostile)
    for use in (store.study, store.delete_study, store.mark_open, store.remove_mark):
        with pytest.raises(PermanentError) as caught:
            use(uid)
        assert caught.value.reason is Reason.UID_INVALID
    with pytest.raises(PermanentError):
        store.results_folder(uid, "a1")


@pytest.mark.parametrize("hostile", ["..", ".hidden", "a/b", "", "a" * 129])
def test_an_analysis_id_that_cannot_name_a_folder_is_refused(store: Store, hostile: str):
    with pytest.raises(PermanentError):
        store.results_folder(StudyInstanceUID("1.2.3"), hostile)


def test_marks_know_when_something_last_arrived(store: Store):
    study = StudyInstanceUID("1.2.3")
    store.mark_open(study)
    os.utime(store.root / "open" / study, (100, 100))
    assert store.open_marks() == {study: 100}
    store.mark_open(study)
    assert store.open_marks()[study] > 100
    store.remove_mark(study)
    store.remove_mark(study)
    assert store.open_marks() == {}


def test_only_old_files_are_swept(store: Store):
    old, new = store.incoming / "old", store.incoming / "new"
    for path, time in ((old, 100), (new, 200)):
        path.touch()
        os.utime(path, (time, time))
    assert store.sweep_incoming(before=150) == 1
    assert list(store.incoming.iterdir()) == [new]


def test_a_disk_that_refuses_is_a_transient_error(store: Store):
    uids = Uids.new()
    arrived = write_instance(store.incoming / "arrived.dcm", mr_instance(uids))
    (store.root / "studies" / uids.study).write_text("a file where a folder is needed")
    with pytest.raises(TransientError) as caught:
        store.receive(arrived, read_head(arrived))
    assert caught.value.reason is Reason.STORE_FAILED


@pytest.mark.parametrize("uri", ["s3:bucket", "file:", "var/store"])
def test_an_unknown_store_is_a_configuration_error(uri: str):
    with pytest.raises(ConfigError, match="file:PATH"):
        open_store(uri)


def test_a_store_that_cannot_be_made_is_a_configuration_error(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="cannot make"):
        open_store(f"file:{tmp_path / 'taken' / 'store'}")


def test_free_space_is_what_the_file_system_says(store: Store):
    assert 0 < store.free_mb() < 1e9
