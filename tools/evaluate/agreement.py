"""How well two sides agree on masks, points and numbers: arrays in, figures out."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd
import pingouin
from scipy import ndimage, stats

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: A corner within this distance of the true one counts as found (PCK).
CORNER_LIMIT_MM = 2.0
_COVERAGE = 0.95
_LEAST_TARGETS = 3
# Normal quantile of the 95 % limits of agreement (Bland and Altman, Lancet 1986, doi:10.1016/S0140-6736(86)90837-8).
_LIMITS = 1.96


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean and sample standard deviation of n values with the 95 % confidence interval of the mean (Student's t).

    NaN where n is too small: the mean of nothing, the deviation and the interval of one value.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float


class IntraclassVariant(StrEnum):
    """Forms of the intraclass correlation coefficient after Shrout and Fleiss 1979, single ratings."""

    ONE_WAY = "ICC(1,1)"
    ABSOLUTE_AGREEMENT = "ICC(2,1)"
    CONSISTENCY = "ICC(3,1)"


@dataclass(frozen=True, slots=True)
class Intraclass:
    """An intraclass correlation coefficient of n targets with its 95 % confidence interval and the P of the F test of 0.

    NaN where it is not defined: fewer than three targets, or no variance.
    """

    variant: IntraclassVariant
    n: int
    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Bias (tested minus reference) with its 95 % interval, standard deviation and 95 % limits of n differences."""

    bias: Mean
    lower_limit: float
    upper_limit: float


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Predictions of one range of confidence: how many, how sure on average, and the share that was right."""

    low: float
    high: float
    n: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Whether confidences are frequencies.

    Parameters
    ----------
    brier
        Mean squared difference between confidence and outcome (Brier 1950); 0 is perfect, 0.25 is a coin.
    expected_calibration_error
        Mean difference between confidence and share right, weighted by bin (Naeini et al., AAAI 2015).
    """

    n: int
    brier: float
    expected_calibration_error: float
    bins: tuple[ReliabilityBin, ...]


def dice(one: Mask, other: Mask) -> float:
    """Return the Dice similarity of two masks of any shape, 0..1; NaN if both are empty."""
    return _share(2 * int((one & other).sum()), int(one.sum()) + int(other.sum()))


def iou(one: Mask, other: Mask) -> float:
    """Return intersection over union of two masks of any shape, 0..1; NaN if both are empty."""
    return _share(int((one & other).sum()), int((one | other).sum()))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def hausdorff95_mm(one: Mask, other: Mask, spacing_mm: Sequence[float], known: Mask | None = None) -> float:
    """Return the 95th percentile Hausdorff distance between the surfaces of two masks, in mm; NaN if either is empty.

    The larger of the two directed 95th percentiles of surface distances. Where the masks are cut off, by the edge of the
    array or of what is known, they have no surface.

    Parameters
    ----------
    one, other
        Masks of one shape, one to three axes.
    spacing_mm
        Distance between the centres of neighbours along each axis.
    known
        Where the masks can be compared; everywhere if None.
    """
    within = np.ones(one.shape, dtype=bool) if known is None else known
    if not (one & within).any() or not (other & within).any():
        return math.nan
    box = ndimage.find_objects(((one | other) & within).astype(np.uint8))[0]
    box = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
    first, second = (_surface(mask[box], within[box]) for mask in (one, other))
    if not first.any() or not second.any():
        return math.nan
    there = ndimage.distance_transform_edt(~second, sampling=spacing_mm)[first]
    back = ndimage.distance_transform_edt(~first, sampling=spacing_mm)[second]
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def _surface(mask: Mask, known: Mask) -> Mask:
    """Return the elements of a mask that have a neighbour outside; nobody knows what lies in the unknown."""
    inner = ndimage.binary_erosion(mask | ~known, border_value=1)
    return np.asarray(mask & known & ~inner)


def within_limit(errors_mm: Sequence[float], limit_mm: float = CORNER_LIMIT_MM) -> float:
    """Return the percentage of correct keypoints: the share 0..1 of errors up to the limit, NaN errors being misses."""
    errors = np.asarray(errors_mm, dtype=np.float64)
    return float((errors <= limit_mm).mean()) if errors.size else math.nan


def mean_of(values: Sequence[float]) -> Mean:
    """Return mean, deviation and interval of the finite values."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size < 2:
        return Mean(finite.size, float(finite[0]) if finite.size else math.nan, math.nan, math.nan, math.nan)
    mean, sd = float(finite.mean()), float(finite.std(ddof=1))
    reach = float(stats.t.ppf((1 + _COVERAGE) / 2, finite.size - 1)) * sd / math.sqrt(finite.size)
    return Mean(finite.size, mean, sd, mean - reach, mean + reach)


def bland_altman(tested: Sequence[float], reference: Sequence[float]) -> BlandAltman:
    """Return bias and limits of agreement of paired values (Bland and Altman 1986)."""
    bias = mean_of(np.subtract(tested, reference).tolist())
    return BlandAltman(bias, bias.mean - _LIMITS * bias.sd, bias.mean + _LIMITS * bias.sd)


def intraclass(ratings: Floats, variant: IntraclassVariant = IntraclassVariant.ABSOLUTE_AGREEMENT) -> Intraclass:
    """Return the intraclass correlation of ratings, shape (targets, judges); NaN where it is not defined.

    Two sides that never saw each other are a sample of all possible ones and shall give the same numbers, not only the same
    order: two-way random effects, absolute agreement, single rating, ICC(2,1), unless another variant is asked for.

    Source
    ------
    Shrout and Fleiss, Psychological Bulletin 1979;86:420-428, doi:10.1037/0033-2909.86.2.420.
    """
    targets = ratings.shape[0]
    if targets < _LEAST_TARGETS or not float(np.ptp(ratings)) > 0:
        return Intraclass(variant, targets, math.nan, math.nan, math.nan, math.nan)
    rows, columns = np.indices(ratings.shape)
    table = pd.DataFrame({"target": rows.ravel(), "judge": columns.ravel(), "rating": ratings.ravel()})
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # pingouin divides by a residual of 0 where the sides agree exactly, and uses what pandas is about to drop
        warnings.simplefilter("ignore")
        found = pingouin.intraclass_corr(table, targets="target", raters="judge", ratings="rating")
    # pingouin lists the three single-rating forms first; their names and that of the interval differ between its versions
    row = found.iloc[list(IntraclassVariant).index(variant)]
    low, high = row.iloc[-1]
    return Intraclass(variant, targets, float(row["ICC"]), float(low), float(high), float(row["pval"]))


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> Reliability:
    """Return how well confidences, 0..1, foretell outcomes, in bins of equal width; empty bins are left out."""
    sure, outcome = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not sure.size:
        return Reliability(0, math.nan, math.nan, ())
    place = np.minimum((sure * bins).astype(np.intp), bins - 1)
    found = tuple(
        ReliabilityBin(k / bins, (k + 1) / bins, int(one.sum()), float(sure[one].mean()), float(outcome[one].mean()))
        for k in range(bins)
        if (one := place == k).any()
    )
    error = sum(one.n * abs(one.confidence - one.right) for one in found) / sure.size
    return Reliability(sure.size, float(np.mean((sure - outcome) ** 2)), error, found)
