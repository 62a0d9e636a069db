"""``cspine-node echo`` and ``send``: talk to a configured destination."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from node.cli.peers import peer_named
from node.cli.program import EXIT_ERROR, config_option, config_path_or_default
from node.config import DestinationConfig, load_config
from node.delivery import SentFiles, send_files
from node.delivery import echo as echo_destination
from node.domain.errors import Reason
from node.store import collect_studies


@click.command()
@click.argument("name")
@config_option
def echo(name: str, config_path: Path | None) -> None:
    """Ask the destination NAME whether it answers (C-ECHO, or a query over DICOMweb) and show which result classes it accepts."""
    config = load_config(config_path_or_default(config_path))
    report = echo_destination(peer_named(name, config.destinations, "destination"), config.reception.ae_title)
    click.echo(f"{name}: answered in {report.ms:.1f} ms")
    if report.accepted is None:
        click.echo("  result classes: not known over DICOMweb until one is sent")
        return
    click.echo(f"  storage commitment: {'offered' if report.offers_storage_commitment else 'not offered'}")
    for sop_class, transfer_syntaxes in report.accepted.items():
        click.echo(f"  {sop_class}: {', '.join(transfer_syntaxes) or 'refused'}")


@click.command()
@click.argument("name")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@config_option
def send(name: str, paths: tuple[Path, ...], config_path: Path | None) -> None:
    """Send DICOM files, and all that are below folders, to the destination NAME; exit code 1 if one was not stored."""
    config = load_config(config_path_or_default(config_path))
    destination = peer_named(name, config.destinations, "destination")
    collected = collect_studies(paths)
    files = [i.path for study in collected.studies for series in study.all_series for i in series.instances]
    sent = _send_with_progress(destination, config.reception.ae_title, files)
    unusable = [(path, f.message) for path, f in collected.unusable if f.code is not Reason.SLICE_DUPLICATED]
    failed = [*unusable, *sent.failed]
    for path, problem in failed:
        click.echo(f"{path}: {problem}", err=True)
    click.echo(f"{name}: {sent.stored_count} stored, {len(failed)} not sent or refused")
    if failed or not files:
        sys.exit(EXIT_ERROR)


def _send_with_progress(destination: DestinationConfig, calling_ae_title: str, files: list[Path]) -> SentFiles:
    """Send files with a bar on stderr if that is a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(f"sending to {destination.name}", total=len(files))
        return send_files(destination, calling_ae_title, files, lambda done, _total: progress.update(bar, completed=done))
