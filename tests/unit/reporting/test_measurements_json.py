import json
from dataclasses import replace

import pytest

from node.domain.anatomy import LANDMARKS, Structure
from node.domain.errors import Declined, Finding, Reason, Severity
from node.domain.measurement import ReferenceMethod, Verdict
from node.reporting import Software, measurements_schema
from node.reporting.document import MeasurementsDocument
from node.reporting.measurements_json import declined_document, encode, measured_document
from node.web.measured_view import headlines

SOFTWARE = Software("cspine-node", "1.2.3")
#: Keys of product.md, section 3: stable, so more may come but none may go.
CONTRACT = {
    "": ["study_instance_uid", "status", "reasons", "software", "models", "sagittal", "axial", "files"],
    "sagittal": ["series_instance_uid", "sop_instance_uid", "pixel_spacing_mm", "keypoints", "levels", "mscc", "mcc"],
    "sagittal.keypoints.0": ["vertebra", "corner", "row", "column", "confidence"],
    "sagittal.levels.0": ["level", "cord_ap_mm", "canal_ap_mm"],
    "sagittal.mscc": ["value_percent", "level", "d_i_mm", "d_a_mm", "d_b_mm", "reference", "verdict", "reasons"],
    "sagittal.mcc": ["value_percent", "level", "d_i_mm", "d_a_mm", "d_b_mm", "reference", "verdict", "reasons"],
    "axial": [
        "series_instance_uid",
        "sop_instance_uid",
        "ta_mm2",
        "ap_mm",
        "transverse_mm",
        "cr",
        "verdict",
        "reasons",
        "slices",
    ],
    "models.0": ["name", "version", "sha256"],
}


def document_of(analysis):
    return json.loads(encode(measured_document(analysis, SOFTWARE, (), ("sagittal.png",))))


def at(document, path):
    for step in path.split(".") if path else ():
        document = document[int(step)] if step.isdigit() else document[step]
    return document


@pytest.mark.parametrize("path", CONTRACT)
def test_the_keys_of_the_contract_are_there(path, analysis):
    assert [key for key in CONTRACT[path] if key not in at(document_of(analysis), path)] == []


def test_numbers_are_those_that_were_measured(analysis):
    document, sagittal = document_of(analysis), analysis.measurements.sagittal
    ratio = sagittal.ratio(Structure.SPINAL_CORD)
    said = document["sagittal"]["mscc"]
    assert said["value_percent"] == pytest.approx(ratio.ratio.value, abs=0.006)
    assert [said[key] for key in ("d_i_mm", "d_a_mm", "d_b_mm")] == pytest.approx(
        [ratio.at_level.value, ratio.above.value, ratio.below.value], abs=0.006
    )
    assert (said["level"], said["reference"], said["verdict"]) == ("C5/C6", "c3-c7", "report")
    assert [one["reference"] for one in said["alternatives"]] == [ReferenceMethod.INNER, ReferenceMethod.ADJACENT]
    decisive = analysis.measurements.axial.decisive
    assert document["axial"]["ta_mm2"] == pytest.approx(decisive.area.value, abs=0.006)
    assert document["axial"]["cr"] == pytest.approx(decisive.compression_ratio.value, abs=6e-5)
    assert len(document["axial"]["slices"]) == len(analysis.measurements.axial.slices)
    assert document["status"] == "measured"


def test_keypoints_are_zero_based_row_and_column(analysis):
    found = analysis.measurements.sagittal.keypoints.by_landmark
    said = document_of(analysis)["sagittal"]["keypoints"]
    assert [(one["vertebra"], one["corner"]) for one in said] == [(one.vertebra, one.corner) for one in LANDMARKS]
    for one, landmark in zip(said, LANDMARKS, strict=True):
        assert (one["row"], one["column"]) == pytest.approx(tuple(found[landmark].point), abs=6e-4)


