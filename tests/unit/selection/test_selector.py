"""Which series are chosen and why the others are not; headers are real files, changed one attribute at a time."""

from dataclasses import replace
from math import cos, radians, sin

import pytest

from node.config import SelectionConfig
from node.domain.errors import ConfigError, Declined, Reason, Severity
from node.domain.study import SeriesRole
from node.selection import select_series
from tests.support.hostile_files import AXIAL, CORONAL, SmallSeries, study_of, truncate, write_small_series
from tools.phantom.series import Acquisition, Encoding, Subject

CONFIG = SelectionConfig()
SAGITTAL_SERIES = SmallSeries(number=2)
AXIAL_SERIES = SmallSeries(number=5, axes=AXIAL)
MEDIC = Acquisition(
    "T2* MEDIC", 5, repetition_time_ms=650, echo_time_ms=17, flip_angle_deg=28, scanning_sequence=("GR",), sequence_name="me2d1"
)


def reason_of(folder, changes, series=SAGITTAL_SERIES, config=CONFIG):
    """The reason why one changed series is not used; None if it is."""
    received = write_small_series(folder, series, changes)
    try:
        select_series(study_of(received), config)
    except Declined as declined:
        (finding,) = declined.findings
        return finding.code if received.series_instance_uid in finding.message else None
    return None


ACCEPTED = {
    "as written": {},
    "no body part": {"BodyPartExamined": None, "StudyDescription": None},
    "nothing but geometry and timing": {
        "BodyPartExamined": None,
        "StudyDescription": None,
        "SeriesDescription": None,
        "ProtocolName": None,
        "ScanningSequence": None,
        "SequenceName": None,
    },
    "text says T1, timing says T2": {"SeriesDescription": "T1 SAG"},
    "timing is gone, text says T2": {"EchoTime": None, "RepetitionTime": None, "SeriesDescription": "T2 sag"},
    "3D T2": {"SequenceName": "*spc_282", "EchoTime": "120", "RepetitionTime": "1500", "MRAcquisitionType": "3D"},
    "contrast agent explicitly none": {"ContrastBolusAgent": "NO"},
    "Chinese texts": {"SeriesDescription": "颈椎 T2 矢状", "ProtocolName": "颈髓", "BodyPartExamined": "CSPINE"},
    "neck": {"BodyPartExamined": "NECK", "SeriesDescription": "HEAD NECK T2"},
    "cervicothoracic": {"SeriesDescription": "C/T-SPINE T2 cervicothoracic"},
    "Chinese cervicothoracic": {"SeriesDescription": "颈胸椎 T2", "ProtocolName": "颈胸椎"},
    "whole-spine study": {"StudyDescription": "MR cervical, thoracic and lumbar spine"},
    "deep-learning reconstruction": {"SeriesDescription": "T2 TSE DL Recon"},
    "myelopathy protocol": {"ProtocolName": "cervical myelopathy"},
    "frames of reference unknown": {"FrameOfReferenceUID": None},
    "inversion time zero": {"InversionTime": "0"},
    "orientation jitter": {
        "ImageOrientationPatient": lambda index: ["0", "1", f"{index * 1e-5:.6f}", "0", f"{-index * 1e-5:.6f}", "-1"]
    },
}

# sagittal, and the same turned by 10 degrees
TURNED = [["0", "1", "0", "0", "0", "-1"], ["0.1736482", "0.9848078", "0", "0", "0", "-1"]]

