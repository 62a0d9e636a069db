"""The command fetch against a real Orthanc: by C-MOVE, by C-GET, into a folder, and what is refused."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import dcmread
from pydicom.uid import SecondaryCaptureImageStorage

from node.cli.program import program
from node.delivery import send_files
from node.domain.errors import ConfigError, NodeError, PermanentError, Reason, TransientError
from tests.support.dicom_peers import RunningReceiver, Uids, mr_instance, running_receiver, write_instance
from tests.support.external import drops_sockets, free_port
from tests.support.live_node import ROOT
from tests.support.orthanc import Orthanc, running_orthanc

CONFIG = """
reception: {{ae_title: {ae_title}, port: {own}, bind_address: 127.0.0.1, minimum_free_disk_mb: 0}}
sources:
  - {{name: archive, host: 127.0.0.1, port: {pacs}, ae_title: ORTHANC, timeout_s: 10, retrieve: {retrieve}, maximum_studies: 2}}
"""


WEB = """
reception: {{ae_title: {ae_title}, port: {own}, bind_address: 127.0.0.1, minimum_free_disk_mb: 0}}
sources:
  - {{name: archive, dicomweb: {{url: "http://127.0.0.1:{web}/dicom-web"}}, timeout_s: 10, maximum_studies: 2}}
