"""Every result object, through the eyes of programs that are not ours: dciodvfy, DCMTK, PixelMed, dcmqi and highdicom."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import Tag

from node.config import ReportingConfig
from node.domain.analysis import Analysis
from node.domain.anatomy import Corner, Landmark, Structure, Vertebra
from node.domain.measurement import Verdict
from node.domain.report import ReportKind, ReportObject
from node.domain.study import SeriesRole
from node.reporting import Software, build_report
from tests.support.analyses import AXIAL, SAGITTAL, Scene, synthetic_analysis
from tests.support.validators import dciodvfy_complaints, dsrdump, segment_voxels, template_errors, tid1500_groups
from tools.phantom.series import Encoding

SOFTWARE = Software("cspine-node", "1.2.3")
SAG, AX = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2
DOCUMENTS = (ReportKind.SR, ReportKind.SR_LINES, ReportKind.SR_VOLUMES, ReportKind.KO)

SCENES = {
    "plain": Scene(),
    "enhanced": Scene(encoding=Encoding(enhanced=True)),
    "oblique": Scene(
        sagittal=replace(SAGITTAL, rotation_deg=(0.0, 4.0, -6.0)), axial=replace(AXIAL, rotation_deg=(9.0, 0.0, 3.0))
    ),
    "reversed": Scene(
        sagittal=replace(SAGITTAL, flip_columns=True, flip_rows=True, reverse_slices=True),
        axial=replace(AXIAL, flip_columns=True, reverse_slices=True),
    ),
    "withheld": Scene(missing=[Landmark(Vertebra.C5, corner) for corner in Corner], empty=[(AX, Structure.SPINAL_CANAL)]),
    "sagittal only": Scene(axial=None),
}


@dataclass(frozen=True)
class Reported:
    """An analysis and what was reported of it."""

    analysis: Analysis
    folder: Path
    objects: tuple[ReportObject, ...]

    def all_objects(self) -> list[ReportObject]:
        return with_fallbacks(self.objects)

    def of_kind(self, kind: ReportKind) -> list[ReportObject]:
        return [one for one in self.objects if one.kind is kind]

    def seg_of(self, role: SeriesRole):
        return dcmread(self.folder / f"seg_{role}.dcm")


def with_fallbacks(objects: Iterable[ReportObject]) -> list[ReportObject]:
    return [one for listed in objects for one in (listed, listed.fallback) if one is not None]


def report(folder: Path, scene: Scene) -> Reported:
    analysis = synthetic_analysis(folder / "study", scene)
    objects = build_report(analysis, ReportingConfig(), SOFTWARE, folder / "report")
    return Reported(analysis, folder / "report", objects)


@pytest.fixture(scope="module", params=SCENES)
def reported(request, tmp_path_factory):
    return report(tmp_path_factory.mktemp("reported"), SCENES[request.param])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return report(tmp_path_factory.mktemp("plain"), SCENES["plain"])


def test_dciodvfy_has_no_complaint(reported):
    for one in reported.all_objects():
        assert dciodvfy_complaints(one.instance.path) == [], one.instance.path.name


def test_the_list_names_what_the_files_hold(reported):
    for one in reported.all_objects():
        stored = dcmread(one.instance.path)
        assert stored.SOPInstanceUID == stored.file_meta.MediaStorageSOPInstanceUID == one.instance.sop_instance_uid
        assert stored.SOPClassUID == stored.file_meta.MediaStorageSOPClassUID == one.instance.sop_class_uid
        assert stored.SeriesInstanceUID == one.instance.series_instance_uid
        assert stored.StudyInstanceUID == one.instance.study_instance_uid == reported.analysis.study_instance_uid
        assert stored.file_meta.TransferSyntaxUID == one.transfer_syntax_uid
    series = [one.instance.series_instance_uid for one in reported.all_objects()]
    assert len(set(series)) == len(series), "viewers show the last object of a series only"
    (sr,) = reported.of_kind(ReportKind.SR)
    assert sr.instance.sop_class_uid == "1.2.840.10008.5.1.4.1.1.88.34"
    assert sr.fallback.instance.sop_class_uid == "1.2.840.10008.5.1.4.1.1.88.33"


def test_every_object_says_that_it_is_ours_unverified_and_research(reported):
    for one in reported.all_objects():
        stored = dcmread(one.instance.path)
        assert (stored.Manufacturer, stored.ManufacturerModelName) == ("cspine-node", "cspine-node")
        assert stored.ContentQualification == "RESEARCH"
        assert stored.SeriesDescription.startswith("AI ")
        assert stored.SeriesDescription.endswith(" RESEARCH")
        assert (stored.PatientName, stored.PatientID, stored.AccessionNumber) == ("PHANTOM^CSPINE", "PHANTOM-1", "PH0001")
        if one.kind is ReportKind.SR:
            assert (stored.VerificationFlag, stored.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


def test_highdicom_reads_the_masks_back_exactly(reported):
    for role, series in reported.analysis.series_by_role.items():
        segmentation = highdicom.seg.segread(reported.folder / f"seg_{role}.dcm")
        present = [one for one in Structure if series.masks.binary(one).any()]
        assert [segmentation.get_segment_description(n + 1).segment_label for n in range(len(present))] == [
            {"spinal_cord": "Spinal cord", "spinal_canal": "Spinal canal"}[one] for one in present
        ]
        pixels = _by_source_slice(reported.seg_of(role), series.volume, len(present))
        for number, structure in enumerate(present):
            assert np.array_equal(pixels[number], series.masks.binary(structure))


def _by_source_slice(seg, volume, segments):
    """Return what the frames of a SEG hold by the source that each refers to, [segment, slice, row, column]."""
    index_of = {(s.instance.sop_instance_uid, s.frame_number): index for index, s in enumerate(volume.sources)}
    pixels = np.zeros((segments, *volume.geometry.shape), dtype=bool)
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        assert frame.any(), "empty frames are left out"
        (source,) = groups.DerivationImageSequence[0].SourceImageSequence
        key = (source.ReferencedSOPInstanceUID, source.get("ReferencedFrameNumber"))
        pixels[groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber - 1, index_of[key]] = frame
    return pixels


def test_every_frame_lies_where_its_source_slice_lies(reported):
    for role, series in reported.analysis.series_by_role.items():
        seg = reported.seg_of(role)
        shared = seg.SharedFunctionalGroupsSequence[0]
        spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, dtype=float)
        planes = {
            (s.instance.sop_instance_uid, s.frame_number): plane
            for s, plane in zip(series.volume.sources, series.volume.planes, strict=True)
        }
        assert seg.FrameOfReferenceUID == series.volume.frame_of_reference_uid
        for groups in seg.PerFrameFunctionalGroupsSequence:
            source = groups.DerivationImageSequence[0].SourceImageSequence[0]
            plane = planes[source.ReferencedSOPInstanceUID, source.get("ReferencedFrameNumber")]
            position = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
            place = groups if "PlaneOrientationSequence" in groups else shared
            row, column = np.array(place.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
            last = position + (plane.rows - 1) * spacing[0] * column + (plane.columns - 1) * spacing[1] * row
            assert last == pytest.approx(plane.to_patient([plane.rows - 1, plane.columns - 1]), abs=1e-4)


def test_dcmqi_sees_the_same_voxels_at_the_same_places(reported, tmp_path):
    for role, series in reported.analysis.series_by_role.items():
        seen = segment_voxels(reported.folder / f"seg_{role}.dcm", tmp_path / role)
        present = [one for one in Structure if series.masks.binary(one).any()]
        assert len(seen) == len(present)
        for points, structure in zip(seen, present, strict=True):
            marked = np.argwhere(series.masks.binary(structure))
            expected = np.stack([series.volume.planes[k].to_patient([row, column]) for k, row, column in marked])
            assert _sorted(points) == pytest.approx(_sorted(expected), abs=2e-3)


def _sorted(points):
    return points[np.lexsort(np.round(points, 1).T)]


def test_dcmtk_prints_the_report_without_objection(reported):
    for one in reported.all_objects():
        if one.kind is ReportKind.SR:
            text, objections = dsrdump(one.instance.path)
            assert objections == []
            assert '"MSCC (c3-c7)"' in text


def test_the_report_follows_its_templates(plain):
    """One document only: PixelMed needs half a minute to read its own rules."""
    (sr,) = plain.of_kind(ReportKind.SR)
    assert template_errors(sr.instance.path) == []


def test_dcmqi_reads_every_group(reported, tmp_path):
    (sr,) = reported.of_kind(ReportKind.SR)
    groups = {one["TrackingIdentifier"]: one for one in tid1500_groups(sr.instance.path, tmp_path)}
    assert len({one["TrackingUniqueIdentifier"] for one in groups.values()}) == len(groups)
    ratio = reported.analysis.measurements.sagittal.ratio(Structure.SPINAL_CORD)
    values = [float(one["value"]) for one in groups["MSCC (c3-c7)"].get("measurementItems", ())]
    if ratio.ratio.verdict is Verdict.WITHHOLD:
        assert values == []
    else:
        expected = [ratio.ratio.value, ratio.at_level.value, ratio.above.value, ratio.below.value]
        assert values == pytest.approx(expected, abs=0.006)


def test_highdicom_reads_the_numbers_and_their_lines_back(reported):
    (sr,) = reported.of_kind(ReportKind.SR)
    for one in (sr, sr.fallback):
        content = highdicom.sr.srread(one.instance.path).content
        groups = {g.tracking_identifier: g for g in content.get_planar_roi_measurement_groups()}
        for level in reported.analysis.measurements.sagittal.levels:
            _check_line(groups[f"Cord AP {level.level}"], level.cord_ap, reported.analysis.series_by_role[SAG].volume)
            _check_line(groups[f"Canal AP {level.level}"], level.canal_ap, reported.analysis.series_by_role[SAG].volume)
        axial = reported.analysis.measurements.axial
        if axial is not None and axial.decisive is not None:
            _check_line(groups["Axial cord transverse"], axial.decisive.transverse, reported.analysis.series_by_role[AX].volume)


def _check_line(group, measured, volume):
    numbers = group.get_measurements()
    if measured.value is None:
        assert numbers == []
        return
    (number,) = numbers
    assert number.value == pytest.approx(measured.value, abs=0.006)
    assert number.unit.value == "mm"
    (evidence,) = measured.evidence
    region = group.roi
    drawn = np.array(region.value) - 0.5
    assert drawn == pytest.approx(np.array([(p.column, p.row) for p in evidence.points]), abs=1e-3)
    image = region.ContentSequence[0].ReferencedSOPSequence[0]
    source = volume.sources[evidence.slice_index]
    assert image.ReferencedSOPInstanceUID == source.instance.sop_instance_uid
    assert image.get("ReferencedFrameNumber") == source.frame_number


def test_what_is_withheld_has_reasons_and_no_number(tmp_path):
    withheld = report(tmp_path, SCENES["withheld"])
    (sr,) = withheld.of_kind(ReportKind.SR)
    stored = highdicom.sr.srread(sr.instance.path)
    assert stored.CompletionFlag == "PARTIAL"
    groups = {g.tracking_identifier: g for g in stored.content.get_planar_roi_measurement_groups()}
    for name in ("MSCC (c3-c7)", "MCC (c3-c7)", "Cord AP C5", "Canal AP C5", "Axial cord"):
        assert groups[name].get_measurements() == [], name
        said = {one.name.value: one.value.value for one in groups[name].get_qualitative_evaluations()}
        assert said["QC_STATUS"] == "QC_WITHHELD", name
        assert said["QC_REASON"].startswith("R_"), name
    assert "C5 corners" not in groups
    assert groups["Cord AP C3"].get_measurements() != []


def test_a_single_segment_is_named_in_every_frame(tmp_path):
    single = report(tmp_path, SCENES["withheld"]).seg_of(AX)
    assert len(single.SegmentSequence) == 1
    assert "SegmentIdentificationSequence" not in single.SharedFunctionalGroupsSequence[0]
    for groups in single.PerFrameFunctionalGroupsSequence:
        assert groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1


def test_empty_masks_give_no_segmentation(tmp_path):
    scene = Scene(empty=[(AX, Structure.SPINAL_CORD), (AX, Structure.SPINAL_CANAL)])
    reported = report(tmp_path, scene)
    assert [one.instance.path.name for one in reported.of_kind(ReportKind.SEG)] == ["seg_sagittal_t2.dcm"]


def test_a_second_run_writes_the_same_bytes(plain, tmp_path):
    again = tmp_path / "again"
    build_report(plain.analysis, ReportingConfig(), SOFTWARE, again)
    names = sorted(path.name for path in plain.folder.iterdir())
    assert sorted(path.name for path in again.iterdir()) == names
    for name in names:
        assert (again / name).read_bytes() == (plain.folder / name).read_bytes(), name


def test_poor_headers_of_the_source_do_not_spoil_the_results(tmp_path):
    analysis = synthetic_analysis(tmp_path / "study", Scene(sagittal=replace(SAGITTAL, slices=2), axial=None))
    volume = analysis.series_by_role[SAG].volume
    for source in volume.sources:
        data_set = dcmread(source.instance.path)
        for keyword in ("FrameOfReferenceUID", "SliceThickness", "SpacingBetweenSlices", "StudyTime", "StudyID", "Manufacturer"):
            delattr(data_set, keyword)
        data_set.AccessionNumber, data_set.PatientSex = None, "U"
        birth = Tag("PatientBirthDate")
        data_set[birth] = RawDataElement(birth, "DA", 10, b"1970.01.01", 0, False, True)
        data_set.Laterality = ""
        data_set.save_as(source.instance.path)
    poor = replace(analysis.series_by_role[SAG], volume=replace(volume, frame_of_reference_uid=""))
    objects = build_report(replace(analysis, series_by_role={SAG: poor}), ReportingConfig(), SOFTWARE, tmp_path / "report")
    assert [one.kind for one in objects][:2] == [ReportKind.SEG, ReportKind.SR]
    for one in with_fallbacks(objects):
        # what is left is that Study ID and Study Time, empty in the source, are empty
        assert [line for line in dciodvfy_complaints(one.instance.path) if "to build DICOMDIR" not in line] == []
    assert dcmread(objects[0].instance.path).FrameOfReferenceUID.startswith("2.25.")


VALID_NAMES = {
    "UTF-8": ("ISO_IR 192", "Wang^XiaoDong=王^小东".encode()),
    "GB18030": ("GB18030", "Wang^XiaoDong=王^小东".encode("gb18030")),
    "ISO 2022 IR 58": ("\\ISO 2022 IR 58", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab"),
    "ISO 2022 IR 87": ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
    "ISO 2022 IR 13 and 87": (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
    ),
    "ISO 2022 IR 149": ("\\ISO 2022 IR 149", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"),
    "Latin-1": ("ISO_IR 100", "Müller^Jörg".encode("latin-1")),
}
#: What scanners send all the same; the result must not be worse than its source.
INVALID_NAMES = {
    "GBK with a byte that is a backslash": ("GBK", "Yi^A=乗^誠".encode("gbk")),
    "GBK without a declaration": ("", "Wang^XiaoDong=王^小东".encode("gbk")),
}


@pytest.fixture(scope="module")
def small_analysis(tmp_path_factory):
    scene = Scene(sagittal=replace(SAGITTAL, slices=1), axial=None)
    return synthetic_analysis(tmp_path_factory.mktemp("names"), scene)


@pytest.mark.parametrize("name", [*VALID_NAMES, *INVALID_NAMES])
def test_the_name_of_the_patient_is_kept_byte_for_byte(name, small_analysis, tmp_path):
    character_set, stored_name = {**VALID_NAMES, **INVALID_NAMES}[name]
    for source in small_analysis.series_by_role[SAG].volume.sources:
        _rename(source.instance.path, character_set, stored_name)
    objects = build_report(small_analysis, ReportingConfig(), SOFTWARE, tmp_path / "report")
    for one in with_fallbacks(objects):
        result = dcmread(one.instance.path)
        assert result.get_item(Tag("PatientName")).value.rstrip(b" ") == stored_name
        assert _character_set(result) == (character_set or None)
        if name in VALID_NAMES:
            assert dciodvfy_complaints(one.instance.path) == []
            assert one.kind not in DOCUMENTS or dsrdump(one.instance.path)[1] == []


def _rename(path, character_set, stored_name):
    """Put bytes as the name into a file, whatever the character set says of them."""
    data_set = dcmread(path)
    data_set.pop("SpecificCharacterSet", None)
    marker = b"X" * (len(stored_name) + len(stored_name) % 2)
    data_set[Tag("PatientName")] = DataElement(Tag("PatientName"), "PN", marker.decode())
    if character_set:
        data_set.SpecificCharacterSet = character_set.split("\\") if "\\" in character_set else character_set
    data_set.save_as(path)
    whole = path.read_bytes()
    assert whole.count(marker) == 1
    path.write_bytes(whole.replace(marker, stored_name + b" " * (len(stored_name) % 2)))


def _character_set(data_set):
    value = data_set.get("SpecificCharacterSet")
    return value if value is None or isinstance(value, str) else "\\".join(value)
