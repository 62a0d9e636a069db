"""Lines and words over the images: what is drawn, where, and that it says what the SR says."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from node.config import ReportingConfig
from node.domain.anatomy import LEVELS, Structure
from node.domain.measurement import Evidence, ReferenceMethod, Verdict
from node.domain.study import SeriesRole
from node.reporting.contrast import contrast_of
from node.reporting.pr import build_pr
from node.reporting.provenance import Provenance, Software
from node.reporting.source import read_source
from node.reporting.sr import graphic_data
from node.reporting.sr_content import groups_of
from node.reporting.uids import derived_uid
from tests.support.analyses import SAGITTAL, SPINE, Scene, synthetic_analysis

SAG, AX = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2


def state_of(analysis, role=SAG, qualification="RESEARCH"):
    settings = ReportingConfig(content_qualification=qualification)
    provenance = Provenance(Software("cspine-node", "1.2.3"), settings, analysis.measurements.models)
    return build_pr(role, analysis, read_source(analysis.series_by_role[role].volume), provenance)


def lines(state):
    """The drawn points by what they are tracked as."""
    return {
        one.TrackingID: (one.TrackingUID, np.array(one.GraphicData).reshape(-1, 2))
        for annotation in state.GraphicAnnotationSequence
        for one in annotation.get("GraphicObjectSequence", ())
    }


def labels(state, layer=None):
    return [
        one
        for annotation in state.GraphicAnnotationSequence
        for one in annotation.get("TextObjectSequence", ())
        if layer in (None, annotation.GraphicLayer)
    ]


def words(state, layer=None):
    return [one.UnformattedTextValue for one in labels(state, layer)]


@pytest.fixture(scope="module")
def sagittal(analysis):
    return state_of(analysis)


@pytest.fixture(scope="module")
def axial(analysis):
    return state_of(analysis, AX)


def test_every_value_that_the_paper_asks_for_is_drawn_where_the_sr_draws_it(analysis, sagittal, axial):
    drawn = {SAG: lines(sagittal), AX: lines(axial)}
    asked = [group for group in groups_of(analysis) if not group.is_alternative]
    assert len(asked) == 2 + 2 * len(LEVELS) + 3
    for group in asked:
        uid, points = drawn[group.place.role][group.name]
        plane = analysis.series_by_role[group.place.role].volume.planes[group.place.evidence.slice_index]
        assert points == pytest.approx(graphic_data(group.place.evidence, plane.rows, plane.columns), abs=1e-4)
        assert uid == derived_uid(analysis.fingerprint, f"SR tracking {group.name}")


def test_a_line_ends_at_the_border_of_the_cord_in_the_patient(analysis, sagittal):
    plane = analysis.series_by_role[SAG].volume.planes[analysis.measurements.sagittal.slice_index]
    for level in LEVELS[::2]:
        _, ((x0, y0), (x1, y1)) = lines(sagittal)[f"Cord AP {level}"]
        # the centre of the first pixel is at (0.5, 0.5), PS3.3 section C.10.5.1.2
        ends = plane.to_patient([(y0 - 0.5, x0 - 0.5), (y1 - 0.5, x1 - 0.5)])
        inwards = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0]) * 0.2
        assert SPINE.in_cord(np.array([ends[0] + inwards, ends[1] - inwards])).all()
        assert not SPINE.in_cord(np.array([ends[0] - inwards, ends[1] + inwards])).any()


def test_the_numbers_are_those_of_the_sr(analysis, sagittal, axial):
    groups = {group.name: group for group in groups_of(analysis)}
    value, *diameters = (number.value for number in groups["MSCC (c3-c7)"].numbers)
    (notes,) = words(sagittal, "AI_NOTES")
    assert f"MSCC {value:.1f} % C5/C6\r\n" in notes
    assert "d_i {:.2f}, d_a {:.2f}, d_b {:.2f} mm".format(*diameters) in notes
    assert f"MSCC {value:.1f} %" in words(sagittal, "AI_RATIOS")
    cord, canal = (groups[f"{word} AP C3"].numbers[0].value for word in ("Cord", "Canal"))
    assert words(sagittal, "AI_LEVELS")[0] == f"C3 {cord:.2f} / {canal:.2f}"
    assert f"cord area {groups['Axial cord'].numbers[0].value:.1f} mm2" in words(axial, "AI_CORD")
    assert f"cord transverse {groups['Axial cord transverse'].numbers[0].value:.2f} mm" in words(axial, "AI_CORD")
    assert "axial slice at C5/C6" in words(axial, "AI_NOTES")[0]


def test_what_is_to_be_reviewed_has_an_asterisk(analysis, sagittal):
    verdicts = {group.name: group.verdict for group in groups_of(analysis)}
    assert verdicts["Cord AP C5/C6"] is Verdict.FLAG
    (row,) = (text for text in words(sagittal, "AI_LEVELS") if text.startswith("C5/C6"))
    assert row.split()[1].endswith("*")
    assert "* to be reviewed" in words(sagittal, "AI_NOTES")[0]


def test_what_is_withheld_has_no_line_and_no_number_but_is_named(withheld):
    state = state_of(withheld)
    for name in ("MSCC (c3-c7)", "MCC (c3-c7)", "Cord AP C5", "Canal AP C4/C5", "C5 corners"):
        assert name not in lines(state), name
    assert [text.split()[0] for text in words(state, "AI_LEVELS")] == ["C3", "C3/C4", "C4", "C6", "C6/C7", "C7"]
    (notes,) = words(state, "AI_NOTES")
    assert "MSCC withheld" in notes.split("\r\n")
    assert "withheld: C4/C5, C5, C5/C6, axial values" in notes.split("\r\n")


def test_a_value_that_was_measured_and_then_withheld_is_not_drawn(analysis):
    measured = analysis.measurements.sagittal
    ratio = measured.ratio(Structure.SPINAL_CORD)
    no_value = {"value": None, "verdict": Verdict.WITHHOLD}
    lost = replace(ratio, ratio=replace(ratio.ratio, **no_value), at_level=replace(ratio.at_level, **no_value))
    levels = [replace(one, cord_ap=replace(one.cord_ap, **no_value)) if one.level == "C4" else one for one in measured.levels]
    assert lost.at_level.evidence
    ratios = {**measured.ratios, (Structure.SPINAL_CORD, ReferenceMethod.C3_C7): lost}
    sagittal = replace(measured, levels=tuple(levels), ratios=ratios)
    state = state_of(replace(analysis, measurements=replace(analysis.measurements, sagittal=sagittal)))
    assert lines(state).keys() & {"MSCC (c3-c7)", "Cord AP C4", "Canal AP C4"} == {"Canal AP C4"}
    (row,) = (text for text in words(state, "AI_LEVELS") if text.startswith("C4 "))
    assert row.startswith("C4 - / ")
    assert "withheld: C4 cord" in words(state, "AI_NOTES")[0].split("\r\n")


def test_a_series_on_which_nothing_was_measured_has_no_lines(withheld, analysis):
    assert state_of(withheld) is not None
    nothing = replace(analysis.measurements, axial=None)
    assert state_of(replace(analysis, measurements=nothing), AX) is None


def test_there_is_one_mscc_and_one_mcc_on_the_images(analysis):
    measured = analysis.measurements.sagittal
    ratio = measured.ratio(Structure.SPINAL_CORD)
    other = measured.slice_index + 1
    moved = replace(ratio.at_level, evidence=(Evidence(other, ratio.at_level.evidence[0].points),))
    worse = replace(measured, worst_slice={Structure.SPINAL_CORD: replace(ratio, at_level=moved)})
    state = state_of(replace(analysis, measurements=replace(analysis.measurements, sagittal=worse)))
    assert [text.split()[0] for text in words(state, "AI_RATIOS")] == ["MCC", "MSCC"]
    (image,) = state.ReferencedSeriesSequence[0].ReferencedImageSequence
    decisive = analysis.series_by_role[SAG].volume.sources[measured.slice_index]
    assert image.ReferencedSOPInstanceUID == decisive.instance.sop_instance_uid


def test_a_level_that_was_measured_on_another_slice_is_drawn_there(analysis):
    measured = analysis.measurements.sagittal
    other = measured.slice_index + 1
    moved = [
        replace(one, cord_ap=replace(one.cord_ap, evidence=(Evidence(other, one.cord_ap.evidence[0].points),)))
        if one.level == "C7"
        else one
        for one in measured.levels
    ]
    sagittal = replace(measured, levels=tuple(moved))
    state = state_of(replace(analysis, measurements=replace(analysis.measurements, sagittal=sagittal)))
    images = [one.ReferencedSOPInstanceUID for one in state.ReferencedSeriesSequence[0].ReferencedImageSequence]
    sources = analysis.series_by_role[SAG].volume.sources
    assert images == [sources[index].instance.sop_instance_uid for index in (measured.slice_index, other)]
    drawn = {
        one.TrackingID: annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID
        for annotation in state.GraphicAnnotationSequence
        for one in annotation.get("GraphicObjectSequence", ())
    }
    assert [drawn[name] for name in ("Canal AP C7", "Cord AP C7")] == images


def box(label):
    return (*label.BoundingBoxTopLeftHandCorner, *label.BoundingBoxBottomRightHandCorner)


@pytest.mark.parametrize("stored", ["as usual", "mirrored"])
def test_words_stand_beside_the_spine_and_not_upon_each_other(stored, tmp_path):
    geometry = replace(SAGITTAL, columns=256, flip_columns=stored == "mirrored")
    analysis = synthetic_analysis(tmp_path, Scene(sagittal=geometry, axial=None))
    state = state_of(analysis)
    boxes = {layer: [box(one) for one in labels(state, layer)] for layer in ("AI_LEVELS", "AI_RATIOS", "AI_CORNERS")}
    for left, top, right, bottom in [one for some in boxes.values() for one in some]:
        assert 0 <= left < right <= 256
        assert 0 <= top < bottom <= 144
    for some in boxes.values():
        edges = sorted((top, bottom) for _, top, _, bottom in some)
        assert all(above[1] <= below[0] + 1e-3 for above, below in pairwise(edges))
    drawn = np.concatenate([points for name, (_, points) in lines(state).items() if " AP " in name])
    behind = [(left, right) for left, _, right, _ in boxes["AI_LEVELS"]]
    before = [(left, right) for left, _, right, _ in boxes["AI_RATIOS"]]
    if stored == "mirrored":
        behind, before = before, behind
    assert min(left for left, _ in behind) > drawn[:, 0].max()
    assert max(right for _, right in before) < drawn[:, 0].min()


def test_every_word_is_ascii_and_research_is_said_first(sagittal, axial):
    for state in (sagittal, axial):
        assert all(text.isascii() for text in words(state))
        (notes,) = words(state, "AI_NOTES")
        assert notes.startswith("AI RESEARCH: not for diagnosis,\r\nnot verified by a person")


def test_a_product_does_not_say_that_it_is_not_for_diagnosis(analysis):
    (notes,) = words(state_of(analysis, qualification="PRODUCT"), "AI_NOTES")
    assert notes.startswith("AI PRODUCT:\r\nnot verified by a person")


def test_every_layer_has_a_colour_and_pixels_keep_their_proportions(sagittal):
    listed = {layer.GraphicLayer: layer for layer in sagittal.GraphicLayerSequence}
    assert {one.GraphicLayer for one in sagittal.GraphicAnnotationSequence} <= listed.keys()
    assert (
        listed["AI_CORD"].GraphicLayerRecommendedDisplayCIELabValue
        != listed["AI_CANAL"].GraphicLayerRecommendedDisplayCIELabValue
    )
    (area,) = sagittal.DisplayedAreaSelectionSequence
    assert [float(one) for one in area.PresentationPixelSpacing] == list(SAGITTAL.pixel_spacing_mm)
    assert (list(area.DisplayedAreaTopLeftHandCorner), list(area.DisplayedAreaBottomRightHandCorner)) == ([1, 1], [100, 144])


def windowed(source, **stated):
    """The source with other values in its headers."""
    for header in source.headers:
        for keyword, value in stated.items():
            setattr(header, keyword, value)
    return source


def test_the_window_is_the_first_that_the_slice_states(analysis):
    volume = analysis.series_by_role[SAG].volume
    contrast = contrast_of(windowed(read_source(volume), WindowCenter=[300, 40], WindowWidth=["700", "80"]), 1)
    assert (contrast.centre, contrast.width, contrast.function, contrast.slope, contrast.intercept) == (300, 700, "LINEAR", 1, 0)


@pytest.mark.parametrize("stated", [{"WindowCenter": None}, {"WindowWidth": "0"}, {"WindowWidth": []}])
def test_no_window_is_made_up(stated, analysis):
    source = windowed(read_source(analysis.series_by_role[SAG].volume), **stated)
    assert contrast_of(source, 1) is None
    provenance = Provenance(Software("cspine-node", "1.2.3"), ReportingConfig(), analysis.measurements.models)
    assert "SoftcopyVOILUTSequence" not in build_pr(SAG, analysis, source, provenance)


def test_a_window_is_stated_with_the_rescale_that_it_belongs_to(analysis):
    source = windowed(read_source(analysis.series_by_role[SAG].volume), RescaleSlope="2.5", RescaleIntercept="-3")
    provenance = Provenance(Software("cspine-node", "1.2.3"), ReportingConfig(), analysis.measurements.models)
    state = build_pr(SAG, analysis, source, provenance)
    assert (float(state.RescaleSlope), float(state.RescaleIntercept), state.RescaleType) == (2.5, -3, "US")
    (window,) = state.SoftcopyVOILUTSequence
    assert (float(window.WindowCenter), float(window.WindowWidth)) == (500, 1000)
