"""The published ratios: scalars in, scalars out."""

import math


def compression_percent(at_level_mm: float, above_mm: float, below_mm: float) -> float:
    """Return ``[1 - 2 d_i / (d_a + d_b)] x 100``: MSCC for cord diameters, MCC for canal diameters.

    Negative when the structure is wider at the level than at its references; that is legal.

    Parameters
    ----------
    at_level_mm, above_mm, below_mm
        Anteroposterior diameter at the level and at the reference levels, each finite and > 0.

    Raises
    ------
    ValueError
        If a diameter is not finite and positive.

    Source
    ------
    Miyanji et al., Radiology 2007, doi:10.1148/radiol.2433060583.
    """
    _require_positive(at_level_mm, above_mm, below_mm)
    return (1 - 2 * at_level_mm / (above_mm + below_mm)) * 100


def compression_ratio(ap_mm: float, transverse_mm: float) -> float:
    """Return the cord compression ratio: anteroposterior by transverse diameter of the cord on an axial slice.

    Raises
    ------
    ValueError
        If a diameter is not finite and positive.
    """
    _require_positive(ap_mm, transverse_mm)
    return ap_mm / transverse_mm


def _require_positive(*diameters_mm: float) -> None:
    for diameter_mm in diameters_mm:
        if not (math.isfinite(diameter_mm) and diameter_mm > 0):
            raise ValueError(f"a diameter must be finite and positive, got {diameter_mm}")
