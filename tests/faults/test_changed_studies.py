"""Studies that come late, again, corrected or from two senders: the PACS has the result of what was sent last, once."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.support.dicom_peers import Uids, mr_instance, write_instance
from tests.support.external import wait_until
from tests.support.fault_node import FaultNode
from tests.support.recording_pacs import RecordingPacs
from tests.support.senders import Sender, SentStudy, small_study
from tests.support.toy_worker import content_digest

RNG = random.Random(5)  # noqa: S311 - seeded, not secret


class Site:
    """A node and its PACS that serve all the tests of this file, a study each."""

    def __init__(self, node: FaultNode, pacs: RecordingPacs) -> None:
        self.node, self.pacs = node, pacs

    def send(self, *studies: SentStudy) -> None:
        """Send studies at the same time, each from a sender of its own, and wait until their result is there."""
        uids = sorted({study.uid for study in studies})
        before = {uid: self._announced(uid) for uid in uids}
        senders = [Sender(self.node.port, [study]) for study in studies]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(30)
        assert [len(sender.accepted) for sender in senders] == [len(study.paths) for study in studies]
        wait_until(lambda: all(self._announced(uid) > before[uid] for uid in uids), "the studies are announced", 30)
        self.node.wait_for_ends(uids)

    def versions(self, study: SentStudy) -> list[str]:
        """Return the digests that the reports of a study hold, first version first, after a look at the PACS."""
        analyses = self.node.history(study.uid).analyses
        in_pacs = {one.ImageComments for one in self.pacs.of_study(study.uid)}
        assert len(in_pacs) == len(self.pacs.of_study(study.uid)) == len(analyses)
        return [self._content(Path(one.folder or "")) for one in analyses]

    def stores(self, study: SentStudy) -> int:
        """Return how often the PACS was sent an SR of a study."""
        return sum(self.pacs.stores[one.SOPInstanceUID] for one in self.pacs.of_study(study.uid))

    @staticmethod
    def _content(folder: Path) -> str:
        return str(dcmread(folder / "sr.dcm").ImageComments)

    def _announced(self, uid: str) -> int:
        if uid not in self.node.states():
            return 0
        return [event.kind for event in self.node.history(uid).events].count("study ready")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    changes = {"reception": {"completion": {"quiet_s": 0.5}}, "jobs": {"polling_s": 0.05}}
    with RecordingPacs() as pacs, FaultNode(folder, [pacs.destination()], changes) as node:
        node.start("receiver")
        node.start("worker")
        yield Site(node, pacs)


def digest(study: SentStudy) -> str:
    return content_digest(list(study.paths.values()))


def changed(study: SentStudy, folder: Path, only: int | None = None, **attributes: object) -> SentStudy:
    """Return a study with other attributes under the same UIDs; of the first ``only`` images, or of all."""
    paths = dict(study.paths)
    for uid, path in list(study.paths.items())[:only]:
        instance = dcmread(path)
        for keyword, value in attributes.items():
            setattr(instance, keyword, value)
        paths[uid] = folder / f"{uid}.dcm"
        folder.mkdir(exist_ok=True)
        instance.save_as(paths[uid])
    return SentStudy(study.uid, paths)


def test_late_images_make_a_new_version(site: Site, tmp_path: Path):
    study = small_study(tmp_path, RNG)
    site.send(study)
    uids = Uids.new(study.uid)
    late = {uids.instance: write_instance(tmp_path / "late.dcm", mr_instance(uids))}
    site.send(SentStudy(study.uid, late))
    assert site.versions(study) == [digest(study), digest(SentStudy(study.uid, study.paths | late))]


def test_a_study_that_is_sent_again_is_not_analysed_and_not_sent_again(site: Site, tmp_path: Path):
    study = small_study(tmp_path, RNG)
    for _ in range(3):
        site.send(study)
    assert site.versions(study) == [digest(study)]
    assert site.stores(study) == 1


def test_a_study_whose_patient_was_corrected_is_analysed_again(site: Site, tmp_path: Path):
    wrong = small_study(tmp_path / "wrong", RNG, PatientID="1", PatientBirthDate="19700101", StudyDate="20260101")
    right = changed(wrong, tmp_path / "right", PatientID="2", PatientName="Right^Patient")
    site.send(wrong)
    site.send(right)
    assert site.versions(wrong) == [digest(wrong), digest(right)]
    priors = [path.name for path in (site.node.store.root / "patients").rglob(wrong.uid)]
    assert len(priors) == 1, "the study is a prior of one patient only"


def test_an_image_with_other_pixels_under_its_uid_is_analysed_again(site: Site, tmp_path: Path):
    first = small_study(tmp_path / "first", RNG)
    second = changed(first, tmp_path / "second", only=1, PixelData=RNG.randbytes(512))
    site.send(first)
    site.send(second)
    site.send(second)
    assert site.versions(first) == [digest(first), digest(second)]


def test_two_senders_of_one_study_make_one_result(site: Site, tmp_path: Path):
    study = small_study(tmp_path, RNG, images=10)
    items = list(study.paths.items())
    site.send(study, study, SentStudy(study.uid, dict(items[:5])), SentStudy(study.uid, dict(items[5:])))
    assert site.versions(study)[-1] == digest(study)
    assert site.versions(study) == [digest(study)]
    assert site.stores(study) == 1
