"""The key object selection: what it refers to and what it says."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import Comprehensive3DSRStorage, SegmentationStorage

from node.config import ReportingConfig
from node.domain.identity import InstanceRef
from node.domain.study import SeriesRole
from node.reporting.ko import build_ko
from node.reporting.provenance import Provenance, Software
from node.reporting.source import read_source

SAG, AX = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2


def result_of(analysis, name, sop_class):
    return InstanceRef(analysis.study_instance_uid, f"1.2.{name}", f"1.3.{name}", str(sop_class), Path("result.dcm"))


def selection_of(analysis, results=()):
    provenance = Provenance(Software("cspine-node", "1.2.3"), ReportingConfig(), analysis.measurements.models)
    sources = {role: read_source(series.volume) for role, series in analysis.series_by_role.items()}
    return build_ko(analysis, sources, results, provenance)


def references(document):
    return [
        (item.ValueType, item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in document.ContentSequence
        if "ReferencedSOPSequence" in item
    ]


def evidence(document):
    return {
        (series.SeriesInstanceUID, one.ReferencedSOPInstanceUID)
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }


@pytest.fixture(scope="module")
def results(analysis):
    return [result_of(analysis, 1, SegmentationStorage), result_of(analysis, 2, Comprehensive3DSRStorage)]


def test_the_decisive_slices_and_the_results_are_of_interest(analysis, results):
    document = selection_of(analysis, results)
    title = document.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113000", "DCM")
    decisive = {SAG: analysis.measurements.sagittal.slice_index, AX: analysis.measurements.axial.decisive.slice_index}
    images = [analysis.series_by_role[role].volume.sources[index].instance for role, index in decisive.items()]
    expected = [("IMAGE", one.sop_instance_uid) for one in images] + [("IMAGE", "1.3.1"), ("COMPOSITE", "1.3.2")]
    assert references(document) == expected
    assert evidence(document) == {(one.series_instance_uid, one.sop_instance_uid) for one in (*images, *results)}


def test_it_says_in_ascii_who_selected_what_and_why(analysis):
    document = selection_of(analysis)
    said = {item.ConceptNameCodeSequence[0].CodeMeaning: item.get("TextValue") for item in document.ContentSequence}
    text = said["Key Object Description"]
    assert text.isascii()
    assert text.startswith("AI RESEARCH: not for diagnosis, not verified by a person; MSCC 35.4 % C5/C6; MCC 24.9 % C5/C6; ")
    assert text.endswith("; axial slice at C5/C6")
    assert said["Device Observer Name"] == "CSPINE"


def test_what_was_withheld_is_said_to_be_withheld(withheld):
    document = selection_of(withheld)
    (text,) = (item.TextValue for item in document.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "113012")
    assert text.endswith("MSCC withheld; MCC withheld; axial values withheld")
    assert len(references(document)) == 1


def test_a_study_of_which_nothing_was_measured_has_none(analysis, results):
    nothing = replace(analysis.measurements, sagittal=None, axial=None)
    assert selection_of(replace(analysis, measurements=nothing), results) is None
