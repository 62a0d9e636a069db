"""The labelme 5 file: its fields, our labels, and its bytes."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from node.domain.anatomy import LANDMARKS, Landmark, Structure

POLYGON, POINT = "polygon", "point"

#: Label of the polygons of a structure.
STRUCTURE_LABELS: Mapping[str, Structure] = MappingProxyType(
    {"cord": Structure.SPINAL_CORD, "canal": Structure.SPINAL_CANAL},
)
#: Labels 1 to 20 of the points, in the order of the paper: C3 to C7, each anterior before posterior, upper before lower corner.
LANDMARK_LABELS: Mapping[str, Landmark] = MappingProxyType({str(number): one for number, one in enumerate(LANDMARKS, 1)})

_VERSION = "5.5.0"
_MOST_SHAPES, _MOST_POINTS, _MOST_PIXELS = 500, 2000, 8192


class _Part(BaseModel):
    # labelme keeps fields that it does not know, and so may other tools that write its format
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False, populate_by_name=True)


class LabelmeShape(_Part):
    """One polygon or point; ``points`` are labelme's (x, y)."""

    label: str = Field(max_length=200)
    points: tuple[tuple[float, float], ...] = Field(max_length=_MOST_POINTS)
    group_id: int | None = None
    description: str | None = ""
    shape_type: str = Field(max_length=200)
    flags: dict[str, bool] | None = Field(default_factory=dict)
    mask: str | None = None


class LabelmeDocument(_Part):
    """The file beside a picture; the picture itself stays outside (``imageData`` is null, and ignored where labelme fills it)."""

    version: str = Field(_VERSION, max_length=200)
    flags: dict[str, bool] | None = Field(default_factory=dict)
    shapes: tuple[LabelmeShape, ...] = Field(max_length=_MOST_SHAPES)
    image_path: str = Field(alias="imagePath", max_length=4096)
    image_data: str | None = Field(None, alias="imageData")
    image_height: int = Field(alias="imageHeight", ge=1, le=_MOST_PIXELS)
    image_width: int = Field(alias="imageWidth", ge=1, le=_MOST_PIXELS)


def write_document(document: LabelmeDocument, path: Path) -> None:
    """Write a document as labelme would."""
    path.write_text(document.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
