"""Section ``measurement``: the reference method and the limits of the plausibility gate."""

from typing import Literal

from pydantic import Field

from node.config.section import Section


class MeasurementConfig(Section):
    """The reference method and the limits of the plausibility gate."""

    reference: Literal["c3-c7", "adjacent"] = Field(
        "c3-c7", description="Reference of the MSCC and MCC that are reported first: c3-c7 or adjacent."
    )
    layer_step_mm: float = Field(0.25, ge=0.05, le=2, description="Distance between the layers in which widths are taken, in mm.")
    smoothing_mm: float = Field(
        0.75, ge=0, le=5, description="Half-width of the parabola with which borders are smoothed along the cord, in mm."
    )
    minimum_keypoint_confidence: float = Field(0.5, ge=0, le=1, description="Corners below this confidence count as missing.")
    flag_keypoint_confidence: float = Field(
        0.7, ge=0, le=1, description="Corners below this confidence flag the values that use them."
    )
    minimum_mask_confidence: float = Field(
        0.9, ge=0, le=1, description="A mask whose probabilities promise a smaller Dice gives no value."
    )
    flag_mask_confidence: float = Field(
        0.95, ge=0, le=1, description="A mask whose probabilities promise a smaller Dice flags its values."
    )
    maximum_axial_distance_mm: float = Field(
        6.0, ge=0.5, le=50, description="Largest distance between the level of greatest compression and an axial slice, in mm."
    )
    maximum_plane_disagreement_mm: float = Field(
        1.5, ge=0.1, le=20, description="Cord AP diameters of the two planes that differ by more are flagged, in mm."
    )
