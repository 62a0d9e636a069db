"""How often a corner lies where it is said to be, by the height of its peak: fitted on cases that the model has not seen."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from sklearn.isotonic import IsotonicRegression

from tools.evaluate.agreement import CORNER_LIMIT_MM
from tools.evaluate.results import CaseResult

_BINS = 6
# Corners of a neck whose names are a guess say nothing of heights: their confidence is held down by the naming.
_LEAST_NAMED = 0.5
_MANIFEST = "model.yaml"


def fit_calibration(results: Sequence[CaseResult]) -> dict[str, list[float]]:
    """Return ``heights`` and ``probabilities`` of a rising polyline, as ``calibration`` of a manifest holds them.

    The confidence of an uncalibrated model with ``peak_of_certainty`` 1 is the height of the peak. Corners are put into bins of
    equal number; the share of each bin that lies within 2 mm is made monotone. One right and one wrong corner are added to each
    bin, so that nothing is certain. Below the lowest bin the line falls to 0 at no peak at all: too few corners are that low.

    Raises
    ------
    ValueError
        If there are too few corners of surely named vertebrae.
    """
    cases = [one.corners for one in results if max((c.confidence for c in one.corners), default=0.0) >= _LEAST_NAMED]
    named = [corner for corners in cases for corner in corners if corner.nearest is corner.landmark.vertebra]
    if len(named) < 2 * _BINS:
        raise ValueError(f"{len(named)} corners of surely named vertebrae are too few to calibrate with; give more cases")
    heights = np.array([corner.confidence for corner in named])
    right = np.array([corner.error_mm <= CORNER_LIMIT_MM for corner in named])
    bins = np.array_split(np.argsort(heights), _BINS)
    middles = [float(heights[one].mean()) for one in bins]
    shares = [(right[one].sum() + 1) / (len(one) + 2) for one in bins]
    rising = IsotonicRegression().fit_transform(middles, shares, sample_weight=[len(one) for one in bins])
    return {
        "heights": [0.0, *(round(one, 4) for one in middles)],
        "probabilities": [0.0, *(round(float(one), 4) for one in rising)],
    }


def write_calibration(folder: Path, calibration: dict[str, list[float]]) -> None:
    """Put a calibration into the manifest of a keypoint model."""
    path = folder / _MANIFEST
    fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(fields | {"calibration": calibration}, sort_keys=False, width=120), encoding="utf-8")
