"""Train masks and heat maps of sagittal slices in one network; stop and start it at any moment.

::

    python -m tools.training.train_sagittal --pool /tmp/pool/sagittal --real DIR --out /tmp/training/sagittal --minutes 40
"""

import time
from pathlib import Path

import click
import numpy as np
import torch

from tools.training import checkpoint
from tools.training.losses import heat_loss, heat_targets, mask_loss
from tools.training.network import SpineNet
from tools.training.real import Sample, load_subjects, mid_sagittal
from tools.training.stream import Augmentation, PhantomPool, draw_batch

SETTINGS = {
    "seed": 7,
    "backbone": "resnet18",
    "widths": (96, 64, 48, 32, 16),
    "masks": ("spinal_cord", "spinal_canal"),
    "heat_maps": 28,
    "shape": (256, 192),
    "spacing_mm": 0.75,
    "batch": 8,
    "learning_rate": 2e-3,
    "fine_learning_rate": 7e-4,  # with --init, and real slices from the start
    "weight_decay": 0.02,
    "warm_up_steps": 60,
    "average_decay": 0.995,
    "sigma_cells": 1.5,
    "peak_weight": 60.0,
    "heat_weight": 20.0,
    "real_from": 0.5,  # share of the time after which real slices join
    "real_share": 0.4,
    "real_middle_share": 0.5,  # share of the real slices that are mid-sagittal, with canal and corners
    "subjects": ("errsm_11", "errsm_18", "errsm_20"),  # errsm_21 is held out
    "save_every_s": 60.0,
}


def learning_rate(highest: float, step: int, progress: float) -> float:
    """Return the rate: a warm-up by steps, then a cosine over the time."""
    warm = min(1.0, (step + 1) / SETTINGS["warm_up_steps"])
    return float(highest * warm * (0.01 + 0.99 * (1 + np.cos(np.pi * progress)) / 2))


@click.command()
@click.option("--pool", type=click.Path(path_type=Path), required=True)
@click.option("--real", type=click.Path(path_type=Path), help="Folder with the sagittal volumes; without it, phantom only.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--minutes", type=float, required=True, help="Time of the whole training, over all its sessions.")
@click.option("--threads", default=1)
@click.option("--init", type=click.Path(path_type=Path), help="Checkpoint whose averaged weights are trained further.")
def main(pool: Path, real: Path | None, out: Path, minutes: float, threads: int, init: Path | None) -> None:
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(SETTINGS["seed"])
    network = SpineNet(SETTINGS["backbone"], SETTINGS["widths"], len(SETTINGS["masks"]), SETTINGS["heat_maps"])
    highest, real_from = (SETTINGS["fine_learning_rate"], 0.0) if init else (SETTINGS["learning_rate"], SETTINGS["real_from"])
    if init:
        network.load_state_dict(torch.load(init, map_location="cpu", weights_only=False)["average"])
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
    slices = load_subjects(real, SETTINGS["subjects"]) if real else []
    middles = mid_sagittal(slices)
    how = Augmentation(SETTINGS["shape"], SETTINGS["spacing_mm"])
    running, saved, began = np.zeros(2), time.monotonic(), time.monotonic() - spent

    def choose(progress: float) -> Sample:
        if slices and progress > real_from and rng.random() < SETTINGS["real_share"]:
            among = middles if rng.random() < SETTINGS["real_middle_share"] else slices
            return among[int(rng.integers(len(among)))]
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
            group["lr"] = learning_rate(highest, step, progress)
        chosen = [choose(progress) for _ in range(SETTINGS["batch"])]
        batch = draw_batch(chosen, how, rng)
        images = torch.from_numpy(batch.images).to(device, memory_format=torch.channels_last)
        targets, weights, points = (torch.from_numpy(a).to(device) for a in (batch.targets, batch.weights, batch.points))
        maps, known = heat_targets(points, SETTINGS["shape"], 2, SETTINGS["sigma_cells"])
        with torch.autocast(device.type, dtype=torch.bfloat16):
            masks, heat = network(images)
        located = heat_loss(heat.float(), maps, known, SETTINGS["peak_weight"])
        parts = mask_loss(masks.float(), targets, weights), SETTINGS["heat_weight"] * located
        loss = sum(parts)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)
        step += 1
        running = 0.97 * running + 0.03 * np.array([float(part.detach()) for part in parts])
        if time.monotonic() - saved > SETTINGS["save_every_s"]:
            print(f"{step} {progress:.3f} mask {running[0]:.4f} heat {running[1]:.4f} pool {len(phantom)}", flush=True)
            save()
            phantom.refresh()
            saved = time.monotonic()
    save()


if __name__ == "__main__":
    main()
