"""Draw the losses and the held-out Dice of trainings over their steps.

::

    python -m tools.training.curves /tmp/training/sagittal /tmp/training/swin --out curves.png
"""

import json
from collections.abc import Sequence
from pathlib import Path

import click
from matplotlib.figure import Figure

_PROGRESS_NAME = "progress.jsonl"


def read_progress(run: Path) -> list[dict[str, float]]:
    """Return what a training wrote down at each save, oldest first."""
    return [json.loads(line) for line in (run / _PROGRESS_NAME).read_text(encoding="utf-8").splitlines()]


def draw_curves(runs: Sequence[Path], out: Path) -> None:
    """Write a PNG with the losses on the left and the Dice of held-out people on the right."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    losses, dice = figure.subplots(1, 2)
    for run in runs:
        rows = read_progress(run)
        for name in dict.fromkeys(key for row in rows for key in row if key not in ("step", "progress")):
            points = [(row["step"], row[name]) for row in rows if name in row]
            (dice if name.startswith("dice") else losses).plot(*zip(*points, strict=True), label=f"{run.name}: {name}")
    losses.set(yscale="log", xlabel="step", ylabel="loss (running mean)")
    dice.set(xlabel="step", ylabel="Dice on people held out")
    for axes in (losses, dice):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=7)
    figure.savefig(out, dpi=120)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(runs: tuple[Path, ...], out: Path) -> None:
    """Draw the curves of one or several trainings."""
    draw_curves(runs, out)


if __name__ == "__main__":
    main()
