import numpy as np
import pytest

from node.domain.anatomy import Structure
from node.domain.geometry import PixelPoint
from node.domain.study import SeriesRole
from tests.support.analyses import SPINE
from tools.evaluate.labelled_cases import SliceLabels, labelled_case
from tools.evaluate.readings import Measure

SAGITTAL, AXIAL = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2
CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL


def labels(case, role, index, structures=tuple(Structure)):
    covers = {one: case.truth.covers[role, one][index] for one in structures}
    if role is AXIAL:
        return SliceLabels(role, index, covers)
    plane = case.volumes[role].planes[index]
    landmarks = {one: PixelPoint(*map(float, plane.to_pixels(point))) for one, point in case.truth.landmarks.items()}
    return SliceLabels(role, index, covers, landmarks)


def test_what_a_reader_drew_is_measured_like_the_model(case, analysis):
    middle = case.truth.middle
    decisive = analysis.measurements.axial.decisive
    drawn = [labels(case, SAGITTAL, middle), *(labels(case, AXIAL, k) for k in range(len(case.volumes[AXIAL].planes)))]
    found = labelled_case("spine", "person", case.volumes, drawn)
    assert found.truth.numbers[Measure.MSCC, ""] == pytest.approx(SPINE.compression_percent(SPINE.cord_width), abs=2)
    assert found.truth.numbers[Measure.TA, ""] == pytest.approx(decisive.area.value, rel=0.01)
    assert found.truth.narrowest[CANAL] is analysis.measurements.sagittal.ratio(CANAL).at_level.level
    for one, point in found.truth.landmarks.items():
        assert point[1:] == pytest.approx(case.truth.landmarks[one][1:])


def test_slices_that_were_not_drawn_are_unknown(case):
    found = labelled_case("spine", "person", case.volumes, [labels(case, AXIAL, 4, (CORD,))])
    cover = found.truth.covers[AXIAL, CORD]
    assert np.isfinite(cover[4]).all()
    assert np.isnan(np.delete(cover, 4, axis=0)).all()
    assert (AXIAL, CANAL) not in found.truth.covers
    assert found.truth.middle is None


def test_without_a_canal_there_is_no_canal_compromise(case):
    found = labelled_case("spine", "person", case.volumes, [labels(case, SAGITTAL, case.truth.middle, (CORD,))])
    assert (Measure.MSCC, "") in found.truth.numbers
    assert (Measure.MCC, "") not in found.truth.numbers
