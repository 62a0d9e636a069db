"""Train masks of axial slices; stop and start it at any moment.

::

    python -m tools.training.train_axial --pool /tmp/pool/axial --real DIR --out /tmp/training/axial --minutes 40
"""

from collections.abc import Sequence
from pathlib import Path

import click
import torch
from torch import Tensor

from tools.training.loop import Run, Settings, Training, run_options
from tools.training.losses import mask_loss
from tools.training.real import axial_reformats, axial_samples
from tools.training.stream import Batch

SERIES = ("gm_9584", "gm_9709Ses1", "gm_9709Ses2", "errsm_18")  # gm_9604 is held out
REFORMATS = ("errsm_11", "errsm_18")  # errsm_21 is held out
SETTINGS = Settings(
    shape=(192, 192),
    spacing_mm=0.5,
    batch=10,
    warm_up_steps=40,
    zoom=0.2,
    real_share=0.5,
    real_people=SERIES + REFORMATS,
)


def losses(masks: Tensor, _heat: Tensor | None, batch: Batch, device: torch.device) -> Sequence[Tensor]:
    return (mask_loss(masks, torch.from_numpy(batch.targets).to(device), torch.from_numpy(batch.weights).to(device)),)


@click.command()
@run_options
@click.option("--real", type=click.Path(path_type=Path), help="Folder with axial and sagittal; without it, phantom only.")
def main(pool: Path, real: Path | None, out: Path, minutes: float, threads: int, init: Path | None) -> None:
    training = Training(SETTINGS, Run(pool, out, minutes, threads, init))
    slices = [one for name in SERIES for one in axial_samples(real / "axial", name)] if real else []
    slices += [one for name in REFORMATS for one in axial_reformats(real / "sagittal", name)] if real else []
    slices = [one for one in slices if one.cord.any()]
    training.fit((lambda rng: slices[int(rng.integers(len(slices)))]) if slices else None, losses)


if __name__ == "__main__":
    main()
