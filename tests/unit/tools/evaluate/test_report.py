import dataclasses
import json
import math
import re

import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, Level, Structure
from node.domain.measurement import Verdict
from node.domain.prediction import ModelIdentity
from tools.evaluate.agreement import Mean, intraclass
from tools.evaluate.evaluation import CutRow, Evaluation, Heading
from tools.evaluate.folds import UsedModel
from tools.evaluate.readings import HEADLINES, Measure, Reading, Side, withheld
from tools.evaluate.report import interval, mean_sd, metrics_of, p_value, render, write_report
from tools.evaluate.results import CaseResult, CornerResult, NarrowestLevel, Overlap, Region, WidthErrors, pair_up
from tools.evaluate.summarise import mean_over_people, summarise

GOLD = {
    Measure.MSCC: (8.0, 21.0, 34.0),
    Measure.MCC: (12.0, 25.0, 31.0),
    Measure.TA: (71.0, 62.5, 48.0),
    Measure.CR: (0.55, 0.47, 0.38),
}
MODEL = {
    Measure.MSCC: (9.0, 20.0, 36.0),
    Measure.MCC: (11.0, 26.5, 30.0),
    Measure.TA: (70.0, 60.0, 50.0),
    Measure.CR: (0.56, 0.45, 0.40),
}
MODELS = (UsedModel(ModelIdentity("keypoints", "0.9.1", "ab" * 32), "models", ("errsm_18",)),)
HEADING = Heading(
    "Three cases", Side.MODEL, Side.READER, "2024-01-01T00:00:00+00:00", "cspine-node 1", MODELS, ("errsm_18",), ("Note.",)
)
PNG = b"\x89PNG\r\n\x1a\n tiny"


def tiny_case(number, name):
    readings = tuple(Reading(one, "", MODEL[one][number], Verdict.REPORT) for one in HEADLINES)
    absent = withheld(Measure.TRANSVERSE, "", ("no_axial_at_level",))
    return CaseResult(
        name,
        f"person {number}",
        overlaps=(Overlap(Structure.SPINAL_CORD, Region.SAGITTAL_SLICE, 1, 0.93 + 0.02 * number, 0.87 + 0.03 * number, 1.1),),
        widths=(WidthErrors(Structure.SPINAL_CORD, np.array([0.1, 0.2, -0.3]) + number),),
        corners=tuple(CornerResult(one, 0.5 + number, one.vertebra, 0.9 - 0.2 * number) for one in LANDMARKS),
        readings=pair_up((*readings, absent), {(one, ""): GOLD[one][number] for one in HEADLINES}),
        narrowest=(NarrowestLevel(Structure.SPINAL_CORD, Level.C5_C6, (Level.C5_C6, Level.C5, Level.C3)[number]),),
        chosen_slice_mm=3.3 * number,
        picture=PNG,
    )


@pytest.fixture(scope="module")
def evaluation():
    return summarise([tiny_case(0, "one"), tiny_case(1, "two"), tiny_case(2, "<three>")], HEADING)


