"""What a person drew on one slice, in the words of the node."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from node.domain.anatomy import Landmark, Structure
from node.domain.geometry import PixelPoint, Points, Spacing
from tools.labelme.coordinates import from_labelme
from tools.labelme.document import LANDMARK_LABELS, STRUCTURE_LABELS, LabelmeDocument
from tools.labelme.geometry import SliceGeometry
from tools.labelme.polygon import Cover, union_cover


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """The structures and corners of one slice.

    Parameters
    ----------
    path
        The labelme file.
    masks
        Cover by structure on the pixels of the slice; a structure without a polygon is absent.
    landmarks
        The corners that were set.
    """

    path: Path
    geometry: SliceGeometry
    masks: Mapping[Structure, Cover]
    landmarks: Mapping[Landmark, PixelPoint]

    @property
    def spacing(self) -> Spacing:
        """PixelSpacing of the slice."""
        return Spacing(*self.geometry.pixel_spacing_mm)

    @property
    def picture_path(self) -> Path:
        """The picture that was drawn upon."""
        return picture_path(self.path)


def picture_path(annotation_path: Path) -> Path:
    """Return the picture that belongs to a labelme file."""
    return annotation_path.with_suffix(".png")


def annotation_of(path: Path, document: LabelmeDocument, geometry: SliceGeometry) -> Annotation:
    """Return the annotation that a sound document holds."""
    polygons: dict[Structure, list[Points]] = {}
    landmarks: dict[Landmark, PixelPoint] = {}
    for shape in document.shapes:
        points = from_labelme(shape.points)
        if shape.label in STRUCTURE_LABELS:
            polygons.setdefault(STRUCTURE_LABELS[shape.label], []).append(points)
        else:
            landmarks[LANDMARK_LABELS[shape.label]] = PixelPoint(*map(float, points[0]))
    size = geometry.rows, geometry.columns
    masks = {structure: union_cover(drawn, size) for structure, drawn in polygons.items()}
    return Annotation(path, geometry, masks, landmarks)
