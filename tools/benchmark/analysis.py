"""How long one study takes from files to finished objects, stage by stage, and the networks beside PyTorch."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

import node.pipeline
from node.config import Config
from node.domain.study import ReceivedStudy
from node.inference import ModelLibrary, choose_providers, load_manifest
from node.inference.library import LoadedModel, verified_bytes
from node.inference.session import OnnxSession, Session
from node.pipeline import Pipeline, models_dir
from node.store import collect_studies
from tools.benchmark.eager import EAGER, seconds_in_torch, torch_python
from tools.benchmark.figures import Row, Section, Target, alternate
from tools.benchmark.start_up import seconds_to_run
from tools.phantom.study import AXIAL, SAGITTAL, PhantomSettings, write_phantom_study

_NOT_MODELS_S, _NOT_MODELS_SHARE, _TO_EAGER = Target("<=", 0.7), Target("<=", 10), Target("<=", 0.6)
#: 15 sagittal slices of 512x512 and 20 axial ones, without series that must be skipped.
STUDY = PhantomSettings(
    seed=3,
    sagittal=replace(SAGITTAL, pixel_spacing_mm=(0.40625, 0.40625), rows=512, columns=512),
    axial=replace(AXIAL, slices=20, pixel_spacing_mm=(0.44, 0.44), rows=320, columns=320),
    distractors=False,
)
_P = ParamSpec("_P")
_T = TypeVar("_T")
#: The stages as the pipeline calls them.
_STAGES = ("select_series", "load_volumes", "examine", "measure_study", "build_report")
Batch = npt.NDArray[np.float32]


class TimedSession:
    """A network that counts the seconds spent in it, and keeps what it was given."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.seconds, self.batches = 0.0, list[Batch]()

    @property
    def provider(self) -> str:
        """What it runs on."""
        return self._session.provider

    def run(self, images: Batch) -> Batch:
        """Return what the network says."""
        begun = time.perf_counter()
        maps = self._session.run(images)
        self.seconds += time.perf_counter() - begun
        self.batches.append(images)
        return maps

    def forget(self) -> None:
        """Begin to count anew."""
        self.seconds, self.batches = 0.0, []


@dataclass(frozen=True, slots=True)
class Bench:
    """A pipeline whose networks are timed, and the study that it analyses."""

    pipeline: Pipeline
    sessions: Mapping[str, TimedSession]
    study: ReceivedStudy
    config: Config

    @property
    def in_models_s(self) -> float:
        """Seconds in the networks since they forgot."""
        return sum(one.seconds for one in self.sessions.values())


