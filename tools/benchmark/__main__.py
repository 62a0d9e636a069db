"""Measure, write down, show. Each section is a command; several may follow one another, without any all of them run.

::

    python -m tools.benchmark                                        # every section, into bench/latest.json
    python -m tools.benchmark --repeats 5 ingest --images 100
    python -m tools.benchmark table                                  # every row
    python -m tools.benchmark table --write                          # the summary into README.md
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from tools.benchmark import analysis, delivery, growth, ingest, queueing, start_up, turnaround
from tools.benchmark.figures import Section
from tools.benchmark.receivers import NODE, RECEIVERS
from tools.benchmark.record import write_section
from tools.benchmark.table import full_table, inserted, summary

ROOT = Path(__file__).resolve().parents[2]
#: What runs where no section is named, in this order: each a module with ``run(repeats, ...) -> Section`` and a command below.
SECTIONS: tuple[str, ...] = (
    "ingest",
    "growth",
    "analysis",
    "delivery",
    "turnaround",
    "queueing",
    "start_up",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What every section is given."""

    repeats: int
    out: Path


@click.group(chain=True, invoke_without_command=True)
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1, 99), help="Paired runs of each condition.")
@click.option(
    "--out", default=ROOT / "bench" / "latest.json", type=click.Path(dir_okay=False, path_type=Path), help="The record."
)
@click.pass_context
def benchmark(context: click.Context, repeats: int, out: Path) -> None:
    """Measure the node beside its peers; without a section, all of them."""
    context.obj = Settings(repeats, out)
    if not context.invoked_subcommand:
        for name in SECTIONS:
            context.invoke(benchmark.commands[name])


@benchmark.command("ingest")
@click.option("--images", default=48, show_default=True, type=click.IntRange(4, 100000), help="Images of 512x512 in each run.")
@click.option("--only", default="", help="Part of the text of the conditions to measure; all by default.")
@click.option("--receiver", "receivers", multiple=True, type=click.Choice(list(RECEIVERS)), help="Beside the node.")
@click.pass_obj
def measure_ingest(settings: Settings, images: int, only: str, receivers: tuple[str, ...]) -> None:
    """C-STORE: the node, pynetdicom, DCMTK, Orthanc and dicom-ai-router."""
    names = [NODE, *receivers] if receivers else list(RECEIVERS)
    _measure(settings, lambda: ingest.run(settings.repeats, images, only, names))


@benchmark.command("growth")
@click.pass_obj
def measure_growth(settings: Settings) -> None:
    """Measure what grows with the studies that are kept, and with the slices of a study."""
    _measure(settings, lambda: growth.run(settings.repeats))


@benchmark.command("turnaround")
@click.pass_obj
def measure_turnaround(settings: Settings) -> None:
    """Measure from the last image of a study to its SR in Orthanc."""
    _measure(settings, lambda: turnaround.run(settings.repeats))


@benchmark.command("queueing")
@click.pass_obj
def measure_queueing(settings: Settings) -> None:
    """Measure 50 studies queued at once, and studies per hour by workers; the model is a stand-in that sleeps."""
    _measure(settings, lambda: queueing.run(settings.repeats))


@benchmark.command("analysis")
@click.pass_obj
def measure_analysis(settings: Settings) -> None:
    """One study from files to objects, stage by stage; the networks beside PyTorch."""
    _measure(settings, lambda: analysis.run(settings.repeats))


@benchmark.command("delivery")
@click.pass_obj
def measure_delivery(settings: Settings) -> None:
    """Objects built and sent: seconds, associations, empty frames."""
    _measure(settings, lambda: delivery.run(settings.repeats))


@benchmark.command("start_up")
@click.pass_obj
def measure_start_up(settings: Settings) -> None:
    """Commands until they answer; CPU and memory of the idle node."""
    _measure(settings, lambda: start_up.run(settings.repeats))


@benchmark.command()
@click.option("--write", is_flag=True, help="Put the summary into README.md instead of showing every row.")
@click.pass_obj
def table(settings: Settings, write: bool) -> None:
    """Show what was measured."""
    record = json.loads(settings.out.read_text(encoding="utf-8"))
    if not write:
        click.echo(full_table(record))
        return
    readme = ROOT / "README.md"
    readme.write_text(inserted(readme.read_text(encoding="utf-8"), summary(record)), encoding="utf-8")


def _measure(settings: Settings, run: Callable[[], Section]) -> None:
    """Run a section and write it down at once: what comes later may fail."""
    section = run()
    write_section(settings.out, section)
    for row in section.rows:
        ratio = "" if row.ratio is None else f", {row.ratio:.2f} x {row.against}"
        click.echo(f"{section.name}: {row.quantity}, {row.condition}: {row.median:.4g} {row.unit}{ratio}")


if __name__ == "__main__":
    benchmark()
