import numpy as np
import pytest

from tools.training.real import Sample, divide

NOTHING = np.zeros((2, 2), dtype=np.float32)
SLICES = [
    Sample(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, np.zeros((0, 2), np.float32), name)
    for name in ("anna", "bertSes1", "bertSes2", "carl")
]


def test_nobody_is_both_trained_on_and_held_out():
    divided = divide(SLICES, ["bertSes2"])
    assert divided.people == {"anna", "carl"}
    assert {one.subject for one in divided.held_out} == {"bertSes1", "bertSes2"}


def test_people_of_the_test_are_not_looked_at():
    divided = divide(SLICES, ["anna"], ["bertSes1"])
    assert divided.people == {"carl"}
    assert {one.subject for one in divided.held_out} == {"anna"}


def test_a_person_who_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"nobody is called dora; there are: anna, bert, carl"):
        divide(SLICES, ["dora"])
