"""The Dice that a probability map promises: how much of a mask is sure."""

import cv2
import numpy as np
import numpy.typing as npt

from node.config import MeasurementConfig
from node.domain.anatomy import Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.prediction import BORDER_PROBABILITY, Probabilities

# Below this a probability is background: over a whole slice its traces would add up to more than the cord.
_TRACE = 0.1
# The four neighbours of a pixel.
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)


def promised_dice(probabilities: Probabilities, region: npt.NDArray[np.bool_] | None = None) -> float:
    """Return the Dice that a mask would reach if each pixel belonged to it as often as its probability says; NaN without a mask.

    Pixels on either side of the border are left out: they are cut by it, so their probability is near 0.5 however sure the model
    is, and the larger the pixels the more of a mask they are.

    Parameters
    ----------
    probabilities
        One slice, [row, column].
    region
        Pixels that count, bool [row, column]; all if None.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    mask = (values >= BORDER_PROBABILITY).astype(np.uint8)
    counted = np.ones(mask.shape, dtype=bool) if region is None else region
    core = (cv2.erode(mask, _CROSS) > 0) & counted
    beyond = (cv2.dilate(mask, _CROSS) == 0) & counted & (values > _TRACE)
    if not core.any():
        return float("nan")
    sure = float(values[core].sum())
    return 2 * sure / (sure + float(core.sum()) + float(values[beyond].sum()))


def promise_findings(
    structure: Structure, probabilities: Probabilities, config: MeasurementConfig, region: npt.NDArray[np.bool_] | None = None
) -> tuple[Finding, ...]:
    """Return what the probabilities of one slice say against its mask; nothing where there is no mask."""
    if np.isnan(probabilities).any():
        text = f"the mask of the {structure.value.replace('_', ' ')} holds probabilities that are not numbers"
        return (Finding(Reason.MASK_CONFIDENCE_LOW, Severity.WITHHOLD, text),)
    promised = promised_dice(probabilities, region)
    if not promised < config.flag_mask_confidence:
        return ()
    severity = Severity.WITHHOLD if promised < config.minimum_mask_confidence else Severity.FLAG
    name = structure.value.replace("_", " ")
    text = f"the mask of the {name} promises a Dice of {promised:.2f} only, below {config.flag_mask_confidence:g}"
    return (Finding(Reason.MASK_CONFIDENCE_LOW, severity, text),)
