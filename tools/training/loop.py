"""The training loop that both networks share: resumable, with a moving average of the weights, progress printed and saved."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from tools.training import checkpoint
from tools.training.network import build_network
from tools.training.real import RealSlices, Sample
from tools.training.stream import Augmentation, Batch, PhantomPool, draw_batch
from tools.training.validation import validation_dice


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides a training; saved with its checkpoint.

    Parameters
    ----------
    fine_learning_rate
        Used when training goes on from other weights; real slices then join at once.
    real_from, real_share
        Share of the time after which real slices join, and their share of a batch from then on.
    people
        Names of the real volumes; those that a run holds out are not trained on.
    """

    shape: tuple[int, int]
    spacing_mm: float
    batch: int
    warm_up_steps: int
    zoom: float
    real_share: float
    people: tuple[str, ...]
    heat_maps: int = 0
    architecture: str = "unet"
    backbone: str = "resnet18"
    widths: tuple[int, ...] = (96, 64, 48, 32, 16)
    masks: tuple[str, ...] = ("spinal_cord", "spinal_canal")
    seed: int = 7
    learning_rate: float = 2e-3
    fine_learning_rate: float = 7e-4
    weight_decay: float = 0.02
    average_decay: float = 0.995
    real_from: float = 0.5
    save_every_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Run:
    """What one call of a training script is asked to do; ``minutes`` count over all its sessions."""

    pool: Path
    out: Path
    minutes: float
    threads: int = 1
    init: Path | None = None
    hold_out: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    annotated: Path | None = None
    architecture: str = "unet"


_PROGRESS_NAME = "progress.jsonl"
ARCHITECTURES = ("unet", "upernet-swin", "hrnet")
_OPTIONS = (
    click.option("--pool", type=click.Path(path_type=Path), required=True),
    click.option("--out", type=click.Path(path_type=Path), required=True),
    click.option("--minutes", type=float, required=True, help="Time of the whole training, over all its sessions."),
    click.option("--threads", default=1),
    click.option("--architecture", type=click.Choice(ARCHITECTURES), default="unet", show_default=True),
    click.option("--init", type=click.Path(path_type=Path), help="Checkpoint or model.safetensors to train on from."),
    click.option("--annotated", type=click.Path(exists=True, path_type=Path), help="Corrected labelme files: DIR/PERSON/..."),
    click.option("--hold-out", multiple=True, help="A person to keep out of the training and to validate on; may be repeated."),
    click.option("--test", multiple=True, help="A person to keep out of training and validation; may be repeated."),
)


def run_options(main: Callable[..., None]) -> Callable[..., None]:
    """Give a training script the options that make up a :class:`Run`."""
    for option in reversed(_OPTIONS):
        main = option(main)
    return main


Losses = Callable[[Tensor | None, Tensor | None, Batch, torch.device], Mapping[str, Tensor]]
"""Terms of the loss by name, of mask and heat-map logits (None for what the network does not do) and the batch they answer."""


class Training:
    """One network with its optimiser, its average and its place in time.

    Parameters
    ----------
    settings, run
        What is trained, and for how long.
    clock
        Gives the time in seconds; the learning rate follows it.
    """

    def __init__(self, settings: Settings, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        torch.set_num_threads(run.threads)
        torch.manual_seed(settings.seed)
        self.settings = settings = replace(settings, architecture=run.architecture)
        self.run = run
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = build_network(asdict(settings))
        if run.init is not None:
            network.load_state_dict(checkpoint.weights(run.init))
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(self._groups(), lr=settings.learning_rate)
        self.average = checkpoint.Average(self.network, settings.average_decay)
        state = checkpoint.load(run.out / "last.pt")
        self.people = checkpoint.people(run.init) | set(() if state is None else state["people"])
        self.rng = checkpoint.generator_from(state, settings.seed)
        self.step, spent_s = checkpoint.resume(state, self.network, self.optimizer, self.average)
        self._began = self._clock() - spent_s

    def _groups(self) -> list[dict[str, object]]:
        """Return the weights for the optimiser: only matrices decay, not offsets and norms."""
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        return [{"params": matrices, "weight_decay": self.settings.weight_decay}, {"params": others, "weight_decay": 0.0}]

    @property
    def progress(self) -> float:
        """Share of the time that is spent."""
        return (self._clock() - self._began) / (60 * self.run.minutes)

    def fit(self, real: RealSlices, losses: Losses) -> None:
        """Train until the time is spent, from phantoms and, if there are any, real slices; save as often as the settings say."""
        self.people |= real.people
        phantom = PhantomPool(self.run.pool)
        how = Augmentation(self.settings.shape, self.settings.spacing_mm, zoom=self.settings.zoom)
        running: dict[str, float] = {}
        saved = self._clock()
        while self.progress < 1:
            samples = [self._choose(phantom, real) for _ in range(self.settings.batch)]
            terms = self._learn(draw_batch(samples, how, self.rng), losses)
            running = {name: 0.97 * running.get(name, term) + 0.03 * term for name, term in terms.items()}
            if self._clock() - saved > self.settings.save_every_s:
                self._report(running, how, real.held_out)
                self._save()
                phantom.refresh()
                saved = self._clock()
        self._report(running, how, real.held_out)
        self._save()

    def _report(self, running: Mapping[str, float], how: Augmentation, held_out: Sequence[Sample]) -> None:
        """Print, and append to ``progress.jsonl``, the step, the share of the time, the losses and the held-out Dice."""
        dice = validation_dice(self.network, self.average.state, held_out, how)
        figures = {"step": self.step, "progress": round(self.progress, 5)}
        line = json.dumps(figures | {name: round(value, 5) for name, value in (*running.items(), *dice.items())})
        print(line, flush=True)
        self.run.out.mkdir(parents=True, exist_ok=True)
        with (self.run.out / _PROGRESS_NAME).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def _choose(self, phantom: PhantomPool, real: RealSlices) -> Sample:
        has_joined = self.run.init is not None or self.progress > self.settings.real_from
        if real.trained and has_joined and self.rng.random() < self.settings.real_share:
            return real.choose(self.rng)
        return phantom.sample(int(self.rng.integers(len(phantom))))

    def _learn(self, batch: Batch, losses: Losses) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        images = torch.from_numpy(batch.images).to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            masks, heat = (None if one is None else one.float() for one in self.network(images))
        terms = losses(masks, heat, batch, self.device)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.average.update(self.network)
        self.step += 1
        return {name: float(term.detach()) for name, term in terms.items()}

    def _learning_rate(self) -> float:
        """Return the rate: a warm-up by steps, then a cosine over the time."""
        highest = self.settings.learning_rate if self.run.init is None else self.settings.fine_learning_rate
        warm = min(1.0, (self.step + 1) / self.settings.warm_up_steps)
        return float(highest * warm * (0.01 + 0.99 * (1 + np.cos(np.pi * min(self.progress, 1.0))) / 2))

    def _save(self) -> None:
        checkpoint.save(
            self.run.out / "last.pt",
            settings=asdict(self.settings),
            people=sorted(self.people),
            network=self.network.state_dict(),
            average=self.average.state,
            optimizer=self.optimizer.state_dict(),
            numpy_rng=self.rng.bit_generator.state,
            step=self.step,
            spent_s=self._clock() - self._began,
        )
