"""``cspine-node receive``: the receiver alone."""

from pathlib import Path

import click

from node.cli.program import config_option, config_path_or_default, supervised_option
from node.config import load_config
from node.domain.identity import StudyInstanceUID
from node.jobs import open_jobs
from node.log import configure_logging
from node.receiver import run_receiver
from node.service import stop_when_told
from node.store import open_store


@click.command()
@config_option
@supervised_option
def receive(config_path: Path | None, supervised: bool) -> None:
    """Accept studies over DICOM and announce them to the workers; stores them also while the job database is away."""
    config = load_config(config_path_or_default(config_path))
    configure_logging(config.log.level)
    stop = stop_when_told(config.jobs.shutdown_grace_s if supervised else None)
    jobs, store = open_jobs(config.database), open_store(config.store)

    def announce(study_instance_uid: StudyInstanceUID) -> None:
        jobs.study_ready(study_instance_uid, store.senders(study_instance_uid), store.write_manifest(study_instance_uid))

    try:
        run_receiver(config, announce, stop=stop, on_ready=lambda port: click.echo(f"receiver ready on port {port}"))
    finally:
        jobs.close()
