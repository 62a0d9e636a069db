"""``cspine-node models``: which models are installed, and whether their bytes are what their manifests name."""

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from node.cli.program import EXIT_ERROR, config_option, config_path_or_default
from node.config import InferenceConfig, load_config
from node.domain.errors import PermanentError
from node.inference import ModelManifest, list_manifests, verify_manifest
from node.pipeline import models_dir

_WIDTH = 120


@click.group()
def models() -> None:
    """List and verify the installed models."""


@models.command("list")
@config_option
def list_command(config_path: Path | None) -> None:
    """Show the installed models; those that the configuration names are marked as in use."""
    section = load_config(config_path_or_default(config_path)).inference
    table = Table("model", "version", "task", "sha256", "in use", box=None, pad_edge=False)
    for name, manifest in list_manifests(models_dir(section)).items():
        table.add_row(escape(name), *_described(manifest), "yes" if name in _used(section) else "")
    # a name that is cut cannot be copied into the configuration: the terminal itself may break a long line
    Console(width=max(Console().width, _WIDTH)).print(table)


@models.command()
@config_option
def verify(config_path: Path | None) -> None:
    """Compare the weights of all models, installed or configured, with their hashes; exit code 1 if one is wrong."""
    config = load_config(config_path_or_default(config_path))
    section, shadow = config.inference, config.shadow.beside(config.inference)
    folder = models_dir(section)
    folders = [folder / name for name in (*_used(section), *list_manifests(folder))]
    folders += [models_dir(shadow) / name for name in _used(shadow)] if config.shadow.enabled else []
    errors = [error for one in dict.fromkeys(folders) if (error := _verified(one)) is not None]
    if errors:
        raise SystemExit(EXIT_ERROR)


def _used(section: InferenceConfig) -> tuple[str, ...]:
    return (section.sagittal_segmentation, section.axial_segmentation, section.keypoints)


def _described(manifest: ModelManifest | PermanentError) -> tuple[str, str, str]:
    if isinstance(manifest, PermanentError):
        return "", escape(str(manifest)), ""
    return escape(manifest.version), manifest.task, manifest.sha256[:12]


def _verified(folder: Path) -> PermanentError | None:
    """Print the outcome for one model, and return what is wrong with it."""
    try:
        manifest = verify_manifest(folder)
    except PermanentError as error:
        click.echo(f"{folder.name}: {error}", err=True)
        return error
    click.echo(f"{folder.name}: {manifest.version}, sha256 {manifest.sha256[:12]}: verified")
    return None
