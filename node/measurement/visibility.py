"""Whether the border of a pressed cord can be seen at all, where no fluid is left beside it."""

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import LEVELS, Level
from node.domain.errors import Finding, Reason, Severity
from node.domain.image import Volume
from node.measurement.borders import Borders
from node.measurement.sampling import FloatArray, sample

# A cord is pressed where less than this of the width of the canal is left beside it.
_SNUG_MM = 0.6
# Of 31 phantoms the cord was pressed on twelve. Where the signal changed by less than 0.12 of the bright signal for each mm
# across one of its borders at the narrowest place, MSCC was 8 to 29 points too small (three); at 0.12 to 0.16 it was 17 and 2
# points off; on the others it changed by more, and MSCC was within 3 points, once (64 %) within 8, once withheld otherwise.
_WITHHOLD_SLOPE_PER_MM = 0.12
_FLAG_SLOPE_PER_MM = 0.16
_BRIGHT_PERCENTILE = 99.5
# The signal is read this far on both sides of a border, in such steps, as a mean over the layers this near.
_REACH_MM, _STEP_MM, _ALONG_MM = 3.0, 0.25, 1.0


def unseen_border_findings(
    cord: Borders, canal: Borders, volume: Volume, slices: npt.NDArray[np.intp]
) -> dict[Level, tuple[Finding, ...]]:
    """Return by level a finding if the cord fills the canal there and the image shows no edge at its border.

    A disc or a ligament may have the signal of the cord. With fluid between them both can be told apart; without it a
    network guesses, mostly a cord that is too wide.

    Parameters
    ----------
    volume
        The sagittal series.
    slices
        On which slice each layer was measured, shape (n,).
    """
    fluid_mm = canal.widths_mm - cord.widths_mm
    found: dict[Level, tuple[Finding, ...]] = {}
    for level in LEVELS:
        layers = cord.layers.of(level)
        pressed = layers[fluid_mm[layers] < _SNUG_MM]
        if pressed.size == 0:
            continue
        narrowest = int(pressed[np.argmin(cord.widths_mm[pressed])])
        slope_per_mm = _least_slope(cord, volume, slices, narrowest)
        if slope_per_mm < _FLAG_SLOPE_PER_MM:
            severity = Severity.WITHHOLD if slope_per_mm < _WITHHOLD_SLOPE_PER_MM else Severity.FLAG
            text = f"the cord fills the canal at {level} and the image hardly shows its border there: compression may be greater"
            found[level] = (Finding(Reason.CORD_FILLS_CANAL, severity, text),)
    return found


def _least_slope(cord: Borders, volume: Volume, slices: npt.NDArray[np.intp], layer: int) -> float:
    """Return the steepest change of the signal about a layer, in bright signals for each mm; of two borders the lesser."""
    positions_mm = cord.layers.positions_mm
    is_near = (np.abs(positions_mm - positions_mm[layer]) <= _ALONG_MM) & (slices == slices[layer])
    near = np.flatnonzero(is_near & np.isfinite(cord.widths_mm))
    image = volume.voxels[slices[layer]]
    bright = max(float(np.percentile(image, _BRIGHT_PERCENTILE)), 1e-9)
    across_mm = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM / 2, _STEP_MM)
    plane = volume.planes[slices[layer]]

    def slope(border_mm: FloatArray) -> float:
        depths_mm = border_mm[near][:, None] + across_mm
        points = cord.layers.origins[near][:, None, :] + depths_mm[..., None] * cord.layers.normals[near][:, None, :]
        signal = np.mean(sample(image, plane.from_plane_mm(points)), axis=0) / bright
        return float(np.abs(np.diff(signal)).max() / _STEP_MM)

    return min(slope(cord.anterior_mm), slope(cord.posterior_mm))
