"""The Dice that a probability map promises: how much of a mask is sure."""

import numpy as np

from node.config import MeasurementConfig
from node.domain.anatomy import Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.prediction import BORDER_PROBABILITY, Probabilities


def promised_dice(probabilities: Probabilities) -> float:
    """Return the Dice that a mask would reach if each pixel belonged to it as often as its probability says; NaN without a mask.

    It is the soft Dice of the probabilities against their own mask.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    mask = values >= BORDER_PROBABILITY
    return float(2 * values[mask].sum() / (values.sum() + mask.sum())) if mask.any() else float("nan")


def promise_findings(structure: Structure, probabilities: Probabilities, config: MeasurementConfig) -> tuple[Finding, ...]:
    """Return what the probabilities of one slice say against its mask; nothing where there is no mask."""
    promised = promised_dice(probabilities)
    if not promised < config.flag_mask_confidence:
        return ()
    severity = Severity.WITHHOLD if promised < config.minimum_mask_confidence else Severity.FLAG
    name = structure.value.replace("_", " ")
    text = f"the mask of the {name} promises a Dice of {promised:.2f} only, below {config.flag_mask_confidence:g}"
    return (Finding(Reason.MASK_CONFIDENCE_LOW, severity, text),)
