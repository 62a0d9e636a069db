"""What can be wrong with a corrected file, and what the person who drew it can do about it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from node.config import MeasurementConfig
from node.domain.anatomy import Structure
from node.domain.errors import Reason
from node.domain.prediction import Keypoint
from node.domain.study import SeriesRole
from node.measurement import sound_keypoints
from tools.labelme.annotation import Annotation
from tools.labelme.coordinates import from_labelme, on_picture
from tools.labelme.document import LANDMARK_LABELS, POINT, POLYGON, STRUCTURE_LABELS, LabelmeDocument, LabelmeShape
from tools.labelme.polygon import crosses_itself

# Of the cord's area; the border of a cord that fills its canal crosses the canal's here and there.
_MOST_OUTSIDE = 0.05
_MISPLACED = (Reason.CORNERS_OUT_OF_ORDER, Reason.VERTEBRA_SIZE_IMPLAUSIBLE)


class Rule(StrEnum):
    """What a file must fulfil, named by how it fails."""

    UNREADABLE = "unreadable"
    GEOMETRY_UNREADABLE = "geometry unreadable"
    PICTURE_UNREADABLE = "picture unreadable"
    SIZE_DIFFERS = "size differs"
    UNKNOWN_LABEL = "unknown label"
    WRONG_SHAPE_TYPE = "wrong shape type"
    WRONG_NUMBER = "wrong number of places"
    CROSSES_ITSELF = "crosses itself"
    OUTSIDE_PICTURE = "outside the picture"
    POINT_TWICE = "point twice"
    POINT_MISSING = "point missing"
    CORNERS_ON_AXIAL = "corners on an axial slice"
    CORNERS_OUT_OF_ORDER = "corners out of order"
    CORD_OUTSIDE_CANAL = "cord outside the canal"


REMEDIES: Mapping[Rule, str] = MappingProxyType(
    {
        Rule.UNREADABLE: "open it in labelme and save it again, or take the exported file",
        Rule.GEOMETRY_UNREADABLE: "put the exported .geometry.json, unchanged, back beside it",
        Rule.PICTURE_UNREADABLE: "put the exported .png, unchanged, back beside it",
        Rule.SIZE_DIFFERS: "draw on the exported picture itself, not on a scaled, cut or turned copy",
        Rule.UNKNOWN_LABEL: "name it cord, canal, or 1 to 20",
        Rule.WRONG_SHAPE_TYPE: "draw cord and canal as polygons, 1 to 20 as points",
        Rule.WRONG_NUMBER: "a polygon has three places and more, a point one; add them or delete the shape",
        Rule.CROSSES_ITSELF: "move or delete the points where the outline crosses itself",
        Rule.OUTSIDE_PICTURE: "move it onto the picture",
        Rule.POINT_TWICE: "delete or rename one of them",
        Rule.POINT_MISSING: "set it, or delete all points if the slice is for masks only",
        Rule.CORNERS_ON_AXIAL: "delete the points: corners belong to sagittal slices",
        Rule.CORNERS_OUT_OF_ORDER: "check names and places: C3 to C7, each AS, AI, PS, PI",
        Rule.CORD_OUTSIDE_CANAL: "move the border of the cord or of the canal",
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule; ``shape`` says where in the file, empty if the file as a whole is meant."""

    rule: Rule
    shape: str
    text: str

    @property
    def remedy(self) -> str:
        """What to do."""
        return REMEDIES[self.rule]

    @property
    def is_gap(self) -> bool:
        """Whether something is only lacking: the rest of the file can be used."""
        return self.rule is Rule.POINT_MISSING

    def __str__(self) -> str:
        return f"{self.shape + ': ' if self.shape else ''}{self.text} ({self.remedy})"


def shape_problems(document: LabelmeDocument) -> Iterator[Problem]:
    """Yield what is wrong with single shapes."""
    for number, shape in enumerate(document.shapes, 1):
        where = f"shape {number} ({shape.label[:20]})"
        yield from (Problem(rule, where, text) for rule, text in _wrong(shape, document.image_height, document.image_width))
    counts = Counter(shape.label for shape in document.shapes if shape.label in LANDMARK_LABELS)
    for label, count in counts.items():
        if count > 1:
            yield Problem(Rule.POINT_TWICE, label, f"the point is there {count} times")


def _wrong(shape: LabelmeShape, rows: int, columns: int) -> Iterator[tuple[Rule, str]]:
    expected = POLYGON if shape.label in STRUCTURE_LABELS else POINT if shape.label in LANDMARK_LABELS else None
    if expected is None:
        yield Rule.UNKNOWN_LABEL, "the label is none of ours"
        return
    if shape.shape_type != expected:
        yield Rule.WRONG_SHAPE_TYPE, f"{shape.shape_type[:20]!r} instead of a {expected}"
        return
    least, most = (3, len(shape.points)) if expected == POLYGON else (1, 1)
    if not least <= len(set(shape.points)) <= most:
        yield (
            Rule.WRONG_NUMBER,
            f"{len(set(shape.points))} different places, {'at least' if most != 1 else 'exactly'} {least} needed",
        )
    elif expected == POLYGON and crosses_itself(from_labelme(shape.points)):
        yield Rule.CROSSES_ITSELF, "the outline crosses itself"
    if outside := int((~on_picture(shape.points, rows, columns)).sum()):
        yield Rule.OUTSIDE_PICTURE, f"{outside} of {len(shape.points)} points lie outside {columns} x {rows}"


def content_problems(annotation: Annotation) -> Iterator[Problem]:
    """Yield what is wrong with sound shapes taken together."""
    if annotation.geometry.role is SeriesRole.SAGITTAL_T2:
        yield from _corner_problems(annotation)
    elif annotation.landmarks:
        yield Problem(Rule.CORNERS_ON_AXIAL, "", f"{len(annotation.landmarks)} corners on an axial slice")
    outside = _share_outside(annotation)
    if outside > _MOST_OUTSIDE:
        yield Problem(Rule.CORD_OUTSIDE_CANAL, "cord", f"{outside:.0%} of the cord lies outside the canal")


def _corner_problems(annotation: Annotation) -> Iterator[Problem]:
    if annotation.landmarks:
        for label, landmark in LANDMARK_LABELS.items():
            if landmark not in annotation.landmarks:
                name = f"{landmark.vertebra} {landmark.corner.value.replace('_', ' ')}"
                yield Problem(Rule.POINT_MISSING, label, f"the {name} corner is not there")
    sure = {one: Keypoint(one, point, 1.0) for one, point in annotation.landmarks.items()}
    _, by_level = sound_keypoints(sure, annotation.geometry.plane, MeasurementConfig())
    for finding in dict.fromkeys(one for found in by_level.values() for one in found):
        if finding.code in _MISPLACED:
            yield Problem(Rule.CORNERS_OUT_OF_ORDER, "corners", finding.message)


def _share_outside(annotation: Annotation) -> float:
    """Return the share of the cord's area outside the canal; on a sagittal slice only between both ends of the canal.

    Above the foramen magnum the cord goes on and the canal does not.
    """
    cord, canal = (annotation.masks.get(one) for one in (Structure.SPINAL_CORD, Structure.SPINAL_CANAL))
    if cord is None or canal is None:
        return 0.0
    outside = np.clip(cord - canal, 0, None)
    if annotation.geometry.role is SeriesRole.SAGITTAL_T2:
        outside = outside[canal.max(axis=1) > 0]
    return float(outside.sum() / max(float(cord.sum()), 1e-6))