@pytest.fixture(scope="module")
def written(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(evaluation, folder)
    return json.loads((folder / "metrics.json").read_text()), (folder / "report.html").read_text()


def test_the_numbers_of_the_metrics_stand_in_the_report(written):
    metrics, page = written
    (overlap,) = metrics["overlaps"]
    assert overlap["dice"]["mean"] == pytest.approx(0.95)
    assert f"{100 * overlap['dice']['mean']:.2f} ± {100 * overlap['dice']['sd']:.2f}" in page
    assert f"{100 * overlap['iou']['mean']:.2f} ± {100 * overlap['iou']['sd']:.2f}" in page
    for row in metrics["numbers"]:
        if row["n"]:
            digits = 2 if row["unit"] else 3
            for side in ("tested", "reference", "absolute_error"):
                assert f"{row[side]['mean']:.{digits}f} ± {row[side]['sd']:.{digits}f}" in page
            assert f"<td>{row['intraclass']['value']:.3f}</td>" in page
            bland = row["bland_altman"]
            assert f"{bland['lower_limit']:.{digits}f} to {bland['upper_limit']:.{digits}f}" in page
    for row in metrics["corners"]:
        assert f"{row['error_mm']['mean']:.2f} ± {row['error_mm']['sd']:.2f}" in page
    assert f"Brier score\n{metrics['confidence']['brier']:.3f}" in page


def test_the_rows_are_those_of_the_three_cases(evaluation):
    rows = {one.measure: one for one in evaluation.numbers}
    assert rows[Measure.MSCC].n == rows[Measure.MSCC].report == 3
    both = np.array(list(zip(MODEL[Measure.MSCC], GOLD[Measure.MSCC], strict=True)))
    assert rows[Measure.MSCC].intraclass == intraclass(both)
    assert rows[Measure.MSCC].absolute_error.mean == pytest.approx(4 / 3)
    assert (rows[Measure.TRANSVERSE].n, rows[Measure.TRANSVERSE].withhold) == (0, 3)
    assert [(one.case, one.reasons) for one in evaluation.withheld] == [
        (name, ("no_axial_at_level",)) for name in ("one", "two", "<three>")
    ]
    every = evaluation.corners[-1]
    assert (every.n, every.found, every.named_right) == (60, 60, 1.0)
    assert every.within_limit == pytest.approx(2 / 3)
    (level,) = evaluation.levels
    assert (level.n, level.equal, level.neighbours) == (3, 1, 2)
    (width,) = evaluation.widths
    assert (width.people, width.layers) == (3, 9)
    assert width.bias_mm.mean == pytest.approx(1.0)


def test_the_report_needs_no_other_file_and_escapes_names(written):
    _, page = written
    assert "<three>" not in page
    assert "&lt;three&gt;" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "ab" * 32 in page
    assert "model against reader: 3 cases of 3 people" in page


def test_training_data_is_called_that_in_bold(written, evaluation):
    assert "<strong>These are figures of training data: the models were trained on errsm_18" in written[1]
    unseen = dataclasses.replace(evaluation, heading=dataclasses.replace(HEADING, seen=()), numbers=(), confidence=None)
    assert "training data" not in render(unseen)


def test_what_is_not_defined_is_null_and_a_dash():
    single = summarise([tiny_case(0, "one")], HEADING)
    metrics = metrics_of(single)
    assert metrics["numbers"][0]["intraclass"]["value"] is None
    without_figures = tuple(row for row in single.numbers if row.measure not in HEADLINES)
    assert "<td>–</td>" in render(dataclasses.replace(single, numbers=without_figures, confidence=None))
    json.dumps(metrics, allow_nan=False)


def test_a_report_of_nothing_but_cuts():
    page = render(Evaluation(HEADING, 4, 4, cuts=(CutRow(None, 4, 0, 0), CutRow(15.0, 1, 2, 1))))
    assert "<tr><td>15.0</td><td>4</td><td>1</td><td>2</td><td>1</td></tr>" in page
    assert "Table 1" not in page


def test_each_person_counts_once():
    found = mean_over_people([("a", 1.0), ("a", 3.0), ("b", 6.0), ("b", math.nan)])
    assert (found.n, found.mean) == (2, 4.0)


def test_levels_and_slices_of_one_person_get_no_interval():
    readings = tuple(Reading(Measure.CORD_AP, level, 7.0 + k, Verdict.REPORT) for k, level in enumerate(Level))
    numbers = {(Measure.CORD_AP, level): 7.5 + k for k, level in enumerate(Level)}
    (row,) = summarise([CaseResult("one", "one", readings=pair_up(readings, numbers))], HEADING).numbers
    assert row.intraclass.value > 0.9
    assert math.isnan(row.intraclass.p)
    assert math.isnan(row.tested.high)


def test_how_numbers_are_printed():
    assert mean_sd(Mean(3, 0.946, 0.0123, 0, 1), 2, 100) == "94.60 ± 1.23"
    assert mean_sd(Mean(1, 7.0, math.nan, math.nan, math.nan)) == "7.00"
    assert interval(math.nan, math.nan) == "–"
    assert (p_value(0.00002), p_value(0.0413), p_value(math.nan)) == ("< 0.001", "0.041", "–")
