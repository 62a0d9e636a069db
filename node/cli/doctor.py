"""``cspine-node doctor``: what is wrong here, as a table or as JSON."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from node.cli.program import EXIT_ERROR, config_option, config_path_or_default
from node.config import Config, load_config
from node.doctor import Check, CheckResult, run_checks
from node.pipeline import open_pipeline

_STYLES = {CheckResult.OK: "green", CheckResult.WARNING: "yellow", CheckResult.FAILED: "bold red"}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def doctor(config_path: Path | None, as_json: bool) -> None:
    """Check configuration, disk, ports, models and destinations; exit code 1 if something is wrong."""
    path = config_path_or_default(config_path)
    config = load_config(path)
    checks = (
        Check("configuration", CheckResult.OK, f"{path or 'the defaults'}: valid"),
        *run_checks(config, lambda: _model_checks(config)),
    )
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        Console().print(_table(checks))
    if any(check.result is CheckResult.FAILED for check in checks):
        sys.exit(EXIT_ERROR)


def _model_checks(config: Config) -> Sequence[Check]:
    """Return one check for each model, loaded and verified, with the execution provider that it really uses."""
    library = open_pipeline(config).library
    providers = library.providers
    return [
        Check(f"model {one.name}", CheckResult.OK, f"{one.version}, sha256 {one.sha256[:12]}, runs on {providers[one.name]}")
        for one in library.identities
    ]


def _table(checks: Sequence[Check]) -> Table:
    table = Table("check", "result", "found")
    for check in checks:
        style = _STYLES[check.result]
        table.add_row(escape(check.name), f"[{style}]{check.result}[/]", escape(check.message))
    return table
