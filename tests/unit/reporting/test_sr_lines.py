"""The SR of the lines on one series: what is told together, and where each number was measured."""

import pytest
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from node.config import ReportingConfig
from node.domain.anatomy import LEVELS
from node.domain.study import SeriesRole
from node.reporting import codes
from node.reporting.provenance import Provenance, Software
from node.reporting.source import read_source
from node.reporting.sr_content import groups_of
from node.reporting.sr_lines import build_sr_lines, lines_as_comprehensive_sr, lines_of

SAG, AX = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2


@pytest.fixture(scope="module")
def documents(analysis):
    provenance = Provenance(Software("cspine-node", "1.2.3"), ReportingConfig(), analysis.measurements.models)
    sources = {role: read_source(series.volume) for role, series in analysis.series_by_role.items()}
    return {role: build_sr_lines(role, analysis, sources, provenance) for role in sources}


def encoded_groups(document):
    (measurements,) = (one for one in document.ContentSequence if concept(one) == "126010")
    return measurements.ContentSequence


def concept(item):
    return item.ConceptNameCodeSequence[0].CodeValue


def items(group, value_type):
    return [one for one in group.ContentSequence if one.ValueType == value_type]


def comment(group):
    (found,) = (one.TextValue for one in items(group, "TEXT") if concept(one) == "121106")
    return found


def test_each_level_is_told_once_and_the_narrowest_by_its_ratios(analysis):
    titles = {one.name: one.title for one in lines_of(analysis, SAG)}
    assert list(titles) == [str(level) for level in LEVELS]
    assert titles.pop("C5/C6").startswith("C5/C6, cord 4.58 mm, canal 9.74 mm")
    assert [title for name, title in titles.items() if title != name] == []


def test_the_axial_slice_is_told_as_one(analysis):
    (axial,) = lines_of(analysis, AX)
    assert axial.title == "Axial C5/C6 (review)"


def test_every_number_is_that_of_the_report_with_a_line_as_its_only_child(analysis, documents):
    reported = {
        (number.name.value, number.value): group.place.evidence
        for group in groups_of(analysis)
        for number in group.numbers
        if not group.is_alternative or group.name.startswith("Axial canal")
    }
    for role, document in documents.items():
        sources = analysis.series_by_role[role].volume.sources
        for group in encoded_groups(document):
            numbers = items(group, "NUM")
            assert numbers
            for number in numbers:
                evidence = reported[concept(number), float(number.MeasuredValueSequence[0].NumericValue)]
                (line,) = number.ContentSequence
                assert len(line.GraphicData) // 2 in (len(evidence.points), len(evidence.points) + 1)
                (image,) = line.ContentSequence[0].ReferencedSOPSequence
                assert image.ReferencedSOPInstanceUID == sources[evidence.slice_index].instance.sop_instance_uid


def test_the_words_on_the_image_are_short(documents):
    words = {
        number.ConceptNameCodeSequence[0].CodeMeaning
        for document in documents.values()
        for group in encoded_groups(document)
        for number in items(group, "NUM")
    }
    assert words == {"Cord AP", "Canal AP", "MSCC", "MCC", "Cord transverse", "Cord area", "Cord CR", "Canal area"}
    assert comment(encoded_groups(documents[SAG])[0]) == "C3"


def test_what_was_withheld_is_named_and_not_drawn(withheld):
    lines = lines_of(withheld, SAG)
    assert [one.name for one in lines] == ["C3", "C3/C4", "C4", "C6", "C6/C7", "C7"]
    assert lines[0].title == "C3, MSCC and MCC withheld"
    assert lines[-1].title == "C7"


def test_it_is_a_part_of_the_report_and_says_so(documents):
    for role, number in ((SAG, 9312), (AX, 9314)):
        document = documents[role]
        assert (document.CompletionFlag, document.VerificationFlag, document.PreliminaryFlag) == (
            "PARTIAL",
            "UNVERIFIED",
            "PRELIMINARY",
        )
        assert document.SeriesNumber == number
        for group in encoded_groups(document):
            (verdict,) = (one for one in items(group, "CODE") if concept(one) == codes.QUALITY.value)
            is_flagged = verdict.ConceptCodeSequence[0].CodeValue == "QC_REVIEW"
            assert is_flagged == ("(review)" in comment(group))


def test_the_same_content_is_there_as_comprehensive_sr_in_a_series_of_its_own(analysis, documents):
    for role, document in documents.items():
        other = lines_as_comprehensive_sr(document, role, analysis)
        assert (document.SOPClassUID, other.SOPClassUID) == (Comprehensive3DSRStorage, ComprehensiveSRStorage)
        assert other.SeriesNumber == document.SeriesNumber + 1
        assert other.SOPInstanceUID != document.SOPInstanceUID
        assert other.SeriesInstanceUID != document.SeriesInstanceUID
        assert other.ContentSequence == document.ContentSequence
