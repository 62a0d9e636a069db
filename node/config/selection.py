"""Section ``selection``: which series are used."""

from pydantic import Field

from node.config.section import Section


class SelectionConfig(Section):
    """Which series are used; geometry and timing decide first, text second."""

    minimum_t2_echo_time_ms: float = Field(
        60.0, ge=1, le=1000, description="A T2-weighted spin echo has at least this EchoTime, in ms."
    )
    minimum_t2_repetition_time_ms: float = Field(
        1200.0, ge=1, le=30000, description="A T2-weighted spin echo has at least this RepetitionTime, in ms."
    )
    maximum_plane_angle_deg: float = Field(
        30.0, ge=1, le=44, description="Largest angle between a slice normal and the axis of its plane, in degrees."
    )
    minimum_slices: int = Field(3, ge=1, le=100, description="Fewest slices of a usable series.")
    maximum_slices: int = Field(200, ge=1, le=1000, description="Most slices of a usable series.")
    maximum_pixel_spacing_mm: float = Field(1.6, gt=0, le=5, description="Coarsest in-plane PixelSpacing, in mm.")
    allow_gradient_echo_axial: bool = Field(
        True, description="Accept an axial T2*-weighted gradient echo when there is no axial T2 spin echo."
    )
    allow_derived: bool = Field(False, description="Accept reformatted (DERIVED) series.")
    include_text: tuple[str, ...] = Field((), description="Regular expressions; a series whose texts match one is preferred.")
    exclude_text: tuple[str, ...] = Field((), description="Regular expressions; a series whose texts match one is skipped.")