REFUSED = {
    "CT": ({"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, Reason.WRONG_MODALITY),
    "no modality": ({"Modality": None}, Reason.WRONG_MODALITY),
    "secondary capture": ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, Reason.SECONDARY_CAPTURE),
    "digitised": ({"ConversionType": "WSD"}, Reason.SECONDARY_CAPTURE),
    "own result": ({"ManufacturerModelName": "cspine-node"}, Reason.OWN_RESULT),
    "a segmentation": ({"Modality": "SEG"}, Reason.OWN_RESULT),
    "a report": ({"Modality": "SR"}, Reason.OWN_RESULT),
    "no pixel data": ({"PixelData": None}, Reason.NO_PIXELS),
    "one image without pixels": ({"PixelData": lambda index: None if index == 2 else b"\0" * 240}, Reason.NO_PIXELS),
    "no rows": ({"Rows": None}, Reason.NO_PIXELS),
    "no orientation": ({"ImageOrientationPatient": None}, Reason.NO_GEOMETRY),
    "no position": ({"ImagePositionPatient": None}, Reason.NO_GEOMETRY),
    "no spacing": ({"PixelSpacing": None}, Reason.NO_GEOMETRY),
    "orientation is zero": ({"ImageOrientationPatient": ["0"] * 6}, Reason.NO_GEOMETRY),
    "localizer by type": ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, Reason.LOCALIZER),
    "localizer by text": ({"SeriesDescription": "3-plane loc"}, Reason.LOCALIZER),
    "localizer in Chinese": ({"SeriesDescription": "定位"}, Reason.LOCALIZER),
    "thick slices": ({"SliceThickness": "10"}, Reason.LOCALIZER),
    "three planes": (
        {"ImageOrientationPatient": lambda index: [["1", "0", "0", "0", "1", "0"], ["0", "1", "0", "0", "0", "-1"]][index % 2]},
        Reason.LOCALIZER,
    ),
    "reformatted": ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, Reason.NOT_ORIGINAL),
    "reformatted by text": ({"SeriesDescription": "T2 SPACE MPR sag"}, Reason.NOT_ORIGINAL),
    "diffusion by b value": ({"DiffusionBValue": 800.0}, Reason.DIFFUSION),
    "diffusion by text": ({"SeriesDescription": "DWI sag"}, Reason.DIFFUSION),
    "diffusion in Chinese": ({"SeriesDescription": "弥散"}, Reason.DIFFUSION),
    "contrast agent": ({"ContrastBolusAgent": "GADOVIST"}, Reason.POST_CONTRAST),
    "post contrast by text": ({"SeriesDescription": "T2 sag +C"}, Reason.POST_CONTRAST),
    "post contrast in Chinese": ({"SeriesDescription": "颈椎增强 T2"}, Reason.POST_CONTRAST),
    "STIR by timing": ({"ScanningSequence": ["SE", "IR"], "InversionTime": "220"}, Reason.FAT_SUPPRESSED),
    "STIR by sequence name": ({"ScanningSequence": None, "SequenceName": "*tir2d1_15"}, Reason.FAT_SUPPRESSED),
    "STIR by text": ({"SeriesDescription": "STIR sag"}, Reason.FAT_SUPPRESSED),
    "fat saturation": ({"ScanOptions": ["FC", "FS"]}, Reason.FAT_SUPPRESSED),
    "fat suppression in Chinese": ({"SeriesDescription": "T2 矢状 压脂"}, Reason.FAT_SUPPRESSED),
    "Dixon water": ({"ImageType": ["ORIGINAL", "PRIMARY", "DIXON", "WATER"]}, Reason.FAT_SUPPRESSED),
    "fluid attenuated": ({"ScanningSequence": ["SE", "IR"], "InversionTime": "2200"}, Reason.WRONG_CONTRAST),
    "T1 called T2": ({"EchoTime": "10", "RepetitionTime": "600", "SeriesDescription": "T2 SAG"}, Reason.WRONG_CONTRAST),
    "proton density": ({"EchoTime": "15"}, Reason.WRONG_CONTRAST),
    "two echoes": ({"EchoTime": lambda index: ["15", "100"][index % 2]}, Reason.WRONG_CONTRAST),
    "no timing, text silent": ({"EchoTime": None, "SeriesDescription": "sag", "ProtocolName": "sag"}, Reason.WRONG_CONTRAST),
    "no timing, text says T1": ({"EchoTime": None, "SeriesDescription": "T1 T2"}, Reason.WRONG_CONTRAST),
    "sagittal gradient echo": ({"ScanningSequence": "GR", "FlipAngle": "28"}, Reason.WRONG_CONTRAST),
    "echo planar": ({"ScanningSequence": ["SE", "EP"]}, Reason.WRONG_CONTRAST),
    "myelography": ({"SeriesDescription": "T2 myelo"}, Reason.WRONG_CONTRAST),
    "lumbar by code": ({"BodyPartExamined": "LSPINE"}, Reason.WRONG_BODY_PART),
    "lumbar by text": ({"BodyPartExamined": None, "SeriesDescription": "T2 sag lumbar"}, Reason.WRONG_BODY_PART),
    "lumbar in Chinese": ({"BodyPartExamined": None, "SeriesDescription": "腰椎 T2"}, Reason.WRONG_BODY_PART),
    "lumbar study": (
        {"BodyPartExamined": "SPINE", "StudyDescription": "MRI lumbar spine"},
        Reason.WRONG_BODY_PART,
    ),
    "thoracic": ({"BodyPartExamined": "TSPINE", "StudyDescription": ""}, Reason.WRONG_BODY_PART),
    "protocol contradicts": ({"ProtocolName": "L-SPINE", "SeriesDescription": "c-spine t2"}, Reason.WRONG_BODY_PART),
    "study contradicts": ({"StudyDescription": "腰椎MR"}, Reason.WRONG_BODY_PART),
    "uterine cervix": ({"BodyPartExamined": None, "SeriesDescription": "宫颈 T2"}, Reason.WRONG_BODY_PART),
    "brain": ({"BodyPartExamined": "BRAIN", "StudyDescription": ""}, Reason.WRONG_BODY_PART),
    "not parallel": ({"ImageOrientationPatient": lambda index: TURNED[index % 2]}, Reason.ORIENTATION_MIXED),
    "coronal": ({"ImageOrientationPatient": ["1", "0", "0", "0", "0", "-1"]}, Reason.WRONG_PLANE),
    "frames of reference": ({"FrameOfReferenceUID": lambda index: f"1.2.{index % 2}"}, Reason.FRAME_OF_REFERENCE_MIXED),
    "sizes": ({"Rows": lambda index: 12 - index % 2}, Reason.SIZE_MIXED),
    "spacings": ({"PixelSpacing": lambda index: [["0.6", "0.6"], ["0.7", "0.7"]][index % 2]}, Reason.SIZE_MIXED),
    "coarse": ({"PixelSpacing": ["2", "2"]}, Reason.SPACING_TOO_COARSE),
}  # fmt: skip


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_cervical_t2_series_is_used(tmp_path, changes):
    assert reason_of(tmp_path, changes) is None


