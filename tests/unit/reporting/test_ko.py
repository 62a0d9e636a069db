"""The key object selection: what it refers to and what it says."""

from dataclasses import replace

from node.config import ReportingConfig
from node.domain.study import SeriesRole
from node.reporting.ko import build_ko
from node.reporting.provenance import Provenance, Software
from node.reporting.source import read_source

SAG, AX = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2


def selection_of(analysis):
    provenance = Provenance(Software("cspine-node", "1.2.3"), ReportingConfig(), analysis.measurements.models)
    sources = {role: read_source(series.volume) for role, series in analysis.series_by_role.items()}
    return build_ko(analysis, sources, provenance)


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


def test_the_decisive_slices_are_of_interest_and_nothing_that_a_peer_may_not_hold(analysis):
    document = selection_of(analysis)
    title = document.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113000", "DCM")
    decisive = {SAG: analysis.measurements.sagittal.slice_index, AX: analysis.measurements.axial.decisive.slice_index}
    images = [analysis.series_by_role[role].volume.sources[index].instance for role, index in decisive.items()]
    assert references(document) == [("IMAGE", one.sop_instance_uid) for one in images]
    assert evidence(document) == {(one.series_instance_uid, one.sop_instance_uid) for one in images}


def test_it_says_in_ascii_who_selected_what_and_why(analysis):
    document = selection_of(analysis)
    named = [item for item in document.ContentSequence if item.ValueType != "IMAGE"]
    said = {item.ConceptNameCodeSequence[0].CodeMeaning: item.get("TextValue") for item in named}
    text = said["Key Object Description"]
    assert text.isascii()
    assert text.startswith("AI RESEARCH: not for diagnosis, not verified by a person; MSCC 35.4 % C5/C6; MCC 24.9 % C5/C6; ")
    assert text.endswith("; axial slice at C5/C6")
    assert said["Device Observer Name"] == "CSPINE"


def test_what_was_withheld_is_said_to_be_withheld(withheld):
    document = selection_of(withheld)
    (text,) = (
        item.TextValue for item in document.ContentSequence if item.ValueType == "TEXT" and item.TextValue.startswith("AI ")
    )
    assert text.endswith("MSCC withheld; MCC withheld; axial values withheld")
    assert len(references(document)) == 1


def test_a_study_of_which_nothing_was_measured_has_none(analysis):
    nothing = replace(analysis.measurements, sagittal=None, axial=None)
    assert selection_of(replace(analysis, measurements=nothing)) is None
