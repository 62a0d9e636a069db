"""Dice on held-out real slices while a training runs; fixed crops, so that two moments can be compared."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from node.domain.anatomy import Structure
from tools.training.real import Sample
from tools.training.stream import Augmentation, draw_batch

_SEED, _MOST_SLICES = 17, 24


def validation_dice(
    network: nn.Module, weights: Mapping[str, Tensor], slices: Sequence[Sample], how: Augmentation
) -> dict[str, float]:
    """Return the pooled Dice of cord and canal where known, by ``weights`` (the moving average); empty without slices."""
    if not slices:
        return {}
    rng = np.random.default_rng(_SEED)
    chosen = [slices[i] for i in np.linspace(0, len(slices) - 1, min(_MOST_SLICES, len(slices))).astype(int)]
    batch = draw_batch(chosen, how, rng)
    device = next(network.parameters()).device
    network.eval()
    with torch.no_grad():
        images = torch.from_numpy(batch.images).to(device)
        logits: Tensor | None = torch.func.functional_call(network, dict(weights), (images,))[0]
    network.train()
    if logits is None:
        return {}
    found = (logits.cpu().numpy() > 0) & (batch.weights > 0)
    true = (batch.targets >= 0.5) & (batch.weights > 0)
    overlap, total = (found & true).sum((0, 2, 3)), found.sum((0, 2, 3)) + true.sum((0, 2, 3))
    pooled = 2 * overlap / np.maximum(total, 1)
    return {f"dice {structure}": float(value) for structure, value, size in zip(Structure, pooled, total, strict=True) if size}
