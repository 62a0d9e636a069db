"""Two networks that look at one slice on grids of their own."""

import numpy as np
import pytest

from node.inference.chain import CHAIN, channel_names
from node.inference.keypoint_detector import KeypointDetector
from node.inference.manifest import ModelManifest
from tests.support.analytic_shapes import stored_plane
from tests.support.models import MapSession, manifest_fields, volume_of

SIZE, SPACING_MM, PITCH_MM, FIRST_MM = (192, 128), 1.25, 18.75, 32.0
PLANE = stored_plane((0, 0, 0), (0, 1, 0), (0, 0, -1), (SPACING_MM, SPACING_MM), SIZE)
VOLUME = volume_of([np.full(SIZE, 100.0)], [PLANE])


def detector(model_mm, step=0, hidden=(), witness=None):
    """A network at its own spacing that sees eight bodies 18.75 mm apart, the first of them ``step`` bodies further down."""
    rows, columns = (round(size * SPACING_MM / model_mm) for size in SIZE)
    plan = {"kind": "fixed_spacing", "spacing_mm": model_mm, "multiple": 1, "maximum_rows": rows, "maximum_columns": columns}
    plan |= {"minimum_rows": rows, "minimum_columns": columns}
    at_row, at_column = np.ogrid[:rows, :columns]
    maps = np.zeros((len(channel_names()), rows, columns), dtype=np.float32)
    for index, name in enumerate(CHAIN):
        row = (FIRST_MM + (index + step) * PITCH_MM) / model_mm
        if name not in hidden:
            maps[channel_names().index(name)] = np.exp(-((at_row - row) ** 2 + (at_column - columns / 2) ** 2) / 18)
    fields = manifest_fields(f"at-{round(100 * model_mm)}", "keypoints", plan=plan)
    return KeypointDetector(MapSession(maps), ModelManifest.model_validate(fields), witness)


def sureness(found: KeypointDetector) -> tuple[float, float]:
    """Return the certainty of the names, and the row that C3 was looked for at in mm below the first body."""
    seen = found._look(VOLUME, 0)
    assert seen.chain is not None
    chain = seen.chain if found._witness is None else found._agreed(found._witness, seen, seen.chain, VOLUME, 0)
    return chain.certainty, float(found._to_source(seen.grid, chain.centres["C3"])[0]) * SPACING_MM - FIRST_MM


def test_without_the_dens_a_network_is_unsure_and_a_witness_on_another_grid_makes_it_sure():
    assert sureness(detector(1.25, hidden=("C2",)))[0] < 0.3
    certainty, row_mm = sureness(detector(1.25, hidden=("C2",), witness=detector(1.0)))
    assert certainty > 0.8
    assert row_mm == pytest.approx(PITCH_MM, abs=1.0)


def test_a_witness_that_names_the_next_bodies_makes_a_sure_network_unsure():
    assert sureness(detector(1.25))[0] > 0.8
    assert sureness(detector(1.25, witness=detector(1.0, step=1)))[0] < 0.3


def test_landmarks_cite_both_networks():
    alone, two = detector(1.25).detect(VOLUME, 0), detector(1.25, witness=detector(1.0)).detect(VOLUME, 0)
    assert [one.name for one in alone.models] == ["at-125"]
    assert [one.name for one in two.models] == ["at-125", "at-100"]
