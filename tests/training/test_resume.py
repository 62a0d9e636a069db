"""A training that is cut anywhere and goes on ends with the same weights as one that was left alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cv2 import imread

from tools.training.curves import draw_curves, read_progress
from tools.training.loop import Run, Training
from tools.training.real import RealSlices
from tools.training.train_sagittal import SETTINGS, losses

SMALL = replace(SETTINGS, shape=(64, 64), batch=2, warm_up_steps=2, widths=(8, 8, 8, 8, 8), save_every_s=1.0, average_decay=0.9)
NOBODY = RealSlices((), ())


class StepClock:
    """Time that stands still but for ten seconds in each step."""

    def __init__(self, cut_after: int | None = None) -> None:
        self.now, self.steps, self._cut_after = 0.0, 0, cut_after

    def __call__(self) -> float:
        return self.now

    def losses(self, *batch):
        self.now += 10
        self.steps += 1
        if self._cut_after is not None and self.steps > self._cut_after:
            raise KeyboardInterrupt
        return losses(*batch)


def trained(pool, out, cut_after=None):
    clock = StepClock(cut_after)
    training = Training(SMALL, Run(pool, out, minutes=1.0), clock)
    training.fit(NOBODY, clock.losses)
    return training


@pytest.mark.parametrize("cut_after", [1, 4])
def test_a_cut_training_ends_like_an_uncut_one(pool, tmp_path, cut_after):
    whole = trained(pool, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(pool, tmp_path / "cut", cut_after)
    resumed = trained(pool, tmp_path / "cut")
    assert resumed.step == whole.step == 6
    for name, value in whole.average.state.items():
        torch.testing.assert_close(resumed.average.state[name], value, msg=name)


def test_progress_is_written_down(pool, tmp_path):
    trained(pool, tmp_path)
    runs = read_progress(tmp_path)
    assert [one["step"] for one in runs] == sorted(one["step"] for one in runs)
    assert all(np.isfinite(one[name]) for one in runs for name in ("mask", "width", "heat"))
    curves = tmp_path / "curves.png"
    draw_curves([tmp_path], curves)
    assert imread(str(curves)).std() > 0
