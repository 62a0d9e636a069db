"""``cspine-node work``: one worker; a module of its own, so that the receiver never loads the model libraries."""

import sys
from pathlib import Path

import click

from node.cli.program import config_option, config_path_or_default, supervised_option
from node.config import load_config
from node.domain.errors import TransientError
from node.log import configure_logging
from node.service import EXIT_TRY_AGAIN, stop_when_told
from node.worker import run_worker


@click.command()
@click.option("--slot", type=click.IntRange(0, 999), default=0, show_default=True, help="Number of this worker on its machine.")
@config_option
@supervised_option
def work(slot: int, config_path: Path | None, supervised: bool) -> None:
    """Analyse and deliver announced studies until a signal ends it."""
    config = load_config(config_path_or_default(config_path))
    configure_logging(config.log.level)
    stop = stop_when_told(config.jobs.shutdown_grace_s if supervised else None)
    try:
        run_worker(config, slot, stop, lambda: click.echo(f"worker {slot} ready"))
    except TransientError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_TRY_AGAIN)