def run(repeats: int) -> Section:
    """Measure; every stage in each repeat, after one that warms up."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        write_phantom_study(folder / "study", STUDY)
        bench = open_bench(folder / "study")
        _stages(bench, folder / "warm")
        figures = [_stages(bench, folder / f"run{number}") for number in range(repeats)]
        rows = [_row(quantity, tuple(one[quantity] for one in figures)) for quantity in figures[0]]
        rows += [_cold(folder, repeats)]
        of_torch, notes = _beside_torch(bench, folder, repeats)
    settings = {"sagittal": 15, "axial": 20, "repeats": repeats}
    return Section("analysis", "Analysis", (*rows, *of_torch), settings, notes)


def open_bench(study: Path) -> Bench:
    """Return a pipeline of the default configuration with timed networks, and a study out of a folder."""
    config = Config()
    section = config.inference
    names = (section.sagittal_segmentation, section.axial_segmentation, section.keypoints)
    loaded = [_timed_model(models_dir(section) / name, section.threads) for name in names]
    library = ModelLibrary({one.manifest.task: one for one in loaded}, section.batch_size)
    every = [part for one in loaded for part in (one, one.witness) if part is not None]
    sessions = {one.manifest.name: one.session for one in every if isinstance(one.session, TimedSession)}
    return Bench(Pipeline(config, library), sessions, collect_studies([study]).studies[0], config)


def _timed_model(folder: Path, threads: int) -> LoadedModel:
    manifest = load_manifest(folder)
    providers = choose_providers(("cpu",), ["CPUExecutionProvider"])
    session = TimedSession(OnnxSession(verified_bytes(folder, manifest), manifest.name, providers, threads))
    return LoadedModel(manifest, session, None if manifest.witness is None else _timed_model(folder / manifest.witness, threads))


def _stages(bench: Bench, out: Path) -> dict[str, float]:
    """Return the seconds of each stage of one analysis: parts of one run that add up to the whole, and the whole."""
    for session in bench.sessions.values():
        session.forget()
    with _timed_stages() as seconds:
        begun = time.perf_counter()
        bench.pipeline.analyse(bench.study, out)
        whole = time.perf_counter() - begun
    others = whole - bench.in_models_s
    parts = {
        "selection": seconds["select_series"],
        "loading": seconds["load_volumes"],
        "masks around the networks": seconds["examine"] - seconds["measure_study"] - bench.in_models_s,
        "measurement alone": seconds["measure_study"],
        "objects, pictures and files": seconds["build_report"],
    }
    return {f"network {name}": session.seconds for name, session in bench.sessions.items()} | {
        **parts,
        "digests and reasons": others - sum(parts.values()),
        "the whole, warm": whole,
        "all that is not networks": others,
        "share that is not networks": 100 * others / whole,
    }


@contextmanager
def _timed_stages() -> Iterator[dict[str, float]]:
    """Put a clock around each stage where the pipeline calls it, so that one run says what each of them took.

    Seconds by the name of the stage; ``measure_study`` is a part of ``examine``.
    """
    seconds: dict[str, float] = {}
    stages = {name: getattr(node.pipeline, name) for name in _STAGES}
    try:
        for name, stage in stages.items():
            setattr(node.pipeline, name, _timed(seconds, name, stage))
        yield seconds
    finally:
        for name, stage in stages.items():
            setattr(node.pipeline, name, stage)


def _timed(seconds: dict[str, float], name: str, stage: Callable[_P, _T]) -> Callable[_P, _T]:
    def timed(*arguments: _P.args, **named: _P.kwargs) -> _T:
        begun = time.perf_counter()
        result = stage(*arguments, **named)
        seconds[name] = time.perf_counter() - begun
        return result

    return timed


def _row(quantity: str, figures: tuple[float, ...]) -> Row:
    targets = {"all that is not networks": _NOT_MODELS_S, "share that is not networks": _NOT_MODELS_SHARE}
    unit = "%" if quantity.startswith("share") else "s"
    return Row(quantity, "one study, CPU", unit, figures, target=targets.get(quantity))


def _cold(folder: Path, repeats: int) -> Row:
    command = ["-m", "node", "analyze", str(folder / "study"), "--out"]
    figures = tuple(seconds_to_run(*command, str(folder / f"cold{number}")) for number in range(repeats))
    return Row("the whole, cold: cspine-node analyze", "one study, CPU", "s", figures)


def _beside_torch(bench: Bench, folder: Path, repeats: int) -> tuple[list[Row], tuple[str, ...]]:
    """Return a row for each network whose weights lie beside it, and what could not be compared."""
    python = torch_python()
    if python is None:
        return [], ("PyTorch eager: skipped, no Python with torch and timm (the extra `train`); name one in BENCHMARK_TORCH",)
    rows, notes = [], []
    for name, session in bench.sessions.items():
        weights = models_dir(bench.config.inference) / name / "model.safetensors"
        if not weights.is_file():
            notes.append(f"PyTorch eager, {name}: skipped, its torch weights are not kept")
            continue
        batches = list(session.batches)
        inputs = folder / f"{name}.npz"
        np.savez(inputs, *batches)
        competitors = {"node": partial(_seconds, session, batches), EAGER: partial(seconds_in_torch, python, weights, inputs)}
        figures = alternate(competitors, repeats)
        rows.append(Row("networks in ONNX Runtime", name, "s", figures["node"], figures[EAGER], EAGER, _TO_EAGER))
    return rows, tuple(notes)


def _seconds(session: Session, batches: list[Batch]) -> float:
    begun = time.perf_counter()
    for batch in batches:
        session.run(batch)
    return time.perf_counter() - begun