@pytest.mark.parametrize(("changes", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_series_is_skipped_with_the_reason(tmp_path, changes, reason):
    assert reason_of(tmp_path, changes) is reason


@pytest.mark.parametrize(("slices", "reason"), [(1, Reason.TOO_FEW_SLICES), (2, Reason.TOO_FEW_SLICES), (3, None)])
def test_few_slices(tmp_path, slices, reason):
    assert reason_of(tmp_path, {}, replace(SAGITTAL_SERIES, slices=slices)) is reason


def test_many_slices(tmp_path):
    assert (
        reason_of(tmp_path, {}, replace(SAGITTAL_SERIES, slices=4), SelectionConfig(maximum_slices=3)) is Reason.TOO_MANY_SLICES
    )


def test_derived_series_are_used_where_the_configuration_allows_it(tmp_path):
    changes = {"ImageType": ["DERIVED", "PRIMARY", "OTHER"]}
    assert reason_of(tmp_path, changes, config=SelectionConfig(allow_derived=True)) is None


def test_a_coronal_series_is_in_no_role(tmp_path):
    assert reason_of(tmp_path, {}, SmallSeries(axes=CORONAL)) is Reason.WRONG_PLANE


@pytest.mark.parametrize(("angle", "reason"), [(29, None), (31, Reason.WRONG_PLANE)])
def test_the_plane_is_judged_by_angle(tmp_path, angle, reason):
    turned = ((sin(radians(angle)), cos(radians(angle)), 0.0), (0.0, 0.0, -1.0))
    assert reason_of(tmp_path, {}, SmallSeries(axes=turned)) is reason


@pytest.mark.parametrize("enhanced", [False, True])
def test_the_sagittal_and_the_axial_series_are_found(tmp_path, enhanced):
    encoding = Encoding(enhanced=enhanced)
    sagittal = write_small_series(tmp_path, replace(SAGITTAL_SERIES, encoding=encoding))
    axial = write_small_series(tmp_path, replace(AXIAL_SERIES, encoding=encoding))
    selection = select_series(study_of(axial, sagittal), CONFIG)
    assert selection.series_by_role[SeriesRole.SAGITTAL_T2].series == sagittal
    assert selection.series_by_role[SeriesRole.AXIAL_T2].series == axial
    assert not selection.skipped
    assert not selection.findings


ENHANCED_REFUSED = {
    "STIR": (replace(SAGITTAL_SERIES.acquisition, inversion_time_ms=200.0), Reason.FAT_SUPPRESSED),
    "fat saturation": (replace(SAGITTAL_SERIES.acquisition, scan_options=("FS",)), Reason.FAT_SUPPRESSED),
    "T1": (replace(SAGITTAL_SERIES.acquisition, echo_time_ms=9.0, repetition_time_ms=600.0), Reason.WRONG_CONTRAST),
    "gradient echo": (replace(MEDIC, description="T2*"), Reason.WRONG_CONTRAST),
}


@pytest.mark.parametrize(("acquisition", "reason"), ENHANCED_REFUSED.values(), ids=ENHANCED_REFUSED.keys())
def test_enhanced_series_are_judged_by_their_functional_groups(tmp_path, acquisition, reason):
    series = replace(SAGITTAL_SERIES, acquisition=acquisition, encoding=Encoding(enhanced=True))
    assert reason_of(tmp_path, {"SeriesDescription": "T2", "ProtocolName": "T2"}, series) is reason


def test_a_study_without_axial_slices_is_measured_and_says_so(tmp_path):
    selection = select_series(study_of(write_small_series(tmp_path, SAGITTAL_SERIES)), CONFIG)
    assert set(selection.series_by_role) == {SeriesRole.SAGITTAL_T2}
    assert [(finding.code, finding.severity) for finding in selection.findings] == [(Reason.NO_AXIAL_T2, Severity.FLAG)]


def test_a_study_without_sagittal_slices_is_declined(tmp_path):
    with pytest.raises(Declined) as declined:
        select_series(study_of(write_small_series(tmp_path, AXIAL_SERIES)), CONFIG)
    assert declined.value.reason is Reason.NO_SAGITTAL_T2


def test_an_empty_study_is_declined():
    with pytest.raises(Declined) as declined:
        select_series(study_of(), CONFIG)
    assert declined.value.reason is Reason.NO_USABLE_SERIES


def test_two_patients_in_one_study_are_declined_without_naming_them(tmp_path):
    first = write_small_series(tmp_path, SAGITTAL_SERIES)
    second = write_small_series(tmp_path, replace(AXIAL_SERIES, subject=Subject("hostile", patient_id="SENTINEL")))
    with pytest.raises(Declined) as declined:
        select_series(study_of(first, second), CONFIG)
    assert declined.value.reason is Reason.PATIENT_MIXED
    assert "SENTINEL" not in f"{declined.value} {declined.value.findings}"


def test_two_patients_in_one_series_are_declined(tmp_path):
    series = write_small_series(tmp_path, SAGITTAL_SERIES, {"PatientID": lambda index: f"P{index // 2}"})
    with pytest.raises(Declined) as declined:
        select_series(study_of(series), CONFIG)
    assert declined.value.reason is Reason.PATIENT_MIXED


def test_a_file_that_is_not_dicom_skips_its_series_only(tmp_path):
    good = write_small_series(tmp_path, SAGITTAL_SERIES)
    bad = write_small_series(tmp_path, AXIAL_SERIES)
    bad.instances[1].path.write_bytes(b"%PDF-1.7 not an image")
    selection = select_series(study_of(bad, good), CONFIG)
    finding = selection.skipped[bad.series_instance_uid][0]
    assert (finding.code, finding.severity) == (Reason.NOT_DICOM, Severity.ERROR)
    assert bad.instances[1].sop_instance_uid in finding.message


def test_a_header_that_ends_early_skips_its_series(tmp_path):
    series = write_small_series(tmp_path, SAGITTAL_SERIES)
    truncate(series.instances[0].path, 0.4)
    with pytest.raises(Declined) as declined:
        select_series(study_of(series), CONFIG)
    assert declined.value.findings[0].code in {Reason.NO_PIXELS, Reason.NOT_DICOM}


def test_chinese_sent_under_a_latin_character_set_is_understood(tmp_path):
    series = write_small_series(tmp_path, SAGITTAL_SERIES, {"SpecificCharacterSet": "ISO_IR 100", "SeriesDescription": "XXXX T2"})
    for instance in series.instances:
        content = instance.path.read_bytes().replace(b"XXXX", "腰椎".encode("gb18030"))
        instance.path.write_bytes(content)
    with pytest.raises(Declined) as declined:
        select_series(study_of(series), CONFIG)
    assert declined.value.findings[0].code is Reason.WRONG_BODY_PART


def test_the_axial_gradient_echo_is_used_only_without_a_spin_echo_and_if_allowed(tmp_path):
    sagittal = write_small_series(tmp_path, SAGITTAL_SERIES)
    medic = write_small_series(tmp_path, replace(AXIAL_SERIES, number=9, slices=4, acquisition=MEDIC))
    spin = write_small_series(tmp_path, AXIAL_SERIES)
    assert select_series(study_of(sagittal, medic), CONFIG).series_by_role[SeriesRole.AXIAL_T2].series == medic
    both = select_series(study_of(sagittal, medic, spin), CONFIG)
    assert both.series_by_role[SeriesRole.AXIAL_T2].series == spin
    assert both.skipped[medic.series_instance_uid][0].code is Reason.PREFERRED_OTHER_SERIES
    refused = select_series(study_of(sagittal, medic), SelectionConfig(allow_gradient_echo_axial=False))
    assert refused.skipped[medic.series_instance_uid][0].code is Reason.WRONG_CONTRAST


BETTER = {
    "text names the neck": (SmallSeries(number=7), {"SeriesDescription": "cervical T2"}),
    "more slices": (SmallSeries(number=7, slices=4), {}),
    "finer pixels": (SmallSeries(number=7, pixel_mm=0.5), {}),
    "later": (SmallSeries(number=7), {"AcquisitionTime": "235900"}),
}


@pytest.mark.parametrize(("series", "changes"), BETTER.values(), ids=BETTER.keys())
def test_the_better_series_wins_in_any_order(tmp_path, series, changes):
    plain = write_small_series(tmp_path, SAGITTAL_SERIES, {"BodyPartExamined": None, "AcquisitionTime": "100000"})
    better = write_small_series(tmp_path, series, {"BodyPartExamined": None, "AcquisitionTime": "100000"} | changes)
    for study in (study_of(plain, better), study_of(better, plain)):
        selection = select_series(study, CONFIG)
        assert selection.series_by_role[SeriesRole.SAGITTAL_T2].series == better
        assert selection.skipped[plain.series_instance_uid][0].code is Reason.PREFERRED_OTHER_SERIES


def test_equal_series_are_told_apart_by_uid_alone(tmp_path):
    series = [write_small_series(tmp_path, SmallSeries(number=number), {"AcquisitionTime": "100000"}) for number in (2, 3, 4)]
    chosen = {select_series(study_of(*order), CONFIG).series_by_role[SeriesRole.SAGITTAL_T2].series.series_instance_uid
              for order in (series, series[::-1], [series[1], series[0], series[2]])}  # fmt: skip
    assert chosen == {max(one.series_instance_uid for one in series)}


def test_axial_slices_in_the_frame_of_reference_of_the_sagittal_ones_are_preferred(tmp_path):
    sagittal = write_small_series(tmp_path, SAGITTAL_SERIES)
    related = write_small_series(tmp_path, AXIAL_SERIES)
    moved = write_small_series(tmp_path, replace(AXIAL_SERIES, number=8, slices=4), {"FrameOfReferenceUID": "1.2.3"})
    assert select_series(study_of(sagittal, moved, related), CONFIG).series_by_role[SeriesRole.AXIAL_T2].series == related


def test_configured_texts_prefer_and_exclude(tmp_path):
    big = write_small_series(tmp_path, SmallSeries(number=3, slices=4))
    wanted = write_small_series(tmp_path, SAGITTAL_SERIES, {"SeriesDescription": "research T2"})
    preferring = select_series(study_of(big, wanted), SelectionConfig(include_text=("RESEARCH",)))
    assert preferring.series_by_role[SeriesRole.SAGITTAL_T2].series == wanted
    excluding = select_series(study_of(big, wanted), SelectionConfig(exclude_text=("^research",)))
    assert excluding.skipped[wanted.series_instance_uid][0].code is Reason.EXCLUDED_BY_CONFIG


def test_an_expression_that_is_none_is_refused_by_name(tmp_path):
    study = study_of(write_small_series(tmp_path, SAGITTAL_SERIES))
    with pytest.raises(ConfigError, match=r"\(unclosed"):
        select_series(study, SelectionConfig(exclude_text=("(unclosed",)))
