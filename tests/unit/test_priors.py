"""What is asked of archives for a prior, what is taken, and what is said when they do not answer."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from node.config import SourceConfig
from node.domain.analysis import History, PriorLookup
from node.domain.errors import Reason, Severity
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisOutcome, AnalysisStatus
from node.domain.measurement import Verdict
from node.domain.study import ReceivedStudy
from node.priors import FoundPrior, PriorDesk, current_first
from node.reporting.measurements_json import measured_document
from node.reporting.provenance import Software
from node.reporting.sr_content import groups_of, is_complete
from node.store import Store, identify_patient, read_head
from node.worker import StoredStudyAnalyser
from tests.support.analyses import synthetic_analysis
from tests.support.external import drops_sockets, free_port
from tests.support.hostile_peers import stalling_peer
from tests.support.reports import Reports, patient_image

STUDY = StudyInstanceUID("1.2.3")


def source(port: int, name: str = "archive", **changes: object) -> SourceConfig:
    fields = {"name": name, "host": "127.0.0.1", "port": port, "ae_title": "PACS", "priors": True, "retrieve": "get"}
    return SourceConfig.model_validate(fields | changes)


def found_at(folder: Path, *sources: SourceConfig, analysis: str = "a") -> FoundPrior:
    who = identify_patient(patient_image(folder / "image.dcm", "20260101"))
    assert who is not None
    return PriorDesk(Store(folder / "store"), sources, "CSPINE").find(who, STUDY, analysis)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    return Reports.make(tmp_path_factory.mktemp("reports"))


@drops_sockets
def test_an_archive_that_is_down_is_said_and_not_asked_again_by_the_same_analysis(tmp_path: Path):
    down = source(free_port())
    found = found_at(tmp_path, down)
    assert (found.prior, found.unanswered) == (None, ("archive",))
    (finding,) = found.findings
    assert (finding.code, finding.severity) == (Reason.PRIOR_NOT_LOOKED_UP, Severity.FLAG)
    assert finding.message.startswith("archive did not answer")
    kept = sorted(path.name for path in (tmp_path / "store" / "results" / STUDY / ".prior").iterdir())
    assert kept == ["a.json"], "nothing else is left"
    assert found_at(tmp_path, source(free_port(), "other")).unanswered == ("archive",), "the answer is the one that is kept"


@drops_sockets
def test_an_archive_that_is_silent_holds_an_analysis_up_no_longer_than_it_may(tmp_path: Path):
    with stalling_peer([]) as port:
        started_s = time.monotonic()
        found = found_at(tmp_path, source(port, priors_timeout_s=1))
        assert time.monotonic() - started_s < 5
    assert found.unanswered == ("archive",)


class Listening:
    """A pipeline that keeps the history that it is given."""

    def __init__(self) -> None:
        self.histories: list[History] = []

    def fingerprint(self) -> str:
        return "toy"

    def analyse(self, _study: ReceivedStudy, out_dir: Path, history: History) -> AnalysisOutcome:
        self.histories.append(history)
        return AnalysisOutcome(AnalysisStatus.MEASURED, (), out_dir, 0)


@drops_sockets
def test_the_worker_hands_what_was_found_to_the_analysis_and_the_same_when_it_is_repeated(tmp_path: Path):
    store, pipeline = Store(tmp_path / "store"), Listening()
    arrived = patient_image(store.incoming / "now.dcm", "20260101")
    head = read_head(arrived)
    store.receive(arrived, head)
    for port in (free_port(), free_port()):
        desk = PriorDesk(store, [source(port)], "CSPINE")
        StoredStudyAnalyser(pipeline, store, desk).analyse(head.study_instance_uid, AnalysisId("a"), None)
    first, repeated = pipeline.histories
    assert [one.code for one in first.findings] == [Reason.PRIOR_NOT_LOOKED_UP]
    assert repeated == first


def test_a_source_without_priors_is_not_asked(tmp_path: Path):
    assert found_at(tmp_path, source(free_port(), priors=False)) == FoundPrior()
    assert not (tmp_path / "store" / "results" / STUDY).exists()


@drops_sockets
def test_what_an_earlier_analysis_was_told_stands_in_for_an_archive_that_is_down(tmp_path: Path, reports: Reports):
    then = reports.write("20250101")
    who = identify_patient(then)
    assert who is not None
    kept = Store(tmp_path / "store").priors
    kept.keep(STUDY, "a", PriorLookup(who.key, (), then))
    kept.keep(STUDY, "of-another-patient", PriorLookup("0" * 64, (), None))
    found = found_at(tmp_path, source(free_port()), analysis="b")
    assert found.unanswered == ()
    assert found.prior is not None
    assert found.prior.report.sop_instance_uid == dcmread(then).SOPInstanceUID


def test_of_the_versions_of_a_report_the_one_that_nothing_replaces_comes_first(tmp_path: Path, reports: Reports):
    first = reports.write("20250101", ContentDate="20250109")
    second = reports.write("20250101", replaces=dcmread(first), ContentDate="20250102")
    sagittal_only = reports.write("20250301", CompletionFlag="PARTIAL")
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(first.read_bytes()[:400])
    assert current_first([first, broken, second, tmp_path / "absent.dcm"]) == [second]
    assert current_first([sagittal_only]) == [sagittal_only], "it has MSCC and MCC to compare with"
    assert current_first([first]) == [first]


@pytest.fixture(scope="module")
def unanswered(tmp_path_factory: pytest.TempPathFactory):
    analysis = synthetic_analysis(tmp_path_factory.mktemp("unanswered"))
    return replace(analysis, history=History(findings=FoundPrior(unanswered=("archive",)).findings))


def test_a_prior_that_was_not_looked_up_stands_in_the_report_and_leaves_it_complete(unanswered):
    groups = {group.name: group for group in groups_of(unanswered)}
    change = groups["Change since the prior"]
    assert (change.verdict, change.numbers) == (Verdict.WITHHOLD, ())
    assert [one.code for one in change.findings] == [Reason.PRIOR_NOT_LOOKED_UP]
    assert is_complete(groups.values())
    document = measured_document(unanswered, Software("cspine-node", "1"), (), ())
    assert [one.code for one in document.reasons] == ["prior_not_looked_up"]


def test_the_identity_of_a_result_tells_an_archive_that_was_silent_from_one_without_a_prior(unanswered):
    assert unanswered.history.identity != History().identity
    assert unanswered.history.identity == History(findings=FoundPrior(unanswered=("archive",)).findings).identity
