"""Where an exported slice lies in the patient and in DICOM: the file ``NAME.geometry.json`` beside its picture."""

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from node.domain.geometry import ImagePlane, Points, Spacing
from node.domain.image import Volume
from node.domain.study import SeriesRole

_SUFFIX = ".geometry.json"
_MOST_PIXELS = 8192

_Uid = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)]
_Position = tuple[float, float, float]
_Orientation = tuple[float, float, float, float, float, float]


class SliceGeometry(BaseModel):
    """Geometry and source of one slice; holds no name, number or date of a patient.

    The picture has the pixels of the stored slice, one to one: where ``pixel_spacing_mm`` holds two different numbers, labelme
    shows it stretched, and lengths must be taken in mm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    role: SeriesRole
    study_instance_uid: _Uid
    series_instance_uid: _Uid
    sop_instance_uid: _Uid
    sop_class_uid: _Uid
    frame_number: int | None = Field(ge=1, description="1-based frame of a multi-frame instance; null for a classic one.")
    frame_of_reference_uid: str = Field(max_length=64, description="Empty if the series has none.")
    image_position_patient: _Position = Field(description="Centre of the first pixel, LPS, mm.")
    image_orientation_patient: _Orientation = Field(description="Direction of the rows, then of the columns.")
    pixel_spacing_mm: tuple[float, float] = Field(description="Distance between rows, and between columns.")
    rows: int = Field(ge=1, le=_MOST_PIXELS)
    columns: int = Field(ge=1, le=_MOST_PIXELS)
    window: tuple[float, float] = Field(
        description="Stored values, after rescale, shown as 0 and as 255; in between grey grows with the square root."
    )

    @model_validator(mode="after")
    def _is_a_plane(self) -> Self:
        if self.window[0] >= self.window[1]:
            raise ValueError(f"the window {self.window} is empty")
        _ = self.plane
        return self

    @property
    def plane(self) -> ImagePlane:
        """The slice in patient space."""
        along_row, along_column = np.array(self.image_orientation_patient).reshape(2, 3)
        position = np.array(self.image_position_patient)
        return ImagePlane(position, along_row, along_column, Spacing(*self.pixel_spacing_mm), self.rows, self.columns)


def slice_geometry(role: SeriesRole, volume: Volume, slice_index: int, window: tuple[float, float]) -> SliceGeometry:
    """Return the geometry of one slice of a volume; ``window`` are the stored values shown as 0 and as 255."""
    plane, source = volume.planes[slice_index], volume.sources[slice_index]
    return SliceGeometry(
        role=role,
        study_instance_uid=source.instance.study_instance_uid,
        series_instance_uid=source.instance.series_instance_uid,
        sop_instance_uid=source.instance.sop_instance_uid,
        sop_class_uid=source.instance.sop_class_uid,
        frame_number=source.frame_number,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        image_position_patient=_three(plane.position),
        image_orientation_patient=(*_three(plane.along_row), *_three(plane.along_column)),
        pixel_spacing_mm=(plane.spacing.row_mm, plane.spacing.column_mm),
        rows=plane.rows,
        columns=plane.columns,
        window=window,
    )


def _three(vector: Points) -> _Position:
    first, second, third = map(float, vector)
    return first, second, third


def geometry_path(annotation_path: Path) -> Path:
    """Return the geometry file that belongs to a labelme file."""
    return annotation_path.with_suffix(_SUFFIX)


def is_geometry(path: Path) -> bool:
    """Whether a file is the geometry of a slice by its name."""
    return path.name.endswith(_SUFFIX)


def write_geometry(geometry: SliceGeometry, path: Path) -> None:
    """Write the geometry of a slice."""
    path.write_text(geometry.model_dump_json(indent=2) + "\n", encoding="utf-8")
