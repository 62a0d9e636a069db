"""``cspine-node conformance``: what the node promises its peers."""

from pathlib import Path

import click

from node.cli.program import config_option, config_path_or_default
from node.config import load_config
from node.conformance import conformance_statement


@click.command()
@config_option
def conformance(config_path: Path | None) -> None:
    """Print the DICOM Conformance Statement of this configuration, as Markdown."""
    click.echo(conformance_statement(load_config(config_path_or_default(config_path))), nl=False)