"""


@dataclass(frozen=True)
class World:
    """An archive that holds studies, and a receiver that it knows as CSPINE."""

    folder: Path
    archive: Orthanc
    receiver: RunningReceiver
    study: str
    images: tuple[str, ...]

    def config(self, retrieve: str, ae_title: str = "CSPINE") -> str:
        if retrieve == "web":
            return WEB.format(own=self.receiver.port, web=self.archive.http_port, ae_title=ae_title)
        return CONFIG.format(own=self.receiver.port, pacs=self.archive.dicom_port, retrieve=retrieve, ae_title=ae_title)

    def fetch(self, *arguments: str, retrieve: str = "move", ae_title: str = "CSPINE") -> Result:
        text = self.config(retrieve, ae_title)
        (self.folder / "config.yaml").write_text(text)
        return CliRunner().invoke(program, ["fetch", "archive", *arguments, "--config", str(self.folder / "config.yaml")])

    def fetched(self, *arguments: str, retrieve: str = "move") -> str:
        """Return what the command prints in a process of its own: beside a receiver pynetdicom keeps what arrives on disk."""
        text = self.config(retrieve)
        (self.folder / "config.yaml").write_text(text)
        command = [sys.executable, "-m", "node", "fetch", "archive", *arguments, "--config", str(self.folder / "config.yaml")]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=ROOT).stdout

    def received(self) -> set[str]:
        study = self.receiver.store.study(self.study)
        return {i.sop_instance_uid for series in study.all_series for i in series.instances}


def put(archive: Orthanc, folder: Path, study: str, *, accession: str, patient: str) -> list[str]:
    """Store two MR series of two images and a secondary capture, and return the UIDs of the MR images."""
    uids = []
    for series in range(2):
        first = Uids.new(study)
        for number in range(2):
            instance = mr_instance(Uids.new(study, first.series))
            instance.AccessionNumber, instance.PatientID, instance.StudyDate = accession, patient, "20260102"
            write_instance(folder / f"{study}-{series}-{number}.dcm", instance)
            uids.append(str(instance.SOPInstanceUID))
    capture = mr_instance(Uids.new(study), sop_class=SecondaryCaptureImageStorage)
    capture.AccessionNumber, capture.PatientID, capture.StudyDate = accession, patient, "20260102"
    write_instance(folder / f"{study}-capture.dcm", capture)
    sent = send_files(archive.destination(), "TEST", sorted(folder.glob(f"{study}-*.dcm")), lambda _done, _total: None)
    assert sent.failed == ()
    return uids


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("fetch")
    port = free_port()
    (folder / "files").mkdir()
    with running_orthanc(folder / "orthanc", node_port=port) as archive:
        study = Uids.new().study
        images = put(archive, folder / "files", study, accession="A1", patient="P1")
        for number in range(3):
            put(archive, folder / "files", Uids.new().study, accession=f"B{number}", patient="P2")
        with running_receiver(folder / "store", port=port) as receiver:
            yield World(folder, archive, receiver, study, tuple(images))


def refused(result: Result, reason: Reason, kind: type[NodeError] = PermanentError) -> str:
    assert isinstance(result.exception, kind), result.output
    assert result.exception.reason is reason
    return result.exception.message


@pytest.mark.parametrize("retrieve", ["get", "web"])
def test_list_shows_the_study_and_its_mr_series_and_no_patient(world: World, retrieve: str):
    result = world.fetch("--accession-number", "A1", "--list", retrieve=retrieve)
    assert result.exit_code == 0
    assert result.stdout == f"{world.study}  20260102  2 MR series\n"


def test_get_writes_the_mr_images_to_a_folder(world: World, tmp_path: Path):
    printed = world.fetched("--study", world.study, "--out", str(tmp_path))
    files = sorted((tmp_path / world.study).iterdir())
    assert {str(dcmread(path).SOPInstanceUID) for path in files} == set(world.images)
    original = dcmread(next((world.folder / "files").glob(f"{world.study}-0-0.dcm")))
    (copy,) = (dcmread(path) for path in files if path.stem == original.SOPInstanceUID)
    assert (copy.pixel_array == original.pixel_array).all()
    assert printed == f"{world.study}  20260102  2 MR series: 4 images, 0 failed\n"


@pytest.mark.parametrize("retrieve", ["get", "move", "web"])
def test_a_study_is_fetched_into_the_node_and_becomes_complete(world: World, retrieve: str):
    if world.receiver.store.study_uids():
        world.receiver.store.delete_study(world.study)
    assert "4 images, 0 failed" in world.fetched("--accession-number", "A1", retrieve=retrieve)
    assert world.received() == set(world.images)
    assert world.receiver.completed.get(timeout=10) == world.study


def test_a_patient_id_fetches_each_study_unless_they_are_too_many(world: World):
    result = world.fetch("--patient-id", "P1", "--list")
    assert result.stdout.count("MR series") == 1
    message = refused(world.fetch("--patient-id", "P2", "--list"), Reason.QUERY_INVALID)
    assert "more studies that match than maximum_studies (2)" in message
    message = refused(world.fetch("--patient-id", "P2", "--list", retrieve="web"), Reason.QUERY_INVALID)
    assert "more studies that match than maximum_studies (2)" in message


@pytest.mark.parametrize("retrieve", ["get", "web"])
def test_nothing_found_is_an_error(world: World, retrieve: str):
    refused(world.fetch("--accession-number", "nowhere", retrieve=retrieve), Reason.STUDY_UNKNOWN)


@pytest.mark.parametrize("arguments", [(), ("--accession-number", "A*"), ("--patient-id", "P?"), ("--study", "1.2\\1.3")])
def test_a_query_for_everything_is_refused_before_it_is_asked(world: World, arguments: tuple[str, ...]):
    refused(world.fetch(*arguments), Reason.QUERY_INVALID)


def test_an_archive_that_does_not_know_us_says_what_to_do(world: World):
    message = refused(world.fetch("--study", world.study, ae_title="NOBODY"), Reason.PEER_UNREACHABLE, TransientError)
    assert "may not know the AE title NOBODY: register it there" in message


def test_an_unknown_source_is_named_with_those_that_are_known(world: World):
    (world.folder / "config.yaml").write_text(CONFIG.format(own=1, pacs=1, retrieve="get", ae_title="CSPINE"))
    result = CliRunner().invoke(program, ["fetch", "elsewhere", "--study", "1.2", "--config", str(world.folder / "config.yaml")])
    assert "configured: archive" in refused(result, Reason.CONFIG_INVALID, ConfigError)


@drops_sockets
def test_an_archive_that_is_down_is_an_error(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(CONFIG.format(own=1, pacs=free_port(), retrieve="get", ae_title="CSPINE"))
    result = CliRunner().invoke(program, ["fetch", "archive", "--study", "1.2", "--config", str(tmp_path / "config.yaml")])
    refused(result, Reason.PEER_UNREACHABLE, TransientError)
