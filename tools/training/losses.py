"""Losses that count only where the reference is known."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name that the library's users know
from torch import Tensor

_BORDER_WEIGHT = 3.0
# Pixels that are added to a true width before errors are divided by it: a narrow place counts more, an empty row is not infinite.
_WIDTH_FLOOR = 3.0


def mask_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return cross entropy plus soft Dice, by channel; tensors (n, c, h, w).

    Pixels near a border count more in the cross entropy: a narrowing is a few pixels that area alone does not see.
    """
    near = F.avg_pool2d(targets, 7, stride=1, padding=3)
    edged = weights * (1 + _BORDER_WEIGHT * 4 * near * (1 - near))
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * edged
    entropy = entropy.sum() / weights.sum().clamp(min=1)
    probability = torch.sigmoid(logits) * weights
    target = targets * weights
    overlap = 2 * (probability * target).sum((0, 2, 3)) + 1
    total = (probability**2).sum((0, 2, 3)) + (target**2).sum((0, 2, 3)) + 1
    return 4 * entropy + (1 - overlap / total).mean()


def width_loss(logits: Tensor, targets: Tensor, weights: Tensor, axes: Sequence[int]) -> Tensor:
    """Return the mean relative error of the widths along ``axes`` (-1: by row, -2: by column); tensors (n, c, h, w).

    The product measures millimetres: a border that is off by half a pixel costs little Dice and 14 % of a narrow cord. Only
    lines that are known from end to end and that hold some of the structure count.
    """
    probability, errors = torch.sigmoid(logits), []
    for axis in axes:
        found, true = probability.sum(axis), targets.sum(axis)
        counted = (weights.amin(axis) > 0) & (true > 1)
        relative = torch.abs(found - true) / (true + _WIDTH_FLOOR)
        errors.append((relative * counted).sum() / counted.sum().clamp(min=1))
    return torch.stack(errors).mean()


def heat_targets(points: Tensor, shape: tuple[int, int], stride: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Return Gaussian heat maps (n, p, h, w) of points (row, column) and which points count, (n, p).

    A slice in which any of the 20 corners is unknown (NaN) counts for none of them; a point outside the crop is a map of zeros.
    """
    known = torch.isfinite(points).all(-1)
    cells = torch.nan_to_num((points + 0.5) / stride - 0.5, nan=-1e4)
    rows = torch.arange(shape[0] // stride, device=points.device)[None, None, :, None]
    columns = torch.arange(shape[1] // stride, device=points.device)[None, None, None, :]
    squares = (rows - cells[..., 0, None, None]) ** 2 + (columns - cells[..., 1, None, None]) ** 2
    return torch.exp(-squares / (2 * sigma**2)), known.float()


def heat_loss(logits: Tensor, targets: Tensor, known: Tensor, peak_weight: float) -> Tensor:
    """Return peak-weighted cross entropy against heat maps; tensors (n, p, h, w), ``known`` (n, p)."""
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    floor = F.binary_cross_entropy(targets, targets, reduction="none")
    weighted = (entropy - floor) * (1 + peak_weight * targets)
    return (weighted.mean((2, 3)) * known).sum() / known.sum().clamp(min=1)
