"""Train masks and heat maps of sagittal slices in one network; stop and start it at any moment.

::

    python -m tools.training.train_sagittal --pool /tmp/pool/sagittal --real DIR --out /tmp/training/sagittal --minutes 40
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from tools.training.loop import Run, Settings, Training, run_options
from tools.training.losses import heat_loss, heat_targets, mask_loss
from tools.training.real import Sample, load_subjects, mid_sagittal
from tools.training.stream import Batch

SUBJECTS = ("errsm_11", "errsm_18", "errsm_20")  # errsm_21 is held out
SETTINGS = Settings(
    shape=(256, 192),
    spacing_mm=0.75,
    batch=8,
    warm_up_steps=60,
    zoom=0.15,
    real_share=0.4,
    real_people=SUBJECTS,
    heat_maps=28,
)
REAL_MIDDLE_SHARE = 0.5  # share of the real slices that are mid-sagittal, with canal and corners
HEAT_STRIDE, SIGMA_CELLS, PEAK_WEIGHT, HEAT_WEIGHT = 2, 1.5, 60.0, 20.0


def losses(masks: Tensor, heat: Tensor | None, batch: Batch, device: torch.device) -> Sequence[Tensor]:
    assert heat is not None  # noqa: S101 - SETTINGS asks for heat maps
    targets, weights, points = (torch.from_numpy(one).to(device) for one in (batch.targets, batch.weights, batch.points))
    maps, known = heat_targets(points, SETTINGS.shape, HEAT_STRIDE, SIGMA_CELLS)
    return mask_loss(masks, targets, weights), HEAT_WEIGHT * heat_loss(heat, maps, known, PEAK_WEIGHT)


@click.command()
@run_options
@click.option("--real", type=click.Path(path_type=Path), help="Folder with the sagittal volumes; without it, phantom only.")
def main(pool: Path, real: Path | None, out: Path, minutes: float, threads: int, init: Path | None) -> None:
    training = Training(SETTINGS, Run(pool, out, minutes, threads, init))
    slices = load_subjects(real, SUBJECTS) if real else []
    middles = mid_sagittal(slices)

    def choose(rng: np.random.Generator) -> Sample:
        among = middles if rng.random() < REAL_MIDDLE_SHARE else slices
        return among[int(rng.integers(len(among)))]

    training.fit(choose if slices else None, losses)


if __name__ == "__main__":
    main()
