"""Train masks of axial slices; stop and start it at any moment.

::

    python -m tools.training.train_axial --pool /tmp/pool/axial --real DIR --out /tmp/training/axial --minutes 40
"""

from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from node.domain.study import SeriesRole
from tools.training.annotated import annotated_samples
from tools.training.loop import Run, Settings, Training, run_options
from tools.training.losses import mask_loss, width_loss
from tools.training.pool import AXIAL_MM
from tools.training.real import axial_reformats, axial_samples, divide
from tools.training.stream import Batch

SERIES = ("gm_9584", "gm_9604", "gm_9709Ses1", "gm_9709Ses2", "errsm_18")
REFORMATS = ("errsm_11", "errsm_18", "errsm_21")
SETTINGS = Settings(
    shape=(192, 192),
    spacing_mm=AXIAL_MM,
    batch=10,
    warm_up_steps=40,
    zoom=0.2,
    real_share=0.5,
    people=tuple(dict.fromkeys(SERIES + REFORMATS)),
)
WIDTH_WEIGHT = 0.5


def losses(masks: Tensor | None, _heat: Tensor | None, batch: Batch, device: torch.device) -> dict[str, Tensor]:
    assert masks is not None  # noqa: S101 - refused on the command line
    targets, weights = (torch.from_numpy(one).to(device) for one in (batch.targets, batch.weights))
    widths = width_loss(masks, targets, weights, (-1, -2))
    return {"mask": mask_loss(masks, targets, weights), "width": WIDTH_WEIGHT * widths}


@click.command()
@run_options
@click.option("--real", type=click.Path(path_type=Path), help="Folder with axial and sagittal; without it, phantom only.")
def main(real: Path | None, **values: Any) -> None:  # noqa: ANN401 - the options of Run
    if values["architecture"] == "hrnet":
        raise click.UsageError("hrnet has no masks; use unet or upernet-swin")
    training = Training(SETTINGS, Run(**values))
    slices = [one for name in SERIES for one in axial_samples(real / "axial", name)] if real else []
    slices += [one for name in REFORMATS for one in axial_reformats(real / "sagittal", name)] if real else []
    slices += annotated_samples(training.run.annotated, SeriesRole.AXIAL_T2) if training.run.annotated else []
    training.fit(divide([one for one in slices if one.cord.any()], training.run.hold_out, training.run.test), losses)


if __name__ == "__main__":
    main()
