import pytest
import torch

from tools.training.losses import width_loss


def band(width: int) -> torch.Tensor:
    mask = torch.zeros(1, 1, 20, 40)
    mask[..., 10 : 10 + width] = 1
    return mask


def logits_of(mask: torch.Tensor) -> torch.Tensor:
    return torch.where(mask > 0, 20.0, -20.0)


def test_a_narrow_place_that_is_too_wide_costs_more_than_a_wide_one():
    everywhere = torch.ones_like(band(1))
    narrow, wide = (width_loss(logits_of(band(w + 1)), band(w), everywhere, (-1,)) for w in (3, 12))
    assert float(narrow) == pytest.approx(1 / 6, abs=1e-4)
    assert float(wide) == pytest.approx(1 / 15, abs=1e-4)


def test_lines_that_are_not_known_from_end_to_end_do_not_count():
    known = torch.ones_like(band(1))
    known[..., 5:, 0] = 0
    found = band(5)
    found[..., 5:, 15:30] = 1
    assert float(width_loss(logits_of(found), band(5), known, (-1,))) == pytest.approx(0, abs=1e-4)
