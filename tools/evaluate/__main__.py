"""Agreement of model, reader and gold.

::

    python -m tools.evaluate phantom --studies /tmp/studies --count 20 --models models --out /tmp/report
    python -m tools.evaluate real REAL --models models --fold errsm_11=/tmp/without_11 --out /tmp/report
    python -m tools.evaluate annotated STUDIES LABELS --models models --out /tmp/report
    python -m tools.evaluate pair MODEL_RESULTS READER_RESULTS --tested model --reference reader --out /tmp/report
    python -m tools.evaluate cuts --studies /tmp/studies --count 8 --models models --out /tmp/report
    python -m tools.evaluate calibrate --studies /tmp/studies --count 20 --models UNCALIBRATED --write models/keypoints
    python -m tools.evaluate borders --studies /tmp/studies --count 10 --models models --write
"""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from node import __version__
from node.config import InferenceConfig
from node.domain.errors import NodeError
from node.domain.study import SeriesRole
from tools.evaluate.annotated_cases import annotated_sources
from tools.evaluate.borders import fit_borders, write_borders
from tools.evaluate.calibration import fit_calibration, write_calibration
from tools.evaluate.case import CaseSource
from tools.evaluate.cuts import cut_rows, cut_verdicts
from tools.evaluate.evaluation import Evaluation, Heading
from tools.evaluate.folds import Folds, refuse_seen
from tools.evaluate.pairs import PairedFolders, pair_folders
from tools.evaluate.phantom_cases import FIRST_SEED, FITTING_SEED, phantom_sources
from tools.evaluate.readings import Side
from tools.evaluate.real_cases import real_sources
from tools.evaluate.report import write_report
from tools.evaluate.run import evaluate_cases
from tools.evaluate.summarise import summarise
from tools.labelme import AnnotationError

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
_SIDE = click.Choice([one.value for one in Side])
_INFERENCE = InferenceConfig()
_SEGMENTERS = {SeriesRole.SAGITTAL_T2: _INFERENCE.sagittal_segmentation, SeriesRole.AXIAL_T2: _INFERENCE.axial_segmentation}
_SOFTWARE = f"cspine-node {__version__}"

_PHANTOM_NOTE = (
    "Synthetic necks: the truth is exact, and the pictures are easier than real ones. TA and CR of the reference are those of "
    "the slice nearest to the true narrowest point, which the model may miss."
)
_REAL_NOTE = (
    "Sagittal slices of 3 mm and axial slabs of 4 mm are cut from volumes of 1 mm voxels; T2*-weighted axial series have no "
    "sagittal series beside them. TA and CR of the reference are measured with the method of the node on its cord mask, on the "
    "slice that the model chose."
)

_ANNOTATED_NOTE = (
    "The numbers of the reader are measured with the method of the node on what was drawn; what was not drawn is not compared."
)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The models that the command line names, and whether they may have seen the people."""

    folds: Folds
    seen_allowed: bool

    def heading(self, title: str, reference: Side, sources: Sequence[CaseSource], *notes: str) -> Heading:
        """Return the head of a report; people that the models were trained on are refused unless they are allowed."""
        seen = self.folds.seen(sources)
        if not self.seen_allowed:
            refuse_seen(seen)
        models = self.folds.models(sources)
        return Heading(title, Side.MODEL, reference, _now(), _SOFTWARE, models, seen, notes)


@dataclass(frozen=True, slots=True)
class _Phantoms:
    """The phantom studies that the command line names."""

    studies: Path
    count: int
    first_seed: int

    def sources(self) -> list[CaseSource]:
        """Return them as cases."""
        return list(phantom_sources(self.studies, self.count, self.first_seed))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _fold(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> dict[str, Path]:
    folds = {}
    for value in values:
        person, separator, folder = value.partition("=")
        if not separator or not Path(folder).is_dir():
            raise click.BadParameter(f"{value!r} is not PERSON=MODELS_DIR with a folder that exists")
        folds[person] = Path(folder)
    return folds


_MODEL_OPTIONS = (
    click.option("--models", type=_FOLDER, help="Folder of the models, for everyone without a fold."),
    click.option("--fold", "folds", multiple=True, callback=_fold, help="PERSON=MODELS_DIR; may be repeated."),
    click.option("--threads", default=1, show_default=True, help="Threads for one model."),
    click.option("--seen", is_flag=True, help="Evaluate people that the models were trained on; the report says so."),
)
_out_option = click.option("--out", "out_dir", type=_NEW_FOLDER, required=True, help="Folder for metrics.json and report.html.")
_person_option = click.option("--person", "people", multiple=True, help="Only this person; may be repeated.")


def _model_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose models; it is called with them as one ``chosen``."""

    @functools.wraps(command)
    def called(models: Path | None, folds: dict[str, Path], threads: int, seen: bool, **others: object) -> None:
        command(chosen=_Chosen(Folds(models, folds, threads), seen), **others)

    return _with_options(called, _MODEL_OPTIONS)


