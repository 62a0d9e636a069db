"""Each rule is broken alone, and each hostile file is told apart from a sound one in words."""

import json

import numpy as np
import pytest
from PIL import Image

from tools.labelme import AnnotationError, read_annotation
from tools.labelme.problems import REMEDIES, Rule
from tools.labelme.reading import inspect_file


def shape(document, label):
    return next(one for one in document["shapes"] if one["label"] == label)


def named(label):
    return lambda document: document["shapes"][0].update(label=label)


def twice(document):
    document["shapes"].append(shape(document, "7"))


def one_missing(document):
    document["shapes"].remove(shape(document, "7"))


def two_corners(document):
    shape(document, "cord")["points"] = shape(document, "cord")["points"][:2]


def a_point_with_two_places(document):
    shape(document, "7")["points"] *= 2
    shape(document, "7")["points"][1] = [3.0, 4.0]


def bow_tie(document):
    shape(document, "canal")["points"] = [[40, 40], [60, 60], [60, 40], [40, 60]]


def beside_the_picture(document):
    shape(document, "1")["points"] = [[document["imageWidth"] + 0.5, 20]]


def exchanged(document):
    upper, lower = shape(document, "9"), shape(document, "10")
    upper["points"], lower["points"] = lower["points"], upper["points"]


def far_away(document):
    points = np.array(shape(document, "cord")["points"])
    shape(document, "cord")["points"] = np.clip(points - [12, 0], 0, None).tolist()


def as_rectangle(document):
    shape(document, "canal")["shape_type"] = "rectangle"


def taller(document):
    document["imageHeight"] += 1


BROKEN = [
    (Rule.UNKNOWN_LABEL, named("Cord")),
    (Rule.UNKNOWN_LABEL, named("21")),
    (Rule.POINT_TWICE, twice),
    (Rule.POINT_MISSING, one_missing),
    (Rule.WRONG_NUMBER, two_corners),
    (Rule.WRONG_NUMBER, a_point_with_two_places),
    (Rule.WRONG_SHAPE_TYPE, as_rectangle),
    (Rule.CROSSES_ITSELF, bow_tie),
    (Rule.OUTSIDE_PICTURE, beside_the_picture),
    (Rule.CORNERS_OUT_OF_ORDER, exchanged),
    (Rule.CORD_OUTSIDE_CANAL, far_away),
    (Rule.SIZE_DIFFERS, taller),
]


@pytest.mark.parametrize(("rule", "change"), BROKEN, ids=[f"{rule}-{change.__name__}" for rule, change in BROKEN])
def test_a_broken_rule_is_named_alone(exported, rule, change):
    path = exported.change(exported.sagittal, change)
    _, problems = inspect_file(path)
    assert {problem.rule for problem in problems} == {rule}
    assert all(problem.text and problem.remedy for problem in problems)


def test_corners_do_not_belong_on_an_axial_slice(exported):
    point = {"label": "3", "points": [[20, 20]], "shape_type": "point"}
    path = exported.change(exported.axial, lambda document: document["shapes"].append(point))
    assert {problem.rule for problem in inspect_file(path)[1]} == {Rule.CORNERS_ON_AXIAL}


def test_a_picture_of_another_size_is_seen(exported):
    picture = exported.sagittal.with_suffix(".png")
    Image.new("L", (10, 12)).save(picture)
    (problem,) = inspect_file(exported.sagittal)[1]
    assert problem.rule is Rule.SIZE_DIFFERS
    assert "10 x 12" in problem.text


@pytest.mark.parametrize("content", [None, b"", b"not a picture"], ids=["missing", "empty", "text"])
def test_a_picture_that_is_none_is_seen(exported, content):
    picture = exported.sagittal.with_suffix(".png")
    picture.unlink() if content is None else picture.write_bytes(content)
    assert [problem.rule for problem in inspect_file(exported.sagittal)[1]] == [Rule.PICTURE_UNREADABLE]


