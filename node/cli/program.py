"""The command group: names, where each command lives, and what an error looks like to a person."""

import gc
import importlib
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType

import click

import node
from node.domain.errors import Declined, NodeError

EXIT_ERROR = 1
EXIT_DECLINED = 3

#: Command -> module, and the sentence of ``--help``. Modules are imported when called: ``--help`` stays fast.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "serve": ("node.cli.serve", "Run the whole node on this machine: receiver, worker and web."),
        "receive": ("node.cli.roles", "Run the receiver: accept studies over DICOM."),
        "work": ("node.cli.work", "Run a worker: analyse and deliver studies."),
        "web": ("node.cli.web", "Run the web role: dashboard, metrics and health."),
        "analyze": ("node.cli.analyze", "Analyse DICOM files or folders without network or queue."),
        "doctor": ("node.cli.doctor", "Check configuration, disk, ports, models and destinations."),
        "studies": ("node.cli.studies", "List, show, retry, cancel and purge studies."),
        "audit": ("node.cli.audit", "Print who sent, returned, retried, cancelled and deleted what."),
        "echo": ("node.cli.network", "Send a C-ECHO to a destination and show what it accepts."),
        "send": ("node.cli.network", "Send DICOM files or folders to a destination."),
        "fetch": ("node.cli.fetch", "Fetch studies from a PACS into the node, or into a folder."),
        "models": ("node.cli.models", "List and verify the installed models."),
        "conformance": ("node.cli.conformance", "Print the DICOM Conformance Statement."),
        "config": ("node.cli.config", "Check and show the configuration and its schema."),
    }
)


class LazyGroup(click.Group):
    """A group that imports the module of a command only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, importing its module."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = getattr(_imported(module), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above names nothing else
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in COMMANDS.items()])


def _imported(module: str) -> ModuleType:
    """Return a module, imported while the collector of reference cycles rests: what it makes stays as long as the process."""
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def _print_version(context: click.Context, _parameter: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        click.echo(f"cspine-node, version {node.__version__}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version and exit."
)
def program() -> None:
    """DICOM-native inference node for cervical MR: spinal cord and canal compression as DICOM SEG and SR."""


config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="CSPINE_CONFIG",
    help="Configuration file; without it, config.yaml here if there is one, else the defaults.",
)

supervised_option = click.option("--supervised", is_flag=True, hidden=True, help="End when standard input ends.")


def config_path_or_default(config_path: Path | None) -> Path | None:
    """Return the given path, or ``config.yaml`` of this folder if it exists."""
    here = Path("config.yaml")
    return config_path or (here if here.is_file() else None)


def main() -> None:
    """Run the command line; known errors become one message and an exit code.

    What a command writes is for its own user only: images and results carry the patient's name.
    """
    os.umask(os.umask(0o077) | 0o077)
    try:
        program.main(standalone_mode=True)
    except Declined as declined:
        click.echo(f"declined: {declined}", err=True)
        for finding in declined.findings:
            click.echo(f"  {finding.code}: {finding.message}", err=True)
        sys.exit(EXIT_DECLINED)
    except NodeError as error:
        click.echo(f"error: {error}", err=True)
        for finding in error.findings:
            click.echo(f"  {finding.code}: {finding.message}", err=True)
        logging.shutdown()
        sys.exit(EXIT_ERROR)
