from itertools import pairwise

import numpy as np
import pytest

from node.domain.anatomy import Structure
from node.domain.study import SeriesRole
from tests.support.analyses import SPINE
from tools.evaluate.widths import widths_mm


@pytest.mark.parametrize("structure", list(Structure))
def test_widths_of_a_known_spine(case, structure):
    plane = case.volumes[SeriesRole.SAGITTAL_T2].planes[case.truth.middle]
    found = widths_mm(case.truth.middle_covers[structure], case.truth.landmarks, plane)
    walls = np.cumsum([0.0, *[SPINE.body_mm, SPINE.disc_mm] * 5])
    shares = (np.arange(9) + 0.5) / 9
    along = np.concatenate([start + shares * (end - start) for start, end in pairwise(walls[:10])])
    true = SPINE.cord_width(along) if structure is Structure.SPINAL_CORD else SPINE.canal_width(along)
    assert found.shape == (81,)
    np.testing.assert_allclose(found, true, atol=0.3)
    assert abs(np.mean(found - true)) < 0.06


def test_a_width_that_ends_in_the_unknown_is_unknown(case):
    plane = case.volumes[SeriesRole.SAGITTAL_T2].planes[case.truth.middle]
    cover = case.truth.middle_covers[Structure.SPINAL_CORD].copy()
    cut = int(plane.to_pixels(np.array(SPINE.top) + 30 * SPINE.down)[0])
    cover[:cut] = np.nan
    found = widths_mm(cover, case.truth.landmarks, plane)
    assert np.isnan(found[:9]).all()
    assert np.isfinite(found[-45:]).all()
    assert np.isnan(widths_mm(np.zeros_like(cover), case.truth.landmarks, plane)).all()
