"""A node's store and job database with studies in every state, and its web role in front of them."""

import http.client
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from node.config import Config, ReportingConfig, load_config
from node.domain.analysis import Analysis
from node.domain.errors import Finding, Reason, Severity
from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisOutcome, AnalysisStatus, DeliveryEnding, DeliveryState, Ending, JobState
from node.domain.prediction import ModelIdentity
from node.domain.report import ReportObject
from node.jobs import Claim, Ledger, open_jobs
from node.jobs.database import database_url, open_engine
from node.reporting import MeasurementsDocument, Software, build_report, read_measurements
from node.reporting.folder import write_report
from node.reporting.measurements_json import MEASUREMENTS_NAME, encode
from node.store import open_store, read_head
from node.web import run_web
from tests.support.analyses import Scene, synthetic_analysis
from tests.support.external import wait_until

SOFTWARE = Software("cspine-node", "1.2.3")


@dataclass(frozen=True)
class WebWorld:
    """The folder of a node; studies come in without a network and are "analysed" by the test."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        path = self.folder / "config.yaml"
        settings = {
            "store": "file:store",
            "database": "sqlite:jobs.db",
            "reception": {"minimum_free_disk_mb": 0},
            "destinations": [{"name": "pacs", "host": "127.0.0.1", "port": 1, "ae_title": "PACS", "timeout_s": 1}],
            **self.settings,
            "web": {"port": 0, **self.settings.get("web", {})},
        }
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return load_config(path)

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        url = database_url(self.config.database)
        ledger = Ledger(open_engine(url), url, lambda: datetime.now(UTC))
        try:
            yield ledger
        finally:
            ledger.close()

    def announce(self, uid: str) -> None:
        jobs = open_jobs(self.config.database)
        try:
            jobs.study_ready(StudyInstanceUID(uid))
        finally:
            jobs.close()

    def begin(self, ledger: Ledger, uid: str) -> Claim:
        claim = Claim(StudyInstanceUID(uid), "digest", "fingerprint", "workflow")
        ledger.claim(claim, 1)
        ledger.begin_analysis(claim.analysis_id, claim.workflow_id)
        return claim

    def measured(self, scene: Scene, delivery: DeliveryEnding | None = None) -> str:
        """Add a study that was analysed, and whose delivery ended as given; return its UID."""
        analysis = synthetic_analysis(self.folder / "sent" / scene.subject.key, scene)
        return self.reported(analysis, delivery)

    def reported(self, analysis: Analysis, delivery: DeliveryEnding | None = None) -> str:
        """Add a study with the report of an analysis."""
        uid, store = analysis.study_instance_uid, open_store(self.config.store)
        sources = {source.instance.path for one in analysis.series_by_role.values() for source in one.volume.sources}
        for path in sorted(sources):
            arrived = store.incoming / path.name
            shutil.copy(path, arrived)
            store.receive(arrived, read_head(arrived))
        return self.recorded(uid, lambda folder: build_report(analysis, ReportingConfig(), SOFTWARE, folder), delivery)

    def documented(self, uid: str, document: MeasurementsDocument) -> str:
        """Add a study whose report is a ``measurements.json`` alone: all that says what was measured."""

        def write(folder: Path) -> tuple[ReportObject, ...]:
            (folder / MEASUREMENTS_NAME).write_bytes(encode(document.model_copy(update={"study_instance_uid": uid})))
            return ()

        return self.recorded(uid, lambda folder: write_report(folder, write))

    def recorded(
        self, uid: str, write: Callable[[Path], tuple[ReportObject, ...]], delivery: DeliveryEnding | None = None
    ) -> str:
        """Add a study that was analysed, with the report that ``write`` puts into a folder."""
        self.announce(uid)
        with self.ledger() as ledger:
            claim = self.begin(ledger, uid)
            folder = open_store(self.config.store).results_folder(StudyInstanceUID(uid), claim.analysis_id)
            objects = write(folder)
            document = read_measurements(folder)
            findings = tuple(Finding(Reason(one.code), Severity(one.severity), one.message) for one in document.reasons)
            reasons = tuple({(Reason(one.code), Severity(one.severity)) for one in document.every_reason})
            models = tuple(ModelIdentity(one.name, one.version, one.sha256) for one in document.models)
            outcome = AnalysisOutcome(AnalysisStatus(document.status), findings, folder, len(objects), models, reasons)
            ledger.record_analysis(claim.analysis_id, outcome, ["pacs"])
            if delivery is not None:
                ledger.begin_delivery(claim.analysis_id, "pacs", 1)
                ledger.end_delivery(claim.analysis_id, "pacs", delivery)
        return uid

    def ended(self, uid: str, ending: Ending) -> str:
        """Add a study whose analysis came to no result."""
        self.announce(uid)
        with self.ledger() as ledger:
            claim = self.begin(ledger, uid)
            ledger.end_analysis(claim.analysis_id, ending)
        return uid


DELIVERED = DeliveryEnding(DeliveryState.DELIVERED, 5)
DEAD = DeliveryEnding(DeliveryState.DEAD, 0, Reason.PEER_UNREACHABLE, "given up after 500 attempts: pacs does not answer")
DECLINED = Ending(
    JobState.DECLINED,
    Reason.NO_SAGITTAL_T2,
    "no usable sagittal T2 series",
    (Finding(Reason.NO_SAGITTAL_T2, Severity.DECLINE, "no usable sagittal T2 series"),),
)
FAILED = Ending(JobState.FAILED, Reason.PROCESS_ENDED, "the worker ended 3 times during this analysis")


@contextmanager
def running_web(config: Config, environment: dict[str, str] | None = None) -> Iterator[int]:
    """Serve the pages until the block is left; give their port."""
    stop, ports = threading.Event(), list[int]()
    thread = threading.Thread(target=run_web, args=(config, environment or {}, stop, ports.append))
    thread.start()
    try:
        wait_until(lambda: bool(ports) or not thread.is_alive(), "the web role is ready", 30)
        yield ports[0]
    finally:
        stop.set()
        thread.join(30)


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    text: str


class Visitor:
    """A browser without a screen: keeps cookies, follows nothing."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        try:
            connection.request(method, path, body, {**cookies, **(headers or {})})
            answer = connection.getresponse()
            for line in answer.msg.get_all("set-cookie") or ():
                self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
            text = answer.read().decode("utf-8", "replace")
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def form_token(self, path: str = "/queue") -> str:
        return self.get(path).text.partition('name="form_token" value="')[2].partition('"')[0]

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"Content-Type": "application/x-www-form-urlencoded", **named}
        return self.ask("POST", path, urlencode(form).encode(), named)
