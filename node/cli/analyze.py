"""``cspine-node analyze``: one study, or several, without network or queue."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from node.cli.program import EXIT_DECLINED, EXIT_ERROR, config_option, config_path_or_default
from node.config import load_config
from node.domain.errors import Declined, NodeError
from node.domain.study import ReceivedStudy
from node.pipeline import Pipeline, open_pipeline
from node.store import CollectedStudies, collect_studies


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", "out_dir", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the results.")
@config_option
def analyze(paths: tuple[Path, ...], out_dir: Path, config_path: Path | None) -> None:
    """Analyse DICOM files or folders; write SEG, SR, measurements.json and overlay PNGs to --out.

    One study is written to --out itself, several to one folder each, named by StudyInstanceUID.
    Exit code: 0 measured, 3 declined (the reason is printed), 1 error; of several studies the worst counts.
    """
    config = load_config(config_path_or_default(config_path))
    console, progress_console = Console(), Console(stderr=True)
    collected = collect_studies(paths)
    _warn_of_unusable(collected, progress_console)
    if not collected.studies:
        raise SystemExit(_fail(progress_console, "no DICOM study was found", EXIT_ERROR))
    codes: list[int] = []
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=progress_console) as progress:
        task = progress.add_task("loading models")
        pipeline = open_pipeline(config)
        for number, study in enumerate(collected.studies, 1):
            progress.update(task, description=f"analysing study {number} of {len(collected.studies)}")
            folder = out_dir if len(collected.studies) == 1 else out_dir / study.study_instance_uid
            codes.append(_analyse(pipeline, study, folder, console))
    raise SystemExit(EXIT_ERROR if EXIT_ERROR in codes else max(codes))


def _warn_of_unusable(collected: CollectedStudies, console: Console) -> None:
    for path, finding in collected.unusable:
        console.print(f"skipped {path}: {finding.code}: {finding.message}", style="yellow", highlight=False, soft_wrap=True)


def _fail(console: Console, message: str, code: int) -> int:
    console.print(message, style="red", highlight=False, soft_wrap=True)
    return code


def _analyse(pipeline: Pipeline, study: ReceivedStudy, folder: Path, console: Console) -> int:
    errors = Console(stderr=True)
    try:
        pipeline.analyse(study, folder)
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
    for file in document["files"]:
        console.print(f"{file['kind']}: {folder / file['path']}", highlight=False, soft_wrap=True)
    console.print(f"measurements: {folder / 'measurements.json'}", highlight=False, soft_wrap=True)
    for picture in sorted(folder.glob("*.png")):
        console.print(f"picture: {picture}", highlight=False, soft_wrap=True)


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