GEOMETRY_CHANGES = {
    "extra": lambda document: document.update(patient_name="X"),
    "uid": lambda document: document.update(sop_instance_uid="1.2/../3"),
    "not perpendicular": lambda document: document.update(image_orientation_patient=[1, 0, 0, 1, 0, 0]),
    "no spacing": lambda document: document.update(pixel_spacing_mm=[0, 0.5]),
    "nan": lambda document: document.update(image_position_patient=[float("nan"), 0, 0]),
    "huge": lambda document: document.update(rows=10**9),
    "empty window": lambda document: document.update(window=[5, 5]),
    "role": lambda document: document.update(role="coronal"),
}


@pytest.mark.parametrize("change", GEOMETRY_CHANGES.values(), ids=GEOMETRY_CHANGES.keys())
def test_a_changed_geometry_is_refused(exported, change):
    exported.change(exported.sagittal.with_suffix(".geometry.json"), change)
    assert Rule.GEOMETRY_UNREADABLE in {problem.rule for problem in inspect_file(exported.sagittal)[1]}


def test_a_missing_geometry_is_seen(exported):
    exported.sagittal.with_suffix(".geometry.json").unlink()
    (problem,) = inspect_file(exported.sagittal)[1]
    assert problem.rule is Rule.GEOMETRY_UNREADABLE


def hostile(**changes):
    sound = {"version": "5.5.0", "flags": {}, "shapes": [], "imagePath": "x.png", "imageData": None}
    return json.dumps(sound | {"imageHeight": 144, "imageWidth": 100} | changes).encode()


def cord(**changes):
    return {"label": "cord", "points": [[1, 1], [5, 1], [3, 5]], "shape_type": "polygon", "flags": {}} | changes


HOSTILE = {
    "empty": b"",
    "not json": b"{",
    "not utf-8": b'{"version": "\xff\xfe"}',
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "nan": hostile(shapes=[cord(points=[[float("nan"), 1], [2, 2], [3, 1]])]),
    "infinite": hostile(shapes=[cord(points=[[float("inf"), 1], [2, 2], [3, 1]])]),
    "three coordinates": hostile(shapes=[cord(points=[[1, 2, 3]] * 3)]),
    "words as points": hostile(shapes=[cord(points="everywhere")]),
    "numbers as words": hostile(shapes=[cord(points=[["1", "2"]] * 3)]),
    "number as label": hostile(shapes=[cord(label=7)]),
    "no points": hostile(shapes=[{"label": "cord", "shape_type": "polygon"}]),
    "huge picture": hostile(imageHeight=10**12),
    "negative picture": hostile(imageWidth=-1),
    "many points": hostile(shapes=[cord(points=[[k % 90, k % 80] for k in range(100_000)])]),
    "many shapes": hostile(shapes=[cord()] * 20_000),
    "shapes missing": b'{"version": "5", "imagePath": "x", "imageHeight": 2, "imageWidth": 2}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_unreadable_in_few_words(exported, content):
    path = exported.beside
    path.write_bytes(content)
    _, problems = inspect_file(path)
    assert {problem.rule for problem in problems} == {Rule.UNREADABLE}
    assert len(problems) <= 6
    assert all(len(str(problem)) < 400 for problem in problems)
    with pytest.raises(AnnotationError, match=path.name):
        read_annotation(path)


def test_what_labelme_adds_is_no_problem(exported):
    def saved_by_labelme(document):
        document.update(version="5.11.4", imageData="iVBORw0KGgo=", flags={"seen": True}, otherTool={"a": 1})
        document["shapes"][0].update(group_id=3, description=None, other=[1])

    assert inspect_file(exported.change(exported.sagittal, saved_by_labelme))[1] == ()


def test_a_file_with_few_corners_is_read_though_it_is_reported(exported):
    path = exported.change(exported.sagittal, one_missing)
    assert len(read_annotation(path).landmarks) == 19


def test_every_rule_has_a_remedy():
    assert set(REMEDIES) == set(Rule)
