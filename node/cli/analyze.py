"""``cspine-node analyze``: one study, or several, without network or queue."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from node.cli.program import EXIT_DECLINED, EXIT_ERROR, config_option, config_path_or_default
from node.config import load_config
from node.domain.analysis import History
from node.domain.errors import Declined, NodeError
from node.domain.study import ReceivedStudy
from node.pipeline import open_pipeline
from node.reporting import read_prior
from node.store import CollectedStudies, collect_studies, identify_patient


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", "out_dir", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the results.")
@click.option(
    "--prior",
    "prior_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Our SR of an earlier study of the patient.",
)
@config_option
def analyze(paths: tuple[Path, ...], out_dir: Path, prior_path: Path | None, config_path: Path | None) -> None:
    """Analyse DICOM files or folders; write SEG, SR, PR, KO, SC, measurements.json and pictures to --out.

    One study is written to --out itself, several to one folder each, named by StudyInstanceUID. With --prior, an SR of
    this node of an earlier study of the same patient, the change of MSCC, MCC, area and ratio is reported too.
    Exit code: 0 measured, 3 declined (the reason is printed), 1 error; of several studies the worst counts.
    """
    config = load_config(config_path_or_default(config_path))
    console, progress_console = Console(), Console(stderr=True)
    collected = collect_studies(paths)
    _warn_of_unusable(collected, progress_console)
    if not collected.studies:
        raise SystemExit(_fail(progress_console, "no DICOM study was found", EXIT_ERROR))
    history = _history(prior_path, collected.studies, progress_console)
    codes: list[int] = []
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=progress_console) as progress:
        task = progress.add_task("loading models")
        pipeline = open_pipeline(config)
        for number, study in enumerate(collected.studies, 1):
            progress.update(task, description=f"analysing study {number} of {len(collected.studies)}")
            folder = out_dir if len(collected.studies) == 1 else out_dir / study.study_instance_uid
            codes.append(_analyse(partial(pipeline.analyse, study, folder, history), folder, console))
    raise SystemExit(EXIT_ERROR if EXIT_ERROR in codes else max(codes))


def _warn_of_unusable(collected: CollectedStudies, console: Console) -> None:
    for path, finding in collected.unusable:
        console.print(f"skipped {path}: {finding.code}: {finding.message}", style="yellow", highlight=False, soft_wrap=True)


def _fail(console: Console, message: str, code: int) -> int:
    console.print(message, style="red", highlight=False, soft_wrap=True)
    return code


def _history(prior_path: Path | None, studies: Sequence[ReceivedStudy], console: Console) -> History:
    """Return what the studies are compared with; end with an error if that is not an SR of ours of the same, one patient."""
    if prior_path is None:
        return History()
    prior = read_prior(prior_path)
    if prior is None:
        raise SystemExit(_fail(console, f"--prior: {prior_path} is not a measurement SR of this node with a value", EXIT_ERROR))
    patients = {identify_patient(study.all_series[0].instances[0].path) for study in studies}
    who = identify_patient(prior_path)
    if who is None or any(patient is None or patient.key != who.key for patient in patients):
        message = (
            "--prior: the report is not of the same patient (number, issuer, name, birth date, sex), or one of these is missing"
        )
        raise SystemExit(_fail(console, message, EXIT_ERROR))
    return History(prior=prior)


def _analyse(analyse: Callable[[], object], folder: Path, console: Console) -> int:
    errors = Console(stderr=True)
    try:
        analyse()
    except Declined as declined:
        for finding in declined.findings:
            errors.print(f"  {finding.code}: {finding.message}", highlight=False, soft_wrap=True)
        return _fail(errors, f"declined: {declined}", EXIT_DECLINED)
    except NodeError as error:
        return _fail(errors, f"error: {error}", EXIT_ERROR)
    print_measurements(folder, console)
    return 0


def print_measurements(folder: Path, console: Console) -> None:
    """Print the table of a folder's ``measurements.json`` and where its files are."""
    document = json.loads((folder / "measurements.json").read_text(encoding="utf-8"))
    table = Table(title=f"{document['status']}: study {document['study_instance_uid']}", title_justify="left")
    for heading in ("measurement", "value", "level", "verdict", "reasons"):
        table.add_column(heading)
    for row in _rows(document):
        table.add_row(*row)
    console.print(table)
    _print_changes(document.get("prior") or {}, console)
    for file in document["files"]:
        console.print(f"{file['kind']}: {folder / file['path']}", highlight=False, soft_wrap=True)
    console.print(f"measurements: {folder / 'measurements.json'}", highlight=False, soft_wrap=True)
    for picture in sorted(folder.glob("*.png")):
        console.print(f"picture: {picture}", highlight=False, soft_wrap=True)


def _print_changes(prior: dict, console: Console) -> None:  # type: ignore[type-arg]
    for key, name in (
        ("mscc_percent", "MSCC"),
        ("mcc_percent", "MCC"),
        ("ta_mm2", "transverse area"),
        ("cr", "compression ratio"),
    ):
        if change := prior.get(key):
            console.print(f"{name}: prior {change['prior']:g}, change {change['change']:+g}", highlight=False)


def _rows(document: dict) -> list[tuple[str, ...]]:  # type: ignore[type-arg]
    rows: list[tuple[str, ...]] = []
    sagittal, axial = document.get("sagittal") or {}, document.get("axial") or {}
    for key, name in (("mscc", "MSCC"), ("mcc", "MCC")):
        if (ratio := sagittal.get(key)) is not None:
            rows.append(_row(f"{name} ({ratio['reference']})", _number(ratio["value_percent"], "%"), ratio))
    for key, name, unit in (
        ("ta_mm2", "transverse area", "mm2"),
        ("cr", "compression ratio", ""),
        ("ap_mm", "axial AP", "mm"),
        ("transverse_mm", "transverse", "mm"),
    ):
        if key in axial:
            rows.append(_row(name, _number(axial[key], unit), axial))
    return rows


def _row(name: str, value: str, source: dict) -> tuple[str, ...]:  # type: ignore[type-arg]
    reasons = ", ".join(dict.fromkeys(reason["code"] for reason in source.get("reasons", [])))
    return name, value, source.get("level") or "", source.get("verdict") or "", reasons


def _number(value: float | None, unit: str) -> str:
    return "withheld" if value is None else f"{value:.2f} {unit}".rstrip()
