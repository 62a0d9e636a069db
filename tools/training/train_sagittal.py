"""Train masks and heat maps of sagittal slices in one network; stop and start it at any moment.

::

    python -m tools.training.train_sagittal --pool /tmp/pool/sagittal --real DIR --out /tmp/training/sagittal --minutes 40
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from node.domain.study import SeriesRole
from tools.training.annotated import annotated_samples
from tools.training.loop import Run, Settings, Training, run_options
from tools.training.losses import heat_loss, heat_targets, mask_loss, width_loss
from tools.training.pool import SAGITTAL_MM
from tools.training.real import divide, load_subjects, mid_sagittal
from tools.training.stream import Batch

SUBJECTS = ("errsm_11", "errsm_18", "errsm_20", "errsm_21")
SETTINGS = Settings(
    shape=(256, 192),
    spacing_mm=SAGITTAL_MM,
    batch=8,
    warm_up_steps=60,
    zoom=0.15,
    real_share=0.6,
    people=SUBJECTS,
    heat_maps=28,
)
HEAT_STRIDE, SIGMA_CELLS, PEAK_WEIGHT, HEAT_WEIGHT, WIDTH_WEIGHT = 2, 1.5, 60.0, 20.0, 0.5


def losses(masks: Tensor | None, heat: Tensor | None, batch: Batch, device: torch.device) -> dict[str, Tensor]:
    targets, weights, points = (torch.from_numpy(one).to(device) for one in (batch.targets, batch.weights, batch.points))
    terms: dict[str, Tensor] = {}
    if masks is not None:
        terms["mask"] = mask_loss(masks, targets, weights)
        terms["width"] = WIDTH_WEIGHT * width_loss(masks, targets, weights, (-1,))
    if heat is not None:
        maps, known = heat_targets(points, batch.shape, HEAT_STRIDE, SIGMA_CELLS)
        terms["heat"] = HEAT_WEIGHT * heat_loss(heat, maps, known, PEAK_WEIGHT)
    return terms


@click.command()
@run_options
@click.option("--real", type=click.Path(path_type=Path), help="Folder with the sagittal volumes; without it, phantom only.")
def main(real: Path | None, **values: Any) -> None:  # noqa: ANN401 - the options of Run
    training = Training(SETTINGS, Run(**values))
    slices = load_subjects(real, SUBJECTS) if real else []
    slices += annotated_samples(training.run.annotated, SeriesRole.SAGITTAL_T2) if training.run.annotated else []
    real_slices = divide(slices, training.run.hold_out, training.run.test)
    training.fit(replace(real_slices, favoured=mid_sagittal(real_slices.trained)), losses)


if __name__ == "__main__":
    main()
