import numpy as np
import pytest
import yaml

from node.domain.anatomy import Structure
from node.domain.study import SeriesRole
from node.inference import load_manifest
from tests.support.models import write_model
from tools.evaluate.borders import Border, fit_border, fit_borders, write_borders
from tools.evaluate.case import Case, CaseSource, Truth
from tools.evaluate.folds import Folds

ROWS, COLUMNS = np.indices((80, 80), dtype=np.float64)
RADIUS = np.hypot(ROWS - 39.7, COLUMNS - 40.2)


def disc(true_px, drawn_px):
    """Return the probabilities of a network that draws a disc too small or too large, and the true cover."""
    return (1 / (1 + np.exp((RADIUS - drawn_px) / 0.5))).astype(np.float16), np.clip(true_px + 0.5 - RADIUS, 0, 1).astype(
        np.float32
    )


@pytest.mark.parametrize("too_wide_px", [-0.5, -0.2, 0.0, 0.3, 0.6])
def test_the_border_of_a_network_that_draws_too_narrow_or_too_wide_is_found_again(too_wide_px):
    border = fit_border([[disc(20.0, 20.0 + too_wide_px)], [disc(12.0, 12.0 + too_wide_px)]])
    assert border.probability == pytest.approx(1 / (1 + np.exp(-too_wide_px / 0.5)), abs=0.03)
    assert border.after == pytest.approx(1, abs=0.01)
    assert border.before == pytest.approx(np.mean([((r + too_wide_px) / r) ** 2 for r in (20, 12)]), abs=0.01)
    assert border.cases == 2


def test_each_case_counts_the_same_whatever_its_size():
    many = fit_border([[disc(20.0, 19.6)] * 50, [disc(20.0, 20.4)]])
    assert many.probability == pytest.approx(0.5, abs=0.03)


def test_the_manifest_reads_what_was_written(tmp_path):
    folder = write_model(tmp_path, "m", "sagittal_segmentation")
    before = yaml.safe_load((folder / "model.yaml").read_text(encoding="utf-8"))
    write_borders(folder, {Structure.SPINAL_CORD: Border(0.4, 0.96, 1.0, 12)})
    manifest = load_manifest(folder)
    assert (manifest.border_of(Structure.SPINAL_CORD), manifest.border_of(Structure.SPINAL_CANAL)) == (0.4, 0.5)
    assert {k: v for k, v in yaml.safe_load((folder / "model.yaml").read_text()).items() if k != "border_probabilities"} == before


def test_borders_are_not_fitted_on_top_of_borders(tmp_path):
    names = {
        "sagittal-segmentation": "sagittal_segmentation",
        "axial-segmentation": "axial_segmentation",
        "keypoints": "keypoints",
    }
    for name, task in names.items():
        write_model(tmp_path, name, task)
    write_borders(tmp_path / "sagittal-segmentation", {Structure.SPINAL_CORD: Border(0.4, 0.96, 1.0, 12)})
    source = CaseSource("case", "person", (SeriesRole.SAGITTAL_T2,), lambda: Case("case", "person", {}, Truth()))
    with pytest.raises(ValueError, match="border_probabilities"):
        fit_borders([source], Folds(tmp_path, {}), lambda name: None)
