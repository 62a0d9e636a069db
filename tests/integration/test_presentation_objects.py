"""GSPS, Key Object Selection and the report of segment volumes through the eyes of DCMTK and Orthanc."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.config import DestinationConfig
from node.delivery import deliver_objects
from node.domain.anatomy import Structure
from node.domain.report import ReportKind
from node.domain.study import SeriesRole
from node.store import open_store
from node.worker import ReportDeliverer
from tests.integration.test_conformant_objects import SCENES, Reported, report
from tests.support.dicom_peers import running_storescp
from tests.support.external import require_tool
from tests.support.orthanc import running_orthanc
from tests.support.validators import dcmpschk_complaints, dsrdump, tid1500_groups

SAG, AX = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2
EVERY_KIND = tuple(ReportKind)


@pytest.fixture(scope="module", params=SCENES)
def reported(request, tmp_path_factory):
    return report(tmp_path_factory.mktemp("reported"), SCENES[request.param])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return report(tmp_path_factory.mktemp("plain"), SCENES["plain"])


def measured_roles(reported: Reported) -> list[SeriesRole]:
    axial = reported.analysis.measurements.axial
    return [SAG] if axial is None or axial.decisive is None else [SAG, AX]


def state_of(reported: Reported, role: SeriesRole) -> Path:
    return reported.folder / f"pr_{role}.dcm"


def test_there_is_one_object_of_each_kind_with_the_number_of_its_series(reported):
    others = [one for one in reported.objects if one.kind not in (ReportKind.SEG, ReportKind.SC)]
    found = [(one.kind, int(dcmread(one.instance.path).SeriesNumber)) for one in others]
    states = [(ReportKind.PR, {SAG: 9350, AX: 9351}[role]) for role in measured_roles(reported)]
    lines = [(ReportKind.SR_LINES, {SAG: 9312, AX: 9314}[role]) for role in measured_roles(reported)]
    assert found == [(ReportKind.SR, 9310), *states, (ReportKind.KO, 9330), *lines, (ReportKind.SR_VOLUMES, 9320)]


def test_dcmtk_passes_every_presentation_state(reported):
    states = reported.of_kind(ReportKind.PR)
    assert len(states) == len(measured_roles(reported))
    for one in states:
        assert dcmpschk_complaints(one.instance.path) == []


def test_dcmtk_prints_the_documents_without_objection(reported):
    (selection,) = reported.of_kind(ReportKind.KO)
    (volumes,) = reported.of_kind(ReportKind.SR_VOLUMES)
    for one, words in ((selection, "Of Interest"), (volumes, "Referenced Segment"), (volumes.fallback, "Referenced Segment")):
        text, objections = dsrdump(one.instance.path)
        assert objections == []
        assert f'"{words}"' in text


def references(data_set: Dataset) -> Iterator[Dataset]:
    """Yield every item that names an instance."""
    if "ReferencedSOPInstanceUID" in data_set:
        yield data_set
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value:
                yield from references(item)


def test_every_reference_is_to_an_instance_of_the_study_and_a_frame_that_it_has(reported):
    sources = [source for series in reported.analysis.series_by_role.values() for source in series.volume.sources]
    frames = {(source.instance.sop_instance_uid, source.frame_number): source.instance for source in sources}
    known = {one.sop_instance_uid: one.sop_class_uid for one in frames.values()}
    known |= {one.instance.sop_instance_uid: one.instance.sop_class_uid for one in reported.objects}
    for kind in (ReportKind.PR, ReportKind.KO, ReportKind.SR_LINES, ReportKind.SR_VOLUMES):
        for one in reported.of_kind(kind):
            found = list(references(dcmread(one.instance.path)))
            assert found
            for item in found:
                assert known[item.ReferencedSOPInstanceUID] == item.ReferencedSOPClassUID
                numbers = item.get("ReferencedFrameNumber")
                for number in [] if numbers is None else np.atleast_1d(numbers):
                    assert (item.ReferencedSOPInstanceUID, int(number)) in frames


def test_the_selection_is_of_the_decisive_slices(reported):
    (selection,) = reported.of_kind(ReportKind.KO)
    named = [
        item.ReferencedSOPSequence[0] for item in dcmread(selection.instance.path).ContentSequence if item.ValueType == "IMAGE"
    ]
    measurements = reported.analysis.measurements
    decisive = {SAG: measurements.sagittal.slice_index}
    if AX in measured_roles(reported):
        decisive[AX] = measurements.axial.decisive.slice_index
    sources = [reported.analysis.series_by_role[role].volume.sources[index] for role, index in decisive.items()]
    found = [(item.ReferencedSOPInstanceUID, item.get("ReferencedFrameNumber")) for item in named[: len(sources)]]
    assert found == [(source.instance.sop_instance_uid, source.frame_number) for source in sources]


def rendered(image: Path, folder: Path, state: Path | None, frame_number: int | None = None) -> tuple[np.ndarray, str]:
    """The picture that DCMTK makes of an image, and what it says of the presentation state."""
    target = folder / "rendered.pgm"
    options = [] if state is None else ["--pstate", state]
    options += [] if frame_number is None else ["--frame", str(frame_number)]
    run = subprocess.run(
        [require_tool("dcmp2pgm"), "--verbose", *options, image, target], capture_output=True, text=True, check=True
    )
    return np.asarray(Image.open(target), dtype=float), run.stdout + run.stderr


def test_the_lines_end_where_the_picture_shows_the_border_of_the_cord(reported, tmp_path):
    volume = reported.analysis.series_by_role[SAG].volume
    by_uid = {(source.instance.sop_instance_uid, source.frame_number): source for source in volume.sources}
    state = dcmread(state_of(reported, SAG))
    checked = 0
    for annotation in state.GraphicAnnotationSequence:
        image = annotation.ReferencedImageSequence[0]
        source = by_uid[image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")]
        picture = None
        for one in annotation.get("GraphicObjectSequence", ()):
            # the straight part of the cord; the other levels are measured between slanting borders
            if one.TrackingID in ("Cord AP C3", "Cord AP C4"):
                picture, _ = rendered(source.instance.path, tmp_path, state_of(reported, SAG), source.frame_number)
                ends = np.array(one.GraphicData).reshape(2, 2)
                borders = np.array([border(picture, ends[n], ends[1 - n]) for n in (0, 1)])
                assert borders == pytest.approx(ends, abs=0.1)
                checked += 1
    assert checked == 2


#: Half-way between cord (400) and cerebrospinal fluid (800) in the window that the source states (centre 500, width 1000).
HALF_WAY = 600 * 255 / 1000


def border(picture, end, other):
    """Where the grey of a picture crosses half-way, along a line and near one of its ends.

    The coordinates are those of presentation states: pixel n reaches from n to n + 1.
    """
    direction = (end - other) / np.linalg.norm(end - other)
    steps = np.arange(-2.0, 2.0, 0.01)
    grey = np.array([between_centres(picture, *(end + step * direction)) for step in steps])
    (crossings,) = np.nonzero(np.diff(grey > HALF_WAY))
    return end + steps[crossings[0]] * direction


def between_centres(picture, x, y):
    column, row = x - 0.5, y - 0.5
    left, top = int(np.floor(column)), int(np.floor(row))
    across, down = column - left, row - top
    upper, lower = picture[top, left : left + 2], picture[top + 1, left : left + 2]
    return (1 - down) * (upper @ (1 - across, across)) + down * (lower @ (1 - across, across))


def test_the_state_leaves_the_picture_as_it_was(plain, tmp_path):
    for role in (SAG, AX):
        (image, *_) = dcmread(state_of(plain, role)).ReferencedSeriesSequence[0].ReferencedImageSequence
        sources = plain.analysis.series_by_role[role].volume.sources
        (path,) = (one.instance.path for one in sources if one.instance.sop_instance_uid == image.ReferencedSOPInstanceUID)
        with_state, said = rendered(path, tmp_path, state_of(plain, role))
        assert np.array_equal(with_state, rendered(path, tmp_path, None)[0])
        assert "presentation pixel spacing" in said


def test_dcmtk_draws_the_lines_on_their_slice_and_on_no_other(plain, tmp_path):
    decisive = plain.analysis.measurements.sagittal.slice_index
    sources = plain.analysis.series_by_role[SAG].volume.sources
    drawn = [len(re.findall(r"type=polyline", rendered(one.instance.path, tmp_path, state_of(plain, SAG))[1])) for one in sources]
    assert drawn[decisive] == 5 + 18 + 2
    assert sum(drawn) == drawn[decisive]


def test_orthanc_stores_every_object(plain, tmp_path):
    with running_orthanc(tmp_path) as orthanc:
        receipt = deliver_objects(orthanc.destination(), "CSPINE", plain.objects)
        assert receipt.is_complete
        assert [one.sent for one in receipt.stored] == list(plain.objects)
        for one in plain.objects:
            assert len(orthanc.find(one.instance.sop_instance_uid)) == 1


@pytest.mark.parametrize("kinds", [("SEG", "SR", "PR"), ("KO",), ("SR_VOLUMES", "PR"), EVERY_KIND])
def test_a_destination_receives_the_kinds_that_it_lists(kinds, plain, tmp_path):
    with running_storescp(tmp_path / "received", []) as peer:
        destination = DestinationConfig.model_validate(peer.model_dump() | {"objects": kinds})
        store = open_store(f"file:{tmp_path / 'store'}")
        outcome = ReportDeliverer("CSPINE", store.commitments).deliver(destination, plain.folder)
    wanted = {one.instance.sop_instance_uid for one in plain.objects if one.kind in kinds}
    assert set(outcome.stored) == wanted
    assert outcome.refused == ()
    assert {dcmread(path).SOPInstanceUID for path in (tmp_path / "received").iterdir()} == wanted


def test_dcmqi_reads_the_volumes_of_the_masks(plain, tmp_path):
    (volumes,) = plain.of_kind(ReportKind.SR_VOLUMES)
    expected = {}
    for role, plane in ((SAG, "SAG T2"), (AX, "AX T2")):
        series = plain.analysis.series_by_role[role]
        row_mm, column_mm = series.volume.geometry.spacing
        for structure, word in ((Structure.SPINAL_CORD, "cord"), (Structure.SPINAL_CANAL, "canal")):
            count = int(series.masks.binary(structure).sum())
            expected[f"Spinal {word} {plane}"] = count * row_mm * column_mm * series.volume.geometry.spacing_between_slices_mm
    for one in (volumes, volumes.fallback):
        groups = tid1500_groups(one.instance.path, tmp_path)
        said = {group["TrackingIdentifier"]: float(group["measurementItems"][0]["value"]) for group in groups}
        assert said == pytest.approx(expected, abs=0.51)
        segs = {dcmread(seg.instance.path).SOPInstanceUID for seg in plain.of_kind(ReportKind.SEG)}
        assert {group["segmentationSOPInstanceUID"] for group in groups} == segs
