"""``cspine-node doctor``: what is wrong here, as a table or as JSON."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from node.cli.program import EXIT_ERROR, config_option, config_path_or_default
from node.config import load_config
from node.doctor import Check, CheckResult, model_checks, run_checks
from node.web import load_credentials

_STYLES = {CheckResult.OK: "green", CheckResult.WARNING: "yellow", CheckResult.FAILED: "bold red"}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def doctor(config_path: Path | None, as_json: bool) -> None:
    """Check configuration, disk, database, clock, port, certificates, web, webhooks, models and destinations.

    Exit code 0: all is well, or there are warnings only; 1: something failed, or the configuration is not valid; 2: wrong usage.
    """
    path = config_path_or_default(config_path)
    config = load_config(path)
    checks = (
        Check("configuration", CheckResult.OK, f"{path or 'the defaults'}: valid"),
        *run_checks(config, lambda: model_checks(config), lambda: load_credentials(config.web, os.environ)),
    )
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        Console().print(_table(checks))
    if any(check.result is CheckResult.FAILED for check in checks):
        sys.exit(EXIT_ERROR)


def _table(checks: Sequence[Check]) -> Table:
    table = Table("check", "result", "found")
    for check in checks:
        style = _STYLES[check.result]
        table.add_row(escape(check.name), f"[{style}]{check.result}[/]", escape(check.message))
    return table
