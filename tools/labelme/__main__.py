"""labelme annotations in and out.

::

    python -m tools.labelme export STUDY --out DIR
    python -m tools.labelme corrected --config config.yaml --out DIR
    python -m tools.labelme check DIR
    python -m tools.labelme measure DIR --out RESULTS
"""

import sys
from contextlib import closing
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from node.config import Config, MeasurementConfig, load_config
from node.domain.errors import Declined, NodeError
from node.domain.measurement import Measurement
from node.domain.study import ReceivedStudy
from node.inference import ModelLibrary
from node.jobs import open_jobs
from node.pipeline import open_pipeline
from node.store import collect_studies, open_store
from tools.labelme.corrected import export_corrections
from tools.labelme.export import export_study
from tools.labelme.measuring import measure_annotations, write_measurements
from tools.labelme.reading import AnnotationError, annotation_paths, inspect_file, read_annotation

EXIT_ERROR, EXIT_DECLINED = 1, 3
_WIDTH = 160
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_OUT = click.option(
    "--out", "out_dir", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to."
)


@click.group()
def main() -> None:
    """Export slices to labelme, check corrected files, and measure on them."""


@main.command()
@click.argument("paths", metavar="STUDY...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@_OUT
@click.option("--models", "models_dir", type=_FOLDER, help="Folder of the models; without it, those of the package.")
@click.option("--config", "config_path", type=click.Path(dir_okay=False, path_type=Path), help="Configuration of the node.")
@click.option("--all-slices", is_flag=True, help="Every sagittal and axial slice that shows cord, not the decisive one only.")
def export(paths: tuple[Path, ...], out_dir: Path, models_dir: Path | None, config_path: Path | None, all_slices: bool) -> None:
    """Write slices of DICOM files or folders as PNG, with the node's outlines and corners as labelme files.

    Exit code: 0 exported, 3 declined (the reason is printed), 1 error; of several studies the worst counts.
    """
    try:
        config = _with_models(load_config(config_path), models_dir)
        library = open_pipeline(config).library
    except NodeError as error:
        raise SystemExit(_explain(error)) from error
    studies = collect_studies(paths).studies
    if not studies:
        click.echo("no DICOM study was found", err=True)
        raise SystemExit(EXIT_ERROR)
    codes = [_export(study, library, config, out_dir, all_slices) for study in studies]
    raise SystemExit(EXIT_ERROR if EXIT_ERROR in codes else max(codes))


def _with_models(config: Config, models_dir: Path | None) -> Config:
    if models_dir is None:
        return config
    return config.model_copy(update={"inference": config.inference.model_copy(update={"models_dir": models_dir})})


def _export(study: ReceivedStudy, library: ModelLibrary, config: Config, out_dir: Path, all_slices: bool) -> int:
    try:
        exported = export_study(study, library, config, out_dir, all_slices=all_slices)
    except NodeError as error:
        return _explain(error)
    for finding in exported.findings:
        click.echo(f"{finding.code}: {finding.message}", err=True)
    click.echo(f"{exported.folder}: {len(annotation_paths(exported.folder))} slices")
    return 0


def _explain(error: NodeError) -> int:
    """Print an error with its reasons; return the exit code that it means."""
    declined = isinstance(error, Declined)
    click.echo(f"{'declined' if declined else 'error'}: {error}", err=True)
    for finding in error.findings:
        click.echo(f"  {finding.code}: {finding.message}", err=True)
    return EXIT_DECLINED if declined else EXIT_ERROR


@main.command()
@click.option("--config", "config_path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_OUT
def corrected(config_path: Path, out_dir: Path) -> None:
    """Write the segmentations that people corrected and sent back to the node of a configuration.

    One folder for each study, as the training takes them; what is there already is left. Exit code 1 if one could not be written.
    """
    try:
        config = load_config(config_path)
        with closing(open_jobs(config.database)) as jobs:
            done = list(export_corrections(jobs, open_store(config.store), out_dir))
    except NodeError as error:
        raise SystemExit(_explain(error)) from error
    for one in done:
        click.echo(f"{one.folder or one.feedback.sop_instance_uid}: {one.message}", err=one.folder is None)
    click.echo(f"{sum(one.folder is not None for one in done)} of {len(done)} corrections written")
    raise SystemExit(EXIT_ERROR if any(one.folder is None for one in done) else 0)


@main.command()
@click.argument("folder", type=_FOLDER)
def check(folder: Path) -> None:
    """Report everything that is wrong with the labelme files in FOLDER and below; exit code 1 if there is anything."""
    paths = annotation_paths(folder)
    table = Table("file", "shape", "what is wrong", "what to do", box=None, pad_edge=False)
    wrong = 0
    for path in paths:
        for problem in inspect_file(path)[1]:
            wrong += 1
            cells = str(path.relative_to(folder)), problem.shape, f"{problem.rule}: {problem.text}", problem.remedy
            table.add_row(*map(escape, cells))
    if wrong:
        Console(width=max(Console().width, _WIDTH)).print(table)
    click.echo(f"{len(paths)} files, {wrong} problems")
    raise SystemExit(EXIT_ERROR if wrong or not paths else 0)


@main.command()
@click.argument("folder", type=_FOLDER)
@_OUT
def measure(folder: Path, out_dir: Path) -> None:
    """Measure on the labelme files in FOLDER and below; write one measurements.json for each study, model ``reader``."""
    try:
        annotations = [read_annotation(path) for path in annotation_paths(folder)]
        analyses = measure_annotations(annotations, MeasurementConfig())
    except (AnnotationError, ValueError) as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(EXIT_ERROR) from error
    if not analyses:
        click.echo("no labelme file was found", err=True)
        raise SystemExit(EXIT_ERROR)
    for analysis in analyses:
        values = ", ".join(_words(one) for one in analysis.measurements.headline)
        click.echo(f"{write_measurements(analysis, out_dir)}: {values or 'no MSCC, MCC, area or ratio at a level'}")


def _words(measured: Measurement) -> str:
    value = "withheld" if measured.value is None else f"{measured.value:.2f} {measured.unit}"
    return f"{measured.quantity.replace('_', ' ')} {value}"


if __name__ == "__main__":
    sys.exit(main())
