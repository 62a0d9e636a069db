"""``cspine-node config``: check and show the configuration and its schema."""

import json
from pathlib import Path

import click

from node.cli.program import config_option, config_path_or_default
from node.config import Config, config_schema, load_config, render_config
from node.reporting import measurements_schema


@click.group()
def config() -> None:
    """Check and show the configuration and its schema."""


@config.command()
@config_option
def check(config_path: Path | None) -> None:
    """Say whether the configuration is valid; exit code 1 and the line, field and allowed values if it is not."""
    path = config_path_or_default(config_path)
    load_config(path)
    click.echo(f"{path or 'the defaults'}: valid")


@config.command()
@config_option
@click.option("--default", is_flag=True, help="Show the defaults, as a file to start from.")
def show(config_path: Path | None, default: bool) -> None:
    """Print the configuration in force, with a comment for every field."""
    chosen = Config() if default else load_config(config_path_or_default(config_path))
    click.echo(render_config(chosen), nl=False)


@config.command()
@click.option("--measurements", is_flag=True, help="Print the schema of measurements.json instead.")
def schema(measurements: bool) -> None:
    """Print the JSON Schema of config.yaml, or of measurements.json."""
    click.echo(json.dumps(measurements_schema() if measurements else config_schema(), indent=2))
