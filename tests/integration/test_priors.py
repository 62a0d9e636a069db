"""The prior at a real Orthanc: asked for by C-FIND with C-GET or C-MOVE, and over DICOMweb."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread

from node.config import Config, SourceConfig
from node.delivery import send_files
from node.doctor import Check, CheckResult, run_checks
from node.domain.errors import Reason
from node.domain.identity import StudyInstanceUID
from node.priors import FoundPrior, PriorDesk
from node.store import Store, identify_patient
from tests.support.dicom_peers import RunningReceiver, running_receiver
from tests.support.external import drops_sockets, free_port
from tests.support.orthanc import Orthanc, running_orthanc
from tests.support.reports import Reports, patient_image

NOW = "20260101"


@dataclass(frozen=True)
class World:
    """An archive with reports, and a receiver that it knows as CSPINE."""

    folder: Path
    archive: Orthanc
    receiver: RunningReceiver
    reports: Reports
    prior: str

    def source(self, retrieve: str, **changes: object) -> SourceConfig:
        fields = self.archive.destination("archive").model_dump(include={"name", "host", "port", "ae_title"})
        if retrieve == "web":
            fields = {"name": "archive", "dicomweb": {"url": f"http://127.0.0.1:{self.archive.http_port}/dicom-web"}}
        how = {} if retrieve == "web" else {"retrieve": retrieve}
        return SourceConfig.model_validate(fields | how | {"priors": True} | changes)

    def find(self, *sources: SourceConfig, analysis: str, study: str = "1.2.3", **who: str) -> FoundPrior:
        """Ask as the worker does for a study of today."""
        patient = identify_patient(patient_image(self.folder / "now.dcm", NOW, **who))
        assert patient is not None
        return PriorDesk(self.receiver.store, sources, "CSPINE").find(patient, StudyInstanceUID(study), analysis)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, port = tmp_path_factory.mktemp("priors"), free_port()
    reports = Reports.make(folder / "made")
    replaced = reports.write("20250601")
    latest = reports.write("20250601", replaces=dcmread(replaced))
    at_archive = [
        reports.write("20230101"),
        replaced,
        latest,
        reports.write("20250701", PatientBirthDate="19710101"),  # another patient of the same number
        reports.write("20250801", IssuerOfPatientID="CLINIC"),
        reports.write("20260201"),  # later than the study
    ]
    with running_orthanc(folder / "orthanc", node_port=port) as archive:
        assert send_files(archive.destination(), "TEST", at_archive, lambda _done, _total: None).failed == ()
        with running_receiver(folder / "store", port=port) as receiver:
            yield World(folder, archive, receiver, reports, str(dcmread(latest).SOPInstanceUID))


@pytest.mark.parametrize("retrieve", ["get", "web", "move"])
def test_the_latest_report_of_an_earlier_study_of_this_very_patient_is_taken(world: World, retrieve: str):
    found = world.find(world.source(retrieve), analysis=retrieve)
    assert found.prior is not None
    assert (found.prior.report.sop_instance_uid, found.findings) == (world.prior, ())
    assert len(found.prior.values) == 4
    kept = world.receiver.store.root / "results" / "1.2.3" / ".prior"
    assert {f"{retrieve}.dcm", f"{retrieve}.json"} <= {path.name for path in kept.iterdir()}
    assert not [path for path in kept.iterdir() if path.name.startswith(".")]


@drops_sockets
def test_an_analysis_that_is_repeated_does_not_ask_again(world: World):
    first = world.find(world.source("get"), analysis="repeated")
    gone = world.source("get", port=free_port())
    assert world.find(gone, analysis="repeated") == first


@drops_sockets
def test_one_archive_that_is_down_does_not_hide_the_prior_of_another(world: World):
    down = world.source("get", name="down", port=free_port())
    found = world.find(down, world.source("get"), analysis="two", study="1.2.4")
    assert found.prior is not None
    assert [one.code for one in found.findings] == [Reason.PRIOR_NOT_LOOKED_UP]
    assert found.unanswered == ("down",)


@pytest.mark.parametrize("stranger", [{"PatientBirthDate": "19800101"}, {"PatientName": "Other^Name"}, {"PatientID": "P2"}])
def test_a_patient_without_an_earlier_report_has_no_prior_and_that_is_no_reason(world: World, stranger: dict[str, str]):
    assert world.find(world.source("get"), analysis=f"stranger-{next(iter(stranger))}", **stranger) == FoundPrior()


@drops_sockets
def test_doctor_says_whether_an_archive_lets_us_ask(world: World, tmp_path: Path):
    reception = {"bind_address": "127.0.0.1", "port": free_port(), "minimum_free_disk_mb": 0}
    sources = [world.source("get"), world.source("web", name="web"), world.source("get", name="down", port=free_port())]
    fields = {"store": f"file:{tmp_path / 'store'}", "database": f"sqlite:{tmp_path / 'jobs.db'}", "reception": reception}
    checks = run_checks(Config.model_validate(fields | {"sources": sources}), lambda: ())
    found = {check.name: check for check in checks if check.name.startswith("source")}
    assert {name: check.result for name, check in found.items()} == {
        "source archive": CheckResult.OK,
        "source web": CheckResult.OK,
        "source down": CheckResult.FAILED,
    }
    assert "offers C-GET; asked for priors" in _of(found, "archive").message
    assert "cannot open an association" in _of(found, "down").message


def _of(found: dict[str, Check], name: str) -> Check:
    return found[f"source {name}"]


def test_the_store_has_the_later_prior_and_it_is_taken(world: World, tmp_path: Path):
    own = Store(tmp_path / "store")
    template = dcmread(world.reports.template)
    study, then = StudyInstanceUID(str(template.StudyInstanceUID)), own.root / "results" / template.StudyInstanceUID / "then"
    shutil.copytree(world.reports.template.parent, then)
    stamped = dcmread(world.reports.write("20251101"))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(stamped, keyword, template[keyword].value)
    stamped.save_as(then / world.reports.template.name)
    who = identify_patient(then / world.reports.template.name)
    now = identify_patient(patient_image(tmp_path / "now.dcm", NOW))
    assert who is not None
    assert now is not None
    own.note_analysis(who, study, "then")
    found = PriorDesk(own, [world.source("get")], "CSPINE").find(now, StudyInstanceUID("1.2.3"), "a")
    assert found.prior is not None
    assert found.prior.report.sop_instance_uid == template.SOPInstanceUID
