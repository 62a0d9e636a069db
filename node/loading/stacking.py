"""Frames in spatial order, or the reason why they are not one regular stack."""

from itertools import groupby

import numpy as np
import numpy.typing as npt

from node.domain.errors import Declined, Reason
from node.loading.frames import Frame

# Planes of one stack differ by rounding of DS values; one degree moves a border by 1.7 mm over 100 mm.
_PARALLEL_COSINE = float(np.cos(np.deg2rad(1.0)))
_SPACING_TOLERANCE = 1e-3
#: Two planes nearer than this are at one position.
_SAME_POSITION_MM = 0.05
#: Unevenness of neighbouring distances that is accepted: the larger of 2 % and 0.1 mm.
_UNEVEN_SHARE = 0.02
_UNEVEN_MM = 0.1


def stack(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Return the frames ordered along their common normal, each position once.

    Raises
    ------
    Declined
        ``too_few_slices``, ``size_mixed``, ``orientation_mixed``, ``frame_of_reference_mixed``, ``slice_duplicated``,
        ``slice_missing`` or ``spacing_unequal``.
    """
    if not frames:
        raise Declined(Reason.TOO_FEW_SLICES, "the series has no image")
    _check_alike(frames)
    _check_parallel(frames)
    ordered = _without_duplicates(sorted(frames, key=lambda frame: (_offset_mm(frame, frames[0]), frame.key)))
    _check_spacing(np.array([_offset_mm(frame, frames[0]) for frame in ordered]))
    return ordered


def _check_alike(frames: tuple[Frame, ...]) -> None:
    sizes = {(frame.plane.rows, frame.plane.columns) for frame in frames}
    spacings = np.array([frame.plane.spacing for frame in frames])
    if len(sizes) > 1 or float(np.ptp(spacings, axis=0).max()) > _SPACING_TOLERANCE:
        raise Declined(Reason.SIZE_MIXED, "the series holds images of different size or pixel spacing")
    if len({frame.frame_of_reference_uid for frame in frames}) > 1:
        raise Declined(Reason.FRAME_OF_REFERENCE_MIXED, "the series holds images of different frames of reference")


def _check_parallel(frames: tuple[Frame, ...]) -> None:
    first = frames[0].plane
    along = min(float(frame.plane.along_row @ first.along_row) for frame in frames)
    down = min(float(frame.plane.along_column @ first.along_column) for frame in frames)
    if min(along, down) < _PARALLEL_COSINE:
        raise Declined(Reason.ORIENTATION_MIXED, "the slices of the series are not parallel")


def _without_duplicates(ordered: list[Frame]) -> tuple[Frame, ...]:
    places = _places(ordered)
    kept = tuple(place[0] for place in places)
    _check_copies(kept)
    crowded = [place for place in places if len({frame.pixels.tobytes() for frame in place}) > 1]
    if not crowded:
        return kept
    if len(crowded) == len(places) > 1 and len({len(place) for place in places}) == 1:
        what = f"every position occurs {len(places[0])} times: several echoes or acquisitions in one series"
    else:
        what = f"{len(crowded)} of {len(places)} positions hold different images"
    raise Declined(Reason.SLICE_DUPLICATED, what)


def _check_copies(kept: tuple[Frame, ...]) -> None:
    """Refuse one image at two positions: noise alone tells any two slices apart.

    An image half of one value is drawn or padded and has too little noise; a series that is one image throughout is a test.
    """
    if len({frame.pixels.tobytes() for frame in kept}) == len(kept):
        return
    images = [frame.pixels.tobytes() for frame in kept if float(np.mean(frame.pixels == np.median(frame.pixels))) < 0.5]
    different = len(set(images))
    if 1 < different < len(images):
        copies = len(images) - different
        what = f"{copies} images of the series are copies of an image at another position; send the series again from its source"
        raise Declined(Reason.SLICE_DUPLICATED, what)


def _places(ordered: list[Frame]) -> list[list[Frame]]:
    offsets = np.array([_offset_mm(frame, ordered[0]) for frame in ordered])
    numbers = np.concatenate([[0], np.cumsum(np.diff(offsets) > _SAME_POSITION_MM)])
    pairs = zip(numbers.tolist(), ordered, strict=True)
    return [[frame for _, frame in group] for _, group in groupby(pairs, key=lambda pair: pair[0])]


def _check_spacing(offsets_mm: npt.NDArray[np.float64]) -> None:
    if len(offsets_mm) < 2:
        return
    distances_mm = np.diff(offsets_mm)
    usual_mm = float(np.median(distances_mm))
    tolerance_mm = max(_UNEVEN_SHARE * usual_mm, _UNEVEN_MM)
    wrong_mm = distances_mm[np.abs(distances_mm - usual_mm) > tolerance_mm]
    if not len(wrong_mm):
        return
    multiples = np.round(wrong_mm / usual_mm)
    if (multiples >= 2).all() and (np.abs(wrong_mm - multiples * usual_mm) <= multiples * tolerance_mm).all():
        missing = int((multiples - 1).sum())
        raise Declined(
            Reason.SLICE_MISSING, f"{missing} slices are missing: a distance of {wrong_mm.max():.2f} mm among {usual_mm:.2f}"
        )
    what = f"slices are {distances_mm.min():.2f} to {distances_mm.max():.2f} mm apart"
    raise Declined(Reason.SPACING_UNEQUAL, what)


def _offset_mm(frame: Frame, first: Frame) -> float:
    return float(first.plane.distance_mm(frame.plane.position))
