import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.measurement import compression_percent, compression_ratio

diameters = st.floats(0.5, 40)


def test_compression_of_a_worked_example():
    # peers.md section 4.1: Di 5.2, Da 8.1, Db 8.5 -> 37.35 %
    assert compression_percent(5.2, 8.1, 8.5) == pytest.approx(37.35, abs=0.005)


def test_a_level_wider_than_its_references_is_negative():
    assert compression_percent(9.0, 8.0, 8.0) == pytest.approx(-12.5)


@given(diameters, diameters, diameters, st.floats(0.1, 10))
def test_compression_has_no_scale_and_treats_both_references_alike(at_level, above, below, scale):
    value = compression_percent(at_level, above, below)
    assert compression_percent(at_level * scale, above * scale, below * scale) == pytest.approx(value, abs=1e-6)
    assert compression_percent(at_level, below, above) == value


@given(diameters, diameters, diameters, st.floats(0.01, 5))
def test_compression_grows_when_the_level_narrows(at_level, above, below, less):
    assert compression_percent(at_level, above, below) > compression_percent(at_level + less, above, below)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_diameter_is_refused(wrong):
    with pytest.raises(ValueError, match="finite and positive"):
        compression_percent(wrong, 8, 8)
    with pytest.raises(ValueError, match="finite and positive"):
        compression_ratio(5, wrong)
