"""``cspine-node fetch``: studies from a configured source into the node, or into a folder."""

import sys
import tempfile
from pathlib import Path

import click

from node.cli.peers import peer_named
from node.cli.program import EXIT_ERROR, config_option, config_path_or_default
from node.config import DestinationConfig, ReceptionConfig, load_config
from node.delivery import Archive, StudyQuery, send_files
from node.domain.errors import ConfigError, PermanentError, Reason

_EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - what a receiver may be told to listen on


@click.command()
@click.argument("source_name", metavar="SOURCE")
@click.option("--study", "study_instance_uid", default="", help="Study Instance UID.")
@click.option("--accession-number", default="", help="Accession number.")
@click.option("--patient-id", default="", help="Patient ID; every MR study of the patient.")
@click.option("--list", "is_listed", is_flag=True, help="Only show what there is.")
@click.option("--out", "out_dir", type=click.Path(file_okay=False, path_type=Path), help="Write files here, not by C-MOVE.")
@config_option
def fetch(source_name: str, is_listed: bool, out_dir: Path | None, config_path: Path | None, **keys: str) -> None:
    """Fetch the MR series of studies from SOURCE (section `sources`) into the running node; exit code 1 if one is missing."""
    config = load_config(config_path_or_default(config_path))
    source = peer_named(source_name, config.sources, "source")
    archive = Archive(source, config.reception.ae_title)
    found = [
        one
        for one in archive.find(StudyQuery(keys["study_instance_uid"], keys["accession_number"], keys["patient_id"]))
        if one.series
    ]
    if not found:
        raise PermanentError(Reason.STUDY_UNKNOWN, f"{source_name} holds no MR study that matches")
    failed = 0
    for study in found:
        label = f"{study.study_instance_uid}  {study.study_date or 'no date'}  {len(study.series)} MR series"
        if is_listed:
            click.echo(label)
            continue
        if out_dir is not None:
            folder = out_dir / study.study_instance_uid
            folder.mkdir(parents=True, exist_ok=True)
            outcome = archive.get(study, folder)
        elif archive.can_move:
            outcome = archive.move(study, config.reception.ae_title)
        else:
            with tempfile.TemporaryDirectory(prefix="fetch-") as temporary:
                outcome = archive.get(study, Path(temporary))
                failed += _hand_in(config.reception, sorted(Path(temporary).iterdir()))
        click.echo(f"{label}: {outcome.completed} images, {outcome.failed} failed")
        failed += outcome.failed
    if failed:
        click.echo(f"error: {failed} images were not fetched", err=True)
        sys.exit(EXIT_ERROR)


def _hand_in(reception: ReceptionConfig, files: list[Path]) -> int:
    """Send files to our own receiver, so that they arrive as all others do, and return how many it did not take."""
    if reception.tls is not None:
        what = "the receiver speaks TLS only: set retrieve: move for this source, or use --out and `cspine-node send`"
        raise ConfigError(Reason.CONFIG_INVALID, what)
    host = "127.0.0.1" if reception.bind_address in _EVERY_ADDRESS else reception.bind_address
    own = DestinationConfig(name="receiver", host=host, port=reception.port, ae_title=reception.ae_title)
    sent = send_files(own, reception.ae_title, files, lambda _done, _total: None)
    for path, problem in sent.failed:
        click.echo(f"{path.name}: {problem}", err=True)
    return len(sent.failed)