def _phantom_options(first_seed: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that choose phantom studies; it is called with them as one ``phantoms``."""
    options = (
        click.option("--studies", type=_NEW_FOLDER, help="Folder of the phantom studies; what is missing is written."),
        click.option("--count", default=20, show_default=True, type=click.IntRange(1), help="Phantom studies."),
        click.option("--first-seed", default=first_seed, show_default=True, help="Seed of the first phantom study."),
    )

    def given(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def called(studies: Path | None, count: int, first_seed: int, **others: object) -> None:
            command(phantoms=None if studies is None else _Phantoms(studies, count, first_seed), **others)

        return _with_options(called, options)

    return given


def _with_options(command: Callable[..., None], options: Sequence[Callable[..., Any]]) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Show what is wrong with the input in one line instead of a traceback."""
    try:
        yield
    except (ValueError, OSError, NodeError, AnnotationError) as error:
        raise click.ClickException(str(error)) from error


@click.group()
def evaluate() -> None:
    """Agreement of model, reader and gold: metrics.json and report.html in --out."""


@evaluate.command()
@_phantom_options(FIRST_SEED)
@_model_options
@_out_option
def phantom(phantoms: _Phantoms | None, chosen: _Chosen, out_dir: Path) -> None:
    """Evaluate synthetic studies of known truth, from DICOM files on."""
    with _plain_errors():
        if phantoms is None:
            raise click.UsageError("give --studies, the folder of the phantom studies")
        sources = phantoms.sources()
        _evaluate(sources, chosen, chosen.heading("Phantom test set", Side.GOLD, sources, _PHANTOM_NOTE), out_dir)


@evaluate.command()
@click.argument("folder", type=_FOLDER)
@_person_option
@click.option("--truth", type=_SIDE, default=Side.GOLD.value, show_default=True, help="Who drew the reference.")
@_model_options
@_out_option
def real(folder: Path, people: tuple[str, ...], truth: str, chosen: _Chosen, out_dir: Path) -> None:
    """Evaluate annotated real volumes below FOLDER/sagittal and FOLDER/axial."""
    with _plain_errors():
        sources = list(real_sources(folder, people))
        _evaluate(sources, chosen, chosen.heading("Real volumes", Side(truth), sources, _REAL_NOTE), out_dir)


@evaluate.command()
@click.argument("studies", type=_FOLDER)
@click.argument("labels", type=_FOLDER)
@_model_options
@_out_option
def annotated(studies: Path, labels: Path, chosen: _Chosen, out_dir: Path) -> None:
    """Evaluate your own DICOM studies below STUDIES against labelme files below LABELS/PERSON."""
    with _plain_errors():
        sources = annotated_sources(studies, labels)
        _evaluate(sources, chosen, chosen.heading("Annotated studies", Side.READER, sources, _ANNOTATED_NOTE), out_dir)


@evaluate.command()
@click.argument("tested_folder", type=_FOLDER)
@click.argument("reference_folder", type=_FOLDER)
@click.option("--tested", type=_SIDE, default=Side.MODEL.value, show_default=True, help="Who made the first folder.")
@click.option("--reference", type=_SIDE, default=Side.READER.value, show_default=True, help="Who made the second folder.")
@_out_option
def pair(tested_folder: Path, reference_folder: Path, tested: str, reference: str, out_dir: Path) -> None:
    """Compare the numbers of two folders of measurements.json, matched by StudyInstanceUID."""
    with _plain_errors():
        paired = pair_folders(tested_folder, reference_folder)
        title = f"{tested_folder.name} against {reference_folder.name}"
        heading = Heading(title, Side(tested), Side(reference), _now(), _SOFTWARE, notes=_pair_notes(paired))
        _finish(summarise(paired.results, heading), out_dir)


def _pair_notes(paired: PairedFolders) -> tuple[str, ...]:
    counted = "Who was imaged is not in the documents: each study counts as a person."
    alone = ((paired.only_tested, "first"), (paired.only_reference, "second"))
    return (counted, *(f"Only in the {which} folder, not compared: {', '.join(uids)}." for uids, which in alone if uids))


@evaluate.command()
@click.option("--real", "folder", type=_FOLDER, help="Folder of annotated real volumes.")
@_person_option
@_phantom_options(FIRST_SEED)
@_model_options
@_out_option
def cuts(folder: Path | None, people: tuple[str, ...], phantoms: _Phantoms | None, chosen: _Chosen, out_dir: Path) -> None:
    """Ask what the keypoint model says when the top of the neck is out of view."""
    with _plain_errors():
        sources = _sagittal_sources(folder, people, phantoms)
        heading = chosen.heading("Names when the top of the neck is out of view", Side.GOLD, sources)
        _finish(_cut_evaluation(sources, chosen.folds, heading), out_dir)


def _sagittal_sources(folder: Path | None, people: tuple[str, ...], phantoms: _Phantoms | None) -> list[CaseSource]:
    return [one for one in _sources(folder, people, phantoms) if SeriesRole.SAGITTAL_T2 in one.roles]


def _sources(folder: Path | None, people: tuple[str, ...], phantoms: _Phantoms | None) -> list[CaseSource]:
    real = [] if folder is None else list(real_sources(folder, people))
    return [*real, *(phantoms.sources() if phantoms is not None else ())]


@evaluate.command()
@click.option("--real", "folder", type=_FOLDER, help="Folder of annotated real volumes.")
@_person_option
@_phantom_options(FITTING_SEED)
@_model_options
@click.option("--write", "manifest_dir", type=_FOLDER, help="Keypoint model whose manifest gets the calibration.")
def calibrate(
    folder: Path | None, people: tuple[str, ...], phantoms: _Phantoms | None, chosen: _Chosen, manifest_dir: Path | None
) -> None:
    """Fit how often a corner lies within 2 mm by the height of its peak, on cases that the models have not seen."""
    with _plain_errors():
        sources = _sagittal_sources(folder, people, phantoms)
        refuse_seen(chosen.folds.seen(sources))
        calibration = fit_calibration(evaluate_cases(sources, chosen.folds, lambda name: click.echo(name, err=True)))
        if manifest_dir is not None:
            write_calibration(manifest_dir, calibration)
    click.echo(json.dumps(calibration))


@evaluate.command()
@click.option("--real", "folder", type=_FOLDER, help="Folder of annotated real volumes.")
@_person_option
@_phantom_options(FITTING_SEED)
@_model_options
@click.option("--write", "is_written", is_flag=True, help="Put the borders into the manifests of --models.")
def borders(folder: Path | None, people: tuple[str, ...], phantoms: _Phantoms | None, chosen: _Chosen, is_written: bool) -> None:
    """Fit at which probability of the networks a border lies: where masks are as large as the truth."""
    with _plain_errors():
        sources = _sources(folder, people, phantoms)
        if not chosen.seen_allowed:
            refuse_seen(chosen.folds.seen(sources))
        fitted = fit_borders(sources, chosen.folds, lambda name: click.echo(name, err=True))
        for role, found in fitted.items() if is_written else ():
            write_borders(chosen.folds.folder_of("") / _SEGMENTERS[role], found)
    click.echo(json.dumps({role: {key: asdict(one) for key, one in found.items()} for role, found in fitted.items()}))


def _cut_evaluation(sources: Sequence[CaseSource], folds: Folds, heading: Heading) -> Evaluation:
    verdicts = []
    for source in sources:
        click.echo(source.name, err=True)
        verdicts.append(cut_verdicts(source.load(), folds.library_of(source.person)))
    return Evaluation(heading, len(sources), len({one.person for one in sources}), cuts=cut_rows(verdicts))


def _evaluate(sources: Sequence[CaseSource], chosen: _Chosen, heading: Heading, out_dir: Path) -> None:
    results = evaluate_cases(sources, chosen.folds, lambda name: click.echo(name, err=True))
    _finish(summarise(results, heading), out_dir)


def _finish(evaluation: Evaluation, out_dir: Path) -> None:
    write_report(evaluation, out_dir)
    click.echo(out_dir / "report.html")


if __name__ == "__main__":
    evaluate()
