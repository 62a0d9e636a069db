from dataclasses import replace

import numpy as np
import pytest

from node.domain.anatomy import Level, Structure
from node.domain.prediction import Masks
from node.domain.study import SeriesRole
from tests.support.analyses import SPINE, synthetic_analysis
from tools.evaluate.case import Case, Truth
from tools.evaluate.readings import Measure

SAGITTAL, AXIAL = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2
CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL


@pytest.fixture(scope="session")
def analysis(tmp_path_factory):
    """A straight spine of known diameters, as a model would see it that is never wrong."""
    return synthetic_analysis(tmp_path_factory.mktemp("analysis"))


@pytest.fixture(scope="session")
def case(analysis):
    """The same spine as a case: masks, corners and ratios are those of its shape."""
    series, middle = analysis.series_by_role, analysis.measurements.sagittal.slice_index
    covers = {(role, one): series[role].masks.probabilities[one].astype(np.float32) for role in series for one in Structure}
    truth = Truth(
        covers=covers,
        middle=middle,
        middle_covers={one: covers[SAGITTAL, one][middle] for one in Structure},
        landmarks=SPINE.landmarks(),
        numbers={
            (Measure.MSCC, ""): SPINE.compression_percent(SPINE.cord_width),
            (Measure.MCC, ""): SPINE.compression_percent(SPINE.canal_width),
        },
        narrowest={CORD: Level.C5_C6, CANAL: Level.C5_C6},
    )
    return Case("spine", "person", {role: one.volume for role, one in series.items()}, truth)


def moved(series, rows):
    """Return series whose masks lie so many rows lower."""
    probabilities = {one: np.roll(maps, rows, axis=1) for one, maps in series.masks.probabilities.items()}
    return replace(series, masks=Masks(probabilities, series.masks.model))
