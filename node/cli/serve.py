"""``cspine-node serve``: the whole node on this machine. It imports nothing of the roles, which are processes of their own."""

import sys
from pathlib import Path

import click

from node.cli.program import EXIT_ERROR, config_option, config_path_or_default
from node.service import serve as run_service


@click.command()
@config_option
def serve(config_path: Path | None) -> None:
    """Run the receiver and the workers of this machine until a signal ends them."""
    if not run_service(config_path_or_default(config_path), click.echo):
        sys.exit(EXIT_ERROR)
