import json
from dataclasses import replace

import pytest

from node.domain.measurement import Verdict
from node.reporting.measurements_json import encode, measured_document
from node.reporting.provenance import Software
from tests.support.analyses import SPINE, Scene, synthetic_analysis
from tools.evaluate.readings import HEADLINES, STUDY_MEASURES, Measure, readings_of, readings_of_document


def document(analysis):
    return json.loads(encode(measured_document(analysis, Software("cspine-node", "1"), (), ())))


def test_every_measure_is_read_once_for_each_place(analysis):
    found = readings_of(analysis.measurements)
    assert len({one.key for one in found}) == len(found)
    by_key = {one.key: one for one in found}
    assert by_key[Measure.MSCC, ""].value == pytest.approx(SPINE.compression_percent(SPINE.cord_width), abs=2)
    assert {measure for measure, _ in by_key} == set(Measure)
    assert len([one for one in found if one.measure is Measure.CORD_AP]) == 9


def test_the_document_says_the_same_as_the_measurements(analysis):
    # the document rounds, and has one verdict for all numbers of a slice
    said = {one.key: one for one in readings_of_document(document(analysis))}
    for one in readings_of(analysis.measurements):
        assert said[one.key].value == pytest.approx(one.value, abs=0.06)
        if not one.measure.repeats and one.measure in (Measure.MSCC, Measure.MCC):
            assert said[one.key].verdict is one.verdict


def test_a_study_without_axial_series_withholds_with_the_reason(tmp_path):
    bare = synthetic_analysis(tmp_path, Scene(axial=None))
    for found in (readings_of(bare.measurements), readings_of_document(document(bare))):
        axial = [one for one in found if one.measure in (Measure.TA, Measure.CR)]
        assert [one.verdict for one in axial] == [Verdict.WITHHOLD] * 2
        assert all("no_axial_t2" in one.reasons for one in axial)


def test_a_declined_study_withholds_all_its_headline_numbers(analysis):
    declined = document(analysis) | {"sagittal": None, "axial": None, "reasons": [{"code": "no_sagittal_t2"}]}
    found = readings_of_document(declined)
    assert {one.measure for one in found} == set(STUDY_MEASURES) >= set(HEADLINES)
    assert {one.reasons for one in found} == {("no_sagittal_t2",)}


def test_a_withheld_number_names_only_what_withheld_it(analysis):
    axial = replace(analysis.measurements.axial, decisive=None, findings=())
    found = readings_of(replace(analysis.measurements, axial=axial, findings=()))
    (area,) = [one for one in found if one.measure is Measure.TA]
    assert area.reasons == ("no_axial_at_level",)
