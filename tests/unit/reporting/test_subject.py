from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from node.domain.errors import PermanentError, Reason
from node.reporting.subject import subject_of


def stored(**values):
    """A header as it is read from a file: nothing decoded yet."""
    data_set = Dataset()
    for keyword, value in {"PatientID": "1", "StudyInstanceUID": "1.2", **values}.items():
        setattr(data_set, keyword, value)
    file = BytesIO()
    data_set.save_as(file, implicit_vr=True, little_endian=True)
    file.seek(0)
    return dcmread(file, force=True)


def identified(header, modality="SEG"):
    result = Dataset()
    result.Modality = modality
    subject_of([header]).identify(result)
    return result


def test_what_must_be_present_is_there_though_the_source_has_none():
    result = identified(stored())
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName"):
        assert keyword in result
        assert not result[keyword].value
    assert "SpecificCharacterSet" not in result
    assert "PatientAge" not in result


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("PatientSex", "F", "F"),
        ("PatientSex", "U", None),
        ("PatientBirthDate", "19700131", "19700131"),
        ("StudyTime", "101500.25", "101500.25"),
        ("PatientAge", "054Y", "054Y"),
        ("StudyDescription", "MR CERVICAL", "MR CERVICAL"),
    ],
)
def test_values_are_kept_if_they_have_their_form(keyword, value, kept):
    result = identified(stored(**{keyword: value}))
    assert (result[keyword].value or None) == kept


def test_bytes_are_inherited_with_their_character_set():
    name = "Wang^XiaoDong=王^小东"
    result = identified(stored(SpecificCharacterSet="GB18030", PatientName=name))
    assert result.get_item(Tag("PatientName")).value.rstrip() == name.encode("gb18030")
    assert result.SpecificCharacterSet == "GB18030"
    assert str(result.PatientName) == name


def test_an_empty_first_character_set_keeps_its_place():
    result = identified(stored(SpecificCharacterSet=["", "ISO 2022 IR 58"]))
    assert list(result.SpecificCharacterSet) == ["", "ISO 2022 IR 58"]


@pytest.mark.parametrize("other", [{"PatientID": "2"}, {"StudyInstanceUID": "1.3"}])
def test_two_patients_or_studies_are_refused(other):
    with pytest.raises(PermanentError) as raised:
        subject_of([stored(), stored(**other)])
    assert raised.value.reason is Reason.PATIENT_MIXED


def test_a_header_that_was_decoded_before_is_an_error_of_ours():
    header = stored(PatientName="A^B")
    assert header.PatientName == "A^B"
    with pytest.raises(TypeError, match="PatientName"):
        subject_of([header])


def item(**values):
    data_set = Dataset()
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return data_set


PROCEDURE = {"CodeValue": "MRCSP", "CodingSchemeDesignator": "99HOSP", "CodeMeaning": "颈椎平扫"}


def ordered():
    """A header with an order and a procedure, as a worklist gives them to a scanner."""
    request = item(
        RequestedProcedureID="RP 7",
        RequestedProcedureDescription="颈椎",
        ScheduledProcedureStepID="S1",
        RequestedProcedureCodeSequence=[item(**PROCEDURE)],
    )
    return stored(
        SpecificCharacterSet="GB18030",
        AccessionNumber="A1",
        IssuerOfPatientID="HOSPITAL",
        FillerOrderNumberImagingServiceRequest="F12",
        IssuerOfAccessionNumberSequence=[
            item(LocalNamespaceEntityID="RIS", UniversalEntityID="1.2.9", UniversalEntityIDType="ISO")
        ],
        IssuerOfPatientIDQualifiersSequence=[item(UniversalEntityID="1.2.8", UniversalEntityIDType="ISO")],
        ProcedureCodeSequence=[item(**PROCEDURE), item(CodeValue="no scheme")],
        RequestAttributesSequence=[request, item(ScheduledProcedureStepID="only a step")],
    )


def written(result):
    """The result after a round through a file."""
    file = BytesIO()
    result.save_as(file, implicit_vr=False, little_endian=True)
    file.seek(0)
    return dcmread(file, force=True)


def test_issuers_and_procedure_are_carried_over_with_the_characters_of_the_source():
    result = written(identified(ordered()))
    assert (result.AccessionNumber, result.IssuerOfPatientID) == ("A1", "HOSPITAL")
    (issuer,) = result.IssuerOfAccessionNumberSequence
    assert (issuer.LocalNamespaceEntityID, issuer.UniversalEntityID, issuer.UniversalEntityIDType) == ("RIS", "1.2.9", "ISO")
    assert result.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2.8"
    (code,) = result.ProcedureCodeSequence
    assert {keyword: code[keyword].value for keyword in PROCEDURE} == PROCEDURE
    assert "ReferencedRequestSequence" not in result


def test_a_document_refers_to_the_request_that_it_answers():
    (request,) = written(identified(ordered(), "SR")).ReferencedRequestSequence
    assert (request.StudyInstanceUID, request.AccessionNumber, request.RequestedProcedureID) == ("1.2", "A1", "RP 7")
    assert request.RequestedProcedureDescription == "颈椎"
    assert request.FillerOrderNumberImagingServiceRequest == "F12"
    assert (request.PlacerOrderNumberImagingServiceRequest or "", list(request.ReferencedStudySequence)) == ("", [])
    assert request.RequestedProcedureCodeSequence[0].CodeMeaning == PROCEDURE["CodeMeaning"]


def test_a_damaged_sequence_counts_as_absent():
    header = stored()
    tag = Tag("ProcedureCodeSequence")
    header[tag] = RawDataElement(tag, "SQ", 6, b"\xfe\xff\x00\xe0\xff\x00", 0, True, True)
    assert "ProcedureCodeSequence" not in identified(header)
