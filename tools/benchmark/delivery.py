"""How long the objects of a study take to be built and to be delivered, and over how many associations."""

import logging
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pynetdicom import AE, StoragePresentationContexts, evt

from node.config import DestinationConfig, ReportingConfig
from node.delivery import deliver_objects
from node.domain.analysis import Analysis
from node.domain.report import ReportKind, ReportObject
from node.domain.study import SeriesRole
from node.pipeline import collector_paused, examine, load_volumes
from node.reporting import Software, read_report
from node.reporting.pr import build_pr
from node.reporting.provenance import Provenance
from node.reporting.seg import build_seg
from node.reporting.source import SourceSeries, read_source
from node.reporting.sr import build_sr
from node.reporting.sr_lines import build_sr_lines
from node.reporting.sr_volumes import build_sr_volumes
from node.selection import select_series
from tools.benchmark.analysis import STUDY, Bench, open_bench
from tools.benchmark.figures import Row, Section, Target
from tools.benchmark.processes import free_port
from tools.phantom.study import write_phantom_study

_BUILT_S, _ONE, _NONE = Target("<=", 0.3), Target("<=", 1), Target("<=", 0)
#: What a destination is sent unless its configuration says otherwise.
_DEFAULT = frozenset({ReportKind.SEG, ReportKind.SR, ReportKind.PR})


@dataclass(slots=True)
class Peer:
    """A receiver on loopback that accepts everything; it counts."""

    port: int
    associations: int = 0
    stored: int = 0

    def accept(self, _event: evt.Event) -> None:
        """Count an association."""
        self.associations += 1

    def store(self, _event: evt.Event) -> int:
        """Count an object."""
        self.stored += 1
        return 0


def run(repeats: int) -> Section:
    """Measure."""
    logging.getLogger("pynetdicom").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, listening_peer() as peer:
        folder = Path(name)
        write_phantom_study(folder / "study", STUDY)
        bench = open_bench(folder / "study")
        bench.pipeline.analyse(bench.study, folder / "report")
        objects = read_report(folder / "report")
        rows = [*_built(bench, repeats), _empty_frames(objects)]
        for words, chosen in (("SEG, SR and PR", [one for one in objects if one.kind in _DEFAULT]), ("all kinds", objects)):
            rows += _delivered(peer, f"{words}: {len(chosen)} objects", chosen, repeats)
    return Section("delivery", "Delivery", tuple(rows), {"repeats": repeats})


@contextmanager
def listening_peer() -> Iterator[Peer]:
    """Run the receiver until the block is left."""
    peer = Peer(free_port())
    entity = AE(ae_title="PEER")
    entity.supported_contexts = StoragePresentationContexts
    handlers: list[evt.EventHandlerType] = [(evt.EVT_ESTABLISHED, peer.accept), (evt.EVT_C_STORE, peer.store)]
    server = entity.start_server(("127.0.0.1", peer.port), block=False, evt_handlers=handlers)
    if server is None:
        raise RuntimeError("the peer of the benchmark did not start")
    try:
        yield peer
    finally:
        server.shutdown()


def _delivered(peer: Peer, condition: str, objects: list[ReportObject] | tuple[ReportObject, ...], repeats: int) -> Iterator[Row]:
    destination = DestinationConfig(name="peer", host="127.0.0.1", port=peer.port, ae_title="PEER")
    seconds, associations = [], []
    for _ in range(repeats + 1):
        peer.associations = peer.stored = 0
        begun = time.perf_counter()
        receipt = deliver_objects(destination, "CSPINE", objects)
        seconds.append(time.perf_counter() - begun)
        associations.append(float(peer.associations))
        if receipt.refused or peer.stored != len(objects):
            raise RuntimeError("the peer of the benchmark did not store every object")
    yield Row("delivery to pynetdicom on loopback", condition, "s", tuple(seconds[1:]))
    yield Row("associations for one study", condition, "", tuple(associations[1:]), target=_ONE)


def _empty_frames(objects: tuple[ReportObject, ...]) -> Row:
    """Return how many frames of the SEG hold no mark."""
    counts = []
    for one in objects:
        if one.kind is ReportKind.SEG:
            frames = pydicom.dcmread(one.instance.path).pixel_array
            counts.append(float(sum(not frame.any() for frame in frames)))
    return Row("frames without a mark", "all SEG", "frames", (sum(counts),), target=_NONE)


def _built(bench: Bench, repeats: int) -> list[Row]:
    """Return how long each kind of object takes to be built, and all that are sent by default."""
    selection = select_series(bench.study, bench.config.selection)
    volumes, _ = load_volumes(selection)
    series, measured = examine(volumes, bench.pipeline.library, bench.config.measurement)
    analysis = Analysis(selection.study_instance_uid, "fingerprint", series, measured, {})
    figures = [_build_times(analysis) for _ in range(repeats + 1)][1:]
    rows = [Row("object built", kind, "s", tuple(one[kind] for one in figures)) for kind in figures[0]]
    default = tuple(sum(one[kind] for kind in ("SEG", "SR", "PR")) for one in figures)
    return [*rows, Row("objects built", "SEG, SR and PR of one study", "s", default, target=_BUILT_S)]


def _build_times(analysis: Analysis) -> Mapping[str, float]:
    sources = {role: read_source(one.volume) for role, one in analysis.series_by_role.items()}
    provenance = Provenance(Software("cspine-node", "0"), ReportingConfig(), analysis.measurements.models)
    found: dict[str, float] = {}
    segmentations = {}
    with collector_paused(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _counted(found, "SEG"):
            for role, source in sources.items():
                segmentations[role] = _seg(role, source, analysis, provenance)
        with _counted(found, "SR"):
            build_sr(analysis, sources, provenance)
        with _counted(found, "PR"):
            for role, source in sources.items():
                build_pr(role, analysis, source, provenance)
        with _counted(found, "SR_LINES"):
            for role in sources:
                build_sr_lines(role, analysis, sources, provenance)
        with _counted(found, "SR_VOLUMES"):
            build_sr_volumes(analysis, sources, segmentations, provenance)
    return found


def _seg(role: SeriesRole, source: SourceSeries, analysis: Analysis, provenance: Provenance) -> pydicom.Dataset:
    built = build_seg(role, source, analysis.series_by_role[role].masks, provenance, analysis.fingerprint)
    if built is None:
        raise RuntimeError("the study of the benchmark has an empty mask")
    return built


@contextmanager
def _counted(found: dict[str, float], kind: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    found[kind] = time.perf_counter() - begun
