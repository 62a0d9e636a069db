"""``cspine-node web``: the dashboard; a module of its own, so that the receiver never loads its libraries."""

import os
import sys
from pathlib import Path

import click

from node.cli.program import config_option, config_path_or_default, supervised_option
from node.config import load_config
from node.domain.errors import TransientError
from node.log import configure_logging
from node.service import EXIT_TRY_AGAIN, stop_when_told
from node.web import hash_password, run_web


@click.command()
@click.option("--hash-password", "wants_hash", is_flag=True, help="Ask for a password and print what web.password_file may hold.")
@config_option
@supervised_option
def web(wants_hash: bool, config_path: Path | None, supervised: bool) -> None:
    """Serve the dashboard, its JSON twins, metrics and health until a signal ends it."""
    if wants_hash:
        click.echo(hash_password(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)))
        return
    config = load_config(config_path_or_default(config_path))
    configure_logging(config.log.level)
    stop = stop_when_told(config.jobs.shutdown_grace_s if supervised else None)
    try:
        run_web(config, dict(os.environ), stop, lambda port: click.echo(f"web ready on port {port}"))
    except TransientError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_TRY_AGAIN)