def test_what_is_withheld_is_null_and_says_why(withheld):
    document = document_of(withheld)
    assert document["status"] == "partial"
    for key in ("mscc", "mcc"):
        said = document["sagittal"][key]
        assert (said["value_percent"], said["verdict"]) == (None, "withhold")
        assert "level_missing" in [one["code"] for one in said["reasons"]]
    assert document["axial"] is None
    assert "no_axial_t2" in [one["code"] for one in document["reasons"]]


def test_the_other_values_of_an_axial_slice_have_reasons_of_their_own(analysis):
    axial = analysis.measurements.axial
    oblique = Finding(Reason.AXIAL_OBLIQUE, Severity.FLAG, "the slice is oblique")
    broken = Finding(Reason.CANAL_MULTIPLE_COMPONENTS, Severity.FLAG, "the canal is in two pieces")
    decisive = replace(
        axial.decisive,
        area_along_cord=replace(axial.decisive.area_along_cord, findings=(oblique,)),
        canal_area=replace(axial.decisive.canal_area, findings=(broken,)),
        canal_ap=replace(axial.decisive.canal_ap, findings=(broken,)),
    )
    changed = replace(analysis.measurements, axial=replace(axial, decisive=decisive, slices=(decisive,)))
    said = document_of(replace(analysis, measurements=changed))["axial"]
    for one in (said, said["slices"][0]):
        assert [reason["code"] for reason in one["ta_along_cord_reasons"]] == ["axial_oblique"]
        assert [reason["code"] for reason in one["canal_reasons"]] == ["canal_multiple_components"]
    without = replace(analysis.measurements, axial=replace(axial, decisive=None))
    said = document_of(replace(analysis, measurements=without))["axial"]
    assert (said["verdict"], said["canal_reasons"], said["ta_along_cord_reasons"]) == ("withhold", [], [])


def test_ta_and_cr_have_each_its_own_verdict_on_the_page_too(analysis):
    axial = analysis.measurements.axial
    thin = Finding(Reason.VALUE_OUTSIDE_HEALTHY_RANGE, Severity.FLAG, "the cord is thin")
    sound = replace(axial.decisive.area, verdict=Verdict.REPORT, findings=())
    doubted = replace(axial.decisive.compression_ratio, verdict=Verdict.FLAG, findings=(thin,))
    decisive = replace(axial.decisive, area=sound, compression_ratio=doubted)
    changed = replace(axial, decisive=decisive, slices=(decisive,), findings=())
    document = measured_document(replace(analysis, measurements=replace(analysis.measurements, axial=changed)), SOFTWARE, (), ())
    told = {one.name: (one.verdict, [reason.code for reason in one.reasons]) for one in headlines(document)}
    assert told["ta"] == ("report", [])
    assert told["cr"] == ("flag", ["value_outside_healthy_range"])
    assert document.axial.verdict == "flag"


def test_a_document_of_an_older_version_has_the_verdict_of_the_group(analysis):
    document = document_of(analysis)
    for one in ("ta_verdict", "ta_reasons", "cr_verdict", "cr_reasons"):
        del document["axial"][one]
    document["axial"] |= {"verdict": "withhold", "cr": None}
    axial = MeasurementsDocument.model_validate_json(json.dumps(document)).axial
    assert (axial.own_verdict("ta"), axial.own_verdict("cr")) == ("flag", "withhold")
    assert axial.own_reasons("ta") == axial.reasons


def test_declined_studies_name_their_reasons():
    declined = Declined(Reason.NO_SAGITTAL_T2, "none", (Finding(Reason.FAT_SUPPRESSED, Severity.DECLINE, "series 1.2"),))
    document = json.loads(encode(declined_document("1.2.3", declined, SOFTWARE)))
    assert document["status"] == "declined"
    assert [one["code"] for one in document["reasons"]] == ["no_sagittal_t2", "fat_suppressed"]
    assert document["files"] == []


def test_the_schema_describes_the_document(analysis, withheld):
    schema = measurements_schema()
    assert set(CONTRACT[""]) <= set(schema["properties"]) == set(schema["required"])
    for one in (analysis, withheld):
        written = encode(measured_document(one, SOFTWARE, (), ()))
        assert encode(MeasurementsDocument.model_validate_json(written, strict=True)) == written
