import pytest

from node.domain.anatomy import CORNERS, LEVELS, Corner, Level
from node.domain.errors import Reason
from node.domain.geometry import PixelPoint
from node.domain.measurement import Evidence, Verdict
from node.reporting import codes
from node.reporting.sr import graphic_data
from node.reporting.sr_content import body_outline, groups_of, is_complete


def named(analysis):
    groups = groups_of(analysis)
    assert len({group.name for group in groups}) == len(groups), "viewers merge groups of one tracking identifier"
    return {group.name: group for group in groups}


def values(group):
    return {number.name.value: number.value for number in group.numbers}


def test_a_ratio_comes_with_its_three_diameters_its_level_and_its_method(analysis):
    group = named(analysis)["MSCC (c3-c7)"]
    assert list(values(group)) == ["MSCC", "CORD_DI", "CORD_DA", "CORD_DB"]
    ratio, smallest, above, below = values(group).values()
    assert ratio == pytest.approx((1 - 2 * smallest / (above + below)) * 100, abs=0.1)
    assert group.sites[0] == codes.LEVELS[Level.C5_C6], "the level first: OHIF shows the first site"
    assert group.numbers[0].method.value == "M_C3_C7"
    assert group.level_of_minimum is Level.C5_C6
    assert len(group.place.evidence.points) == 2


def test_every_level_has_a_line_for_cord_and_canal(analysis):
    groups = named(analysis)
    for level in LEVELS:
        for word, code in (("Cord", "CORD_AP"), ("Canal", "CANAL_AP")):
            group = groups[f"{word} AP {level}"]
            assert list(values(group)) == [code]
            assert len(group.place.evidence.points) == 2


def test_the_axial_values_stand_on_the_outline(analysis):
    groups = named(analysis)
    assert list(values(groups["Axial cord"])) == ["42798000", "CORD_CR", "CORD_AREA_PERP"]
    assert len(groups["Axial cord"].place.evidence.points) > 8
    assert list(values(groups["Axial cord AP"])) == ["CORD_AP"]
    assert list(values(groups["Axial cord transverse"])) == ["CORD_TR"]


def test_withheld_values_have_reasons_and_a_mark_and_no_number(withheld):
    groups = named(withheld)
    assert not is_complete(groups.values())
    for name in ("MSCC (c3-c7)", "MCC (c3-c7)", "Cord AP C5", "Cord AP C4/C5", "Axial cord"):
        group = groups[name]
        assert (group.verdict, group.numbers) == (Verdict.WITHHOLD, ()), name
        assert group.findings, name
        (row, left), (same_row, right) = group.place.evidence.points
        assert (row, right - left) == (same_row, 2.0), "a point would become a probe in OHIF"
    assert "C5 corners" not in groups
    assert "C4 corners" in groups


def test_a_level_that_was_not_located_says_what_is_wrong_with_its_corners(withheld):
    sagittal = withheld.measurements.sagittal
    assert "C5" not in {str(one.level) for one in sagittal.levels}
    messages = [finding.message for finding in named(withheld)["Canal AP C5"].findings]
    assert messages[0] == "C5 could not be located"
    assert "the C5 posterior superior corner was not found" in messages
    assert {finding.code for finding in named(withheld)["Canal AP C5"].findings} == {Reason.LEVEL_MISSING}


def test_a_measured_study_is_complete(analysis):
    assert is_complete(groups_of(analysis))


def test_bodies_are_outlined_by_seven_points_in_scoord():
    places = dict(zip(CORNERS, [PixelPoint(0, 0), PixelPoint(10, 0), PixelPoint(0, 8), PixelPoint(10, 8)], strict=True))
    drawn = graphic_data(Evidence(0, body_outline(places)), 100, 100)
    expected = [(0, 0), (4, 0), (8, 0), (8, 10), (4, 10), (0, 10), (0, 0)]
    assert drawn.tolist() == [[x + 0.5, y + 0.5] for x, y in expected]
    assert places[Corner.POSTERIOR_SUPERIOR] == (0, 8)


def test_points_outside_are_drawn_at_the_edge():
    drawn = graphic_data(Evidence(0, (PixelPoint(-3, 5), PixelPoint(120, 5))), 100, 80)
    assert drawn[:, 1].tolist() == pytest.approx([0.0, 100.0])
    assert (drawn[:, 1] < 100).all()
