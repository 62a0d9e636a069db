"""Train masks of axial slices; stop and start it at any moment.

::

    python -m tools.training.train_axial --pool /tmp/pool/axial --real DIR --out /tmp/training/axial --minutes 40
"""

import time
from pathlib import Path

import click
import numpy as np
import torch

from tools.training import checkpoint
from tools.training.losses import mask_loss
from tools.training.network import SpineNet
from tools.training.real import Sample, axial_reformats, axial_samples
from tools.training.stream import Augmentation, PhantomPool, draw_batch

SETTINGS = {
    "seed": 7,
    "backbone": "resnet18",
    "widths": (96, 64, 48, 32, 16),
    "masks": ("spinal_cord", "spinal_canal"),
    "heat_maps": 0,
    "shape": (192, 192),
    "spacing_mm": 0.5,
    "batch": 10,
    "learning_rate": 2e-3,
    "weight_decay": 0.02,
    "warm_up_steps": 40,
    "average_decay": 0.995,
    "real_from": 0.5,  # share of the time after which real slices join
    "real_share": 0.5,
    "series": ("gm_9584", "gm_9709Ses1", "gm_9709Ses2", "errsm_18"),  # gm_9604 is held out
    "reformats": ("errsm_11", "errsm_18"),  # errsm_21 is held out
    "save_every_s": 60.0,
}


def learning_rate(step: int, progress: float) -> float:
    """Return the rate: a warm-up by steps, then a cosine over the time."""
    warm = min(1.0, (step + 1) / SETTINGS["warm_up_steps"])
    return float(SETTINGS["learning_rate"] * warm * (0.01 + 0.99 * (1 + np.cos(np.pi * progress)) / 2))


@click.command()
@click.option("--pool", type=click.Path(path_type=Path), required=True)
@click.option(
    "--real", type=click.Path(path_type=Path), help="Folder with the folders axial and sagittal; without it, phantom only."
)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--minutes", type=float, required=True, help="Time of the whole training, over all its sessions.")
@click.option("--threads", default=1)
def main(pool: Path, real: Path | None, out: Path, minutes: float, threads: int) -> None:
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(SETTINGS["seed"])
    network = SpineNet(SETTINGS["backbone"], SETTINGS["widths"], len(SETTINGS["masks"]), SETTINGS["heat_maps"])
    network = network.to(device, memory_format=torch.channels_last)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": SETTINGS["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=SETTINGS["learning_rate"])
    average = checkpoint.Average(network, SETTINGS["average_decay"])

    state = checkpoint.load(out / "last.pt")
    rng = checkpoint.generator_from(state, SETTINGS["seed"])
    step, spent = checkpoint.resume(state, network, optimizer, average)

    phantom = PhantomPool(pool)
    slices = [one for name in SETTINGS["series"] for one in axial_samples(real / "axial", name)] if real else []
    slices += [one for name in SETTINGS["reformats"] for one in axial_reformats(real / "sagittal", name)] if real else []
    slices = [one for one in slices if one.cord.any()]
    how = Augmentation(SETTINGS["shape"], SETTINGS["spacing_mm"], zoom=0.2)
    running, saved, began = 0.0, time.monotonic(), time.monotonic() - spent

    def choose(progress: float) -> Sample:
        if slices and progress > SETTINGS["real_from"] and rng.random() < SETTINGS["real_share"]:
            return slices[int(rng.integers(len(slices)))]
        return phantom.sample(int(rng.integers(len(phantom))))

    def save() -> None:
        checkpoint.save(
            out / "last.pt",
            settings=SETTINGS,
            network=network.state_dict(),
            average=average.state,
            optimizer=optimizer.state_dict(),
            numpy_rng=rng.bit_generator.state,
            step=step,
            spent_s=time.monotonic() - began,
        )

    while (progress := (time.monotonic() - began) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, progress)
        chosen = [choose(progress) for _ in range(SETTINGS["batch"])]
        batch = draw_batch(chosen, how, rng)
        images = torch.from_numpy(batch.images).to(device, memory_format=torch.channels_last)
        targets, weights = (torch.from_numpy(a).to(device) for a in (batch.targets, batch.weights))
        with torch.autocast(device.type, dtype=torch.bfloat16):
            masks, _ = network(images)
        loss = mask_loss(masks.float(), targets, weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)
        step += 1
        running = 0.97 * running + 0.03 * float(loss.detach())
        if time.monotonic() - saved > SETTINGS["save_every_s"]:
            print(f"{step} {progress:.3f} mask {running:.4f} pool {len(phantom)}", flush=True)
            save()
            phantom.refresh()
            saved = time.monotonic()
    save()


if __name__ == "__main__":
    main()
