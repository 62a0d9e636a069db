"""What grows with the studies that are kept, and with the slices of a study."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pydicom.uid import generate_uid
from sqlalchemy import insert
from sqlalchemy.orm import Session

from node.config import SelectionConfig
from node.domain.errors import Declined
from node.domain.identity import StudyInstanceUID
from node.domain.study import SelectedSeries, SeriesRole
from node.domain.worklist import StudyQuery
from node.jobs import JobClient, open_jobs
from node.jobs.database import database_url, open_engine
from node.jobs.schema import AnalysisRow, DeliveryRow, DurationRow, EventRow, ReasonRow, StudyRow
from node.jobs.schema import Row as LedgerRow
from node.loading import load_volume
from node.selection import select_series
from node.store import collect_studies
from tools.benchmark.figures import Row, Section, Target, alternate
from tools.benchmark.images import write_images
from tools.benchmark.ingest import received_rate
from tools.benchmark.receivers import Receiver, running_node
from tools.benchmark.senders import PROMPT_STORESCU

#: Studies that the job database holds; the first is what the others are compared with.
_KEPT = (1_000, 10_000, 100_000)
_SLICES = (10, 100, 500)
_CALLS, _BATCH = 5, 5000
_CONSTANT = Target("<=", 1.5)
_LINES_ON_A_PAGE = 50


def run(repeats: int, kept: Sequence[int] = _KEPT, slices: Sequence[int] = _SLICES) -> Section:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        rows = [*_kept_rows(Path(folder), repeats, kept), *_slice_rows(Path(folder), repeats, slices)]
    settings: dict[str, str | int | float] = {
        "kept": ", ".join(map(str, kept)),
        "slices": ", ".join(map(str, slices)),
        "repeats": repeats,
    }
    return Section("growth", "Growth", tuple(rows), settings)


def _kept_rows(folder: Path, repeats: int, kept: Sequence[int]) -> Iterator[Row]:
    """Return what a page and a hand-over cost beside the same with the least studies kept."""
    clients = {count: _client_with(folder / f"jobs-{count}.db", count) for count in kept}
    for quantity, call in (("worklist page", _page), ("hand-over of a study", _hand_over)):
        seconds = alternate(
            {str(count): partial(_median_ms, partial(call, client)) for count, client in clients.items()}, repeats
        )
        first = str(kept[0])
        for count in kept[1:]:
            yield Row(quantity, f"{count} studies kept", "ms", seconds[str(count)], seconds[first], f"{first} kept", _CONSTANT)
    for client in clients.values():
        client.close()


def _page(client: JobClient) -> None:
    client.find(StudyQuery(limit=_LINES_ON_A_PAGE))
    client.states()


def _hand_over(client: JobClient) -> None:
    client.study_ready(StudyInstanceUID(str(generate_uid())), ["SCANNER at 127.0.0.1"])


def _median_ms(call: Callable[[], None]) -> float:
    seconds = []
    for _ in range(_CALLS):
        begin_s = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin_s)
    return 1e3 * statistics.median(seconds)


def _client_with(path: Path, count: int) -> JobClient:
    """Return a client of a new database that holds studies which were delivered, with the audit trail of each."""
    url = f"sqlite:{path}"
    with closing(open_jobs(url)) as client:
        _hand_over(client)  # makes the tables
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    engine = open_engine(database_url(url))
    with Session(engine) as session:
        for start in range(0, count, _BATCH):
            numbers = range(start, min(start + _BATCH, count))
            rows = [_kept_study(number, begin + timedelta(minutes=number)) for number in numbers]
            for table in (StudyRow, AnalysisRow, DeliveryRow, EventRow, DurationRow, ReasonRow):
                session.execute(insert(table), [row for of_study in rows for row in of_study[table]])
            session.commit()
    engine.dispose()
    return open_jobs(url)


def _kept_study(number: int, at: datetime) -> dict[type[LedgerRow], list[dict[str, object]]]:
    """Return the rows of a study that was received, measured and delivered, by table."""
    study, analysis = f"1.2.3.{number}", f"{number:024x}"
    of_study: dict[str, object] = {"study_instance_uid": study}
    of_analysis: dict[str, object] = {"analysis_id": analysis}
    counted = {"arrivals": 1, "claimed": 1, "current_analysis": analysis, "first_ready_at": at, "updated_at": at}
    known = {"revision": 1, "digest": analysis, "fingerprint": "f", "workflow_id": f"w{number}", "state": "analysed"}
    found: dict[str, object] = {
        "status": "measured",
        "reason": None,
        "message": "",
        "findings": [],
        "models": [],
        "folder": None,
        "object_count": 2,
    }
    times = {"object_count": 2, "interruptions": 0, "started_at": at, "finished_at": at + timedelta(seconds=6)}
    sent = {"destination": "pacs", "state": "delivered", "attempt": 1, "reason": None, "message": "", "stored_count": 2}
    events = (
        ("study received", "from SCANNER"),
        ("study ready", "announcement 1"),
        ("analysis measured", analysis),
        ("delivery delivered", "pacs"),
    )
    return {
        StudyRow: [of_study | counted],
        AnalysisRow: [of_analysis | of_study | known | found | times],
        DeliveryRow: [of_analysis | sent | {"next_attempt_at": None, "updated_at": at}],
        EventRow: [of_study | {"at": at, "kind": kind, "subject": what, "reason": None, "message": ""} for kind, what in events],
        DurationRow: [of_analysis | {"at": at, "seconds": 6.0}],
        ReasonRow: [of_analysis | {"code": "contrast_low", "verdict": "flagged"}],
    }


def _slice_rows(folder: Path, repeats: int, slices: Sequence[int]) -> Iterator[Row]:
    """Return what a slice costs in a long study beside one in a short study, from the network to the volume."""
    shares = {count: write_images(folder / f"study-{count}", count, 256, 1, series_length=count) for count in slices}
    with running_node(folder / "node", PROMPT_STORESCU.environment) as node:
        received = alternate({str(one): partial(_ms_received, node, shares[one]) for one in slices}, repeats)
    selected = alternate({str(one): partial(_ms_selected, shares[one][0]) for one in slices}, repeats)
    loaded = alternate({str(one): partial(_ms_loaded, shares[one][0]) for one in slices}, repeats)
    for quantity, figures in (("reception", received), ("selection", selected), ("loading", loaded)):
        first = str(slices[0])
        for one in slices[1:]:
            named = (f"{quantity} of a slice", f"{one} slices", "ms")
            yield Row(*named, figures[str(one)], figures[first], f"{first} slices", _CONSTANT)


def _ms_received(node: Receiver, share: Sequence[Path]) -> float:
    return 1e3 / received_rate(PROMPT_STORESCU, node, share)


def _ms_selected(folder: Path) -> float:
    """Return the time of finding the study in its files and of looking at its series; whether one is chosen does not matter."""
    count = len(list(folder.iterdir()))
    begin_s = time.perf_counter()
    (study,) = collect_studies([folder]).studies
    with suppress(Declined):
        select_series(study, SelectionConfig())
    return 1e3 * (time.perf_counter() - begin_s) / count


def _ms_loaded(folder: Path) -> float:
    (study,) = collect_studies([folder]).studies
    (series,) = study.all_series
    begin_s = time.perf_counter()
    load_volume(SelectedSeries(SeriesRole.SAGITTAL_T2, series))
    return 1e3 * (time.perf_counter() - begin_s) / len(series.instances)
