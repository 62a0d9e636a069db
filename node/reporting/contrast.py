"""How the source asks to be shown: the window and the rescale of its slices, carried over to a presentation state.

A presentation state without a window means the whole range of stored values (PS3.4 section N.2.1.3), in which MR is nearly black.
So it repeats what each source slice states, and never a window of ours.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from node.domain.image import FrameSource
from node.reporting.references import references_to
from node.reporting.source import SourceSeries, decimal_strings

_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True, slots=True)
class Contrast:
    """The first window of a slice, and the rescale that its values are stated after."""

    centre: float
    width: float
    function: str
    slope: float
    intercept: float


def contrast_of(source: SourceSeries, index: int) -> Contrast | None:
    """Return how a slice asks to be shown; None if it states no usable window."""
    places = tuple(_places(source, source.volume.sources[index]))
    centre, width = (_number(places, "FrameVOILUTSequence", keyword) for keyword in ("WindowCenter", "WindowWidth"))
    slope = _number(places, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _number(places, "PixelValueTransformationSequence", "RescaleIntercept")
    if centre is None or width is None or width < 1:
        return None
    stated = str(_first(places, "FrameVOILUTSequence", "VOILUTFunction") or "")
    return Contrast(centre, width, stated if stated in _FUNCTIONS else "LINEAR", slope or 1.0, intercept or 0.0)


def add_contrast(state: Dataset, source: SourceSeries, slices: Iterable[int]) -> None:
    """Give a presentation state the windows of the slices that it refers to.

    It can hold one rescale only; where theirs differ, or one states no window, contrast is left to the viewer.
    Source: PS3.3 sections C.11.1 and C.11.8.
    """
    by_contrast: dict[Contrast, list[FrameSource]] = {}
    for index in slices:
        contrast = contrast_of(source, index)
        if contrast is None:
            return
        by_contrast.setdefault(contrast, []).append(source.volume.sources[index])
    rescales = {(one.slope, one.intercept) for one in by_contrast}
    if len(rescales) != 1:
        return
    state.SoftcopyVOILUTSequence = Items(_window(one, frames) for one, frames in by_contrast.items())
    slope, intercept = rescales.pop()
    if (slope, intercept) != (1.0, 0.0):
        state.RescaleSlope, state.RescaleIntercept = decimal_strings(np.array([slope, intercept]))
        state.RescaleType = "US"


def _window(contrast: Contrast, frames: Iterable[FrameSource]) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = references_to(frames)
    item.WindowCenter, item.WindowWidth = decimal_strings(np.array([contrast.centre, contrast.width]))
    if contrast.function != "LINEAR":
        item.VOILUTFunction = contrast.function
    return item


def _places(source: SourceSeries, frame: FrameSource) -> Iterator[Dataset]:
    """Yield where a slice may state how it is shown: its own functional groups, the shared ones, or a classic header."""
    header = next(one for one in source.headers if one.SOPInstanceUID == frame.instance.sop_instance_uid)
    if frame.frame_number is None:
        yield header
        return
    yield header.PerFrameFunctionalGroupsSequence[frame.frame_number - 1]
    yield from (header.get("SharedFunctionalGroupsSequence") or ())[:1]


def _first(places: Iterable[Dataset], macro: str, keyword: str) -> object:
    for place in places:
        # a classic header is its own only place and has no macro
        items = place.get(macro) or (place,)
        if (value := items[0].get(keyword)) is not None:
            return value
    return None


def _number(places: Iterable[Dataset], macro: str, keyword: str) -> float | None:
    value = _first(places, macro, keyword)
    try:
        number = float(str(next(iter(value)) if isinstance(value, Iterable) and not isinstance(value, str) else value))
    except (ValueError, StopIteration):
        return None
    return number if math.isfinite(number) else None
