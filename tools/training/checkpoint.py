"""State of a training that can be stopped and resumed at any moment."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn


class Average:
    """An exponential moving average of the weights."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay, self._steps = decay, 0
        self.state = {name: value.detach().clone().float() for name, value in network.state_dict().items()}

    def update(self, network: nn.Module) -> None:
        """Move the average towards the present weights."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, value in network.state_dict().items():
            self.state[name].lerp_(value.detach().float(), 1 - decay)

    def restore(self, state: dict[str, Any], steps: int) -> None:
        """Continue from a saved average."""
        self.state, self._steps = state, steps


def save(path: Path, **state: object) -> None:
    """Write a checkpoint all or nothing; random state of torch and Python is added."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    torch.save({**state, "torch_rng": torch.get_rng_state(), "python_rng": random.getstate()}, partial)
    partial.rename(path)


def load(path: Path) -> dict[str, Any] | None:
    """Return a checkpoint and restore its random state, or None where there is none."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    torch.set_rng_state(state["torch_rng"])
    random.setstate(state["python_rng"])
    return state


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights to train on from: the average of a checkpoint, or a ``model.safetensors`` of ``models/``."""
    if path.suffix == ".safetensors":
        return {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=False)["average"]
    return state


def people(path: Path | None) -> set[str]:
    """Return the names of the real people that a checkpoint has seen; none for a ``model.safetensors``, which does not say."""
    if path is None or not path.exists() or path.suffix == ".safetensors":
        return set()
    return set(torch.load(path, map_location="cpu", weights_only=False)["people"])


def resume(
    state: dict[str, Any] | None, network: nn.Module, optimizer: torch.optim.Optimizer, average: Average
) -> tuple[int, float]:
    """Continue from a checkpoint, if there is one; return its step and the seconds spent so far."""
    if state is None:
        return 0, 0.0
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    average.restore(state["average"], state["step"])
    return state["step"], state["spent_s"]


def generator_from(state: dict[str, Any] | None, seed: int) -> np.random.Generator:
    """Return the sampling generator, continued from a checkpoint if there is one."""
    rng = np.random.default_rng(seed)
    if state is not None:
        rng.bit_generator.state = state["numpy_rng"]
    return rng
