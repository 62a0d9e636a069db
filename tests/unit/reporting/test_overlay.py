from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from node.config import ReportingConfig
from node.domain.anatomy import Structure, Vertebra
from node.domain.geometry import PixelPoint, VolumeGeometry
from node.domain.measurement import Evidence
from node.domain.study import SeriesRole
from node.reporting.canvas import CANAL_COLOUR, CORD_COLOUR, CORNER_COLOUR
from node.reporting.overlay import axial_picture, draw_pictures, pictures_written, sagittal_picture
from node.reporting.page import summary_page
from node.reporting.panel import CANAL_INK, CORD_INK
from node.reporting.provenance import Software
from node.reporting.words import wording
from tests.support.printed import collisions, cut

SIZE = (780, 872)
SAG, AX = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2


def pictures(analysis, folder, **others):
    drawn = {}
    made = {**others, **draw_pictures(analysis)}
    with pictures_written(made, folder):
        pass
    for name in made:
        with Image.open(folder / name) as picture:
            picture.load()
            drawn[name] = picture
    return drawn


def has(picture, colour):
    return bool((np.asarray(picture) == colour).all(axis=-1).any())


def sagittal(analysis, language="en", size=SIZE):
    return sagittal_picture(analysis.series_by_role[SAG], analysis.measurements.sagittal, wording(language), size)


def axial(analysis, language="en", size=(630, 430)):
    return axial_picture(analysis.series_by_role[AX], analysis.measurements.axial.decisive, wording(language), size)


def test_what_was_measured_is_pictured_large_enough_to_read(analysis, tmp_path):
    drawn = pictures(analysis, tmp_path)
    assert list(drawn) == ["sagittal.png", "profile.png", "axial.png"]
    for name, picture in drawn.items():
        assert picture.height >= 1000
        assert has(picture, CORD_INK if name == "profile.png" else CORD_COLOUR)
        assert has(picture, CANAL_INK if name == "profile.png" else CANAL_COLOUR)
        assert not picture.info, "nothing but pixels in the file"
    assert has(drawn["sagittal.png"], CORNER_COLOUR)


def test_the_page_is_written_beside_its_parts(analysis, tmp_path):
    page = summary_page(analysis, ReportingConfig(), Software("cspine-node", "1.2.3"))
    drawn = pictures(analysis, tmp_path, **{"summary.png": page})
    assert list(drawn) == ["summary.png", "sagittal.png", "profile.png", "axial.png"]
    assert (np.asarray(drawn["summary.png"]) == page).all()


def test_a_partial_study_is_pictured_as_far_as_it_goes(withheld, tmp_path):
    assert list(pictures(withheld, tmp_path)) == ["sagittal.png", "profile.png"]


def test_a_picture_that_cannot_be_written_fails_the_report(withheld, tmp_path):
    with pytest.raises(FileNotFoundError), pictures_written(draw_pictures(withheld), tmp_path / "gone"):
        pass


@pytest.mark.parametrize("name", ["sagittal.png", "profile.png"])
def test_the_same_analysis_gives_the_same_picture(name, withheld, tmp_path):
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        pictures(withheld, folder)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("size", [SIZE, (1200, 1200)])
def test_no_word_lies_on_another_or_outside(analysis, withheld, size, language):
    for drawing in (sagittal(analysis, language, size), sagittal(withheld, language, size), axial(analysis, language, size)):
        assert collisions(drawing) == []
        assert cut(drawing) == []


def test_the_three_lines_of_each_ratio_and_the_vertebrae_are_labelled(analysis):
    measured = analysis.measurements.sagittal
    expected = []
    for structure, letter in ((Structure.SPINAL_CORD, "d"), (Structure.SPINAL_CANAL, "D")):
        ratio = measured.ratio(structure)
        for mark, one in (("i", ratio.at_level), ("a", ratio.above), ("b", ratio.below)):
            expected.append(f"{letter}{mark} {one.value:.2f} mm")
    words = [one.words for one in sagittal(analysis).texts]
    assert sorted(words) == sorted([*expected, *Vertebra, *"APSI"])


def test_a_vertebra_that_was_not_found_is_not_labelled(withheld):
    words = {one.words for one in sagittal(withheld).texts}
    assert words == {"C3", "C4", "C6", "C7", *"APSI"}


def read_beside(analysis, shift):
    """Return the analysis with the narrowest cord line read on the slice beside, whose rows begin ``shift`` pixels elsewhere."""
    measured, series = analysis.measurements.sagittal, analysis.series_by_role[SAG]
    narrowest = measured.ratio(Structure.SPINAL_CORD)
    line = narrowest.at_level.evidence[0]
    other = line.slice_index - 1
    planes = list(series.volume.planes)
    offset = shift * planes[other].spacing.column_mm * planes[other].along_row
    planes[other] = replace(planes[other], position=planes[other].position + offset)
    points = tuple(PixelPoint(row, column - shift) for row, column in line.points)
    moved = replace(narrowest, at_level=replace(narrowest.at_level, evidence=(Evidence(other, points),)))
    key = (Structure.SPINAL_CORD, narrowest.reference)
    sagittal = replace(measured, ratios={**measured.ratios, key: moved})
    volume = replace(series.volume, geometry=VolumeGeometry(tuple(planes)))
    return replace(
        analysis,
        measurements=replace(analysis.measurements, sagittal=sagittal),
        series_by_role={**analysis.series_by_role, SAG: replace(series, volume=volume)},
    )


def test_a_line_read_on_the_slice_beside_is_drawn_where_it_lies_and_says_so(analysis):
    drawn, straight = sagittal(read_beside(analysis, 10)), sagittal(analysis)
    assert [one.words for one in drawn.texts if "slice" in one.words] == ["di 4.58 mm (slice 1)"]
    assert (drawn.image == straight.image).all()


@pytest.mark.parametrize("place", ["above", "below"])
def test_labels_of_lines_that_lie_together_stand_apart_and_inside(analysis, place):
    measured = analysis.measurements.sagittal
    crowded = {}
    for key, ratio in measured.ratios.items():
        line = getattr(ratio, place)
        crowded[key] = replace(ratio, at_level=line, above=line, below=line)
    changed = replace(analysis, measurements=replace(analysis.measurements, sagittal=replace(measured, ratios=crowded)))
    drawing = sagittal(changed, size=(500, 300))
    labels = [one for one in drawing.texts if one.words.endswith("mm")]
    assert len(labels) == 6
    drawing.texts[:] = labels
    assert collisions(drawing) == []
    assert cut(drawing) == []


def test_lines_of_the_axial_slice_are_labelled_with_their_values(analysis):
    decisive = analysis.measurements.axial.decisive
    words = [one.words for one in axial(analysis).texts]
    assert words == [f"{decisive.ap.value:.2f} mm", f"{decisive.transverse.value:.2f} mm", *"RLAP"]
