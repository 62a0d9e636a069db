"""The header of one stored instance, and the attributes of each of its frames, classic or Enhanced."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from node.dicom_errors import UNREADABLE
from node.domain.errors import PermanentError, Reason
from node.domain.identity import InstanceRef

# PixelData, FloatPixelData, DoubleFloatPixelData: PS3.3 section C.7.6.3
_PIXEL_TAGS = frozenset({0x7FE00010, 0x7FE00008, 0x7FE00009})


# No attribute that we look at is longer; the value of a longer one stays on disk.
_LARGEST_VALUE_BYTES = 1 << 24

#: An attribute: where it is in an Enhanced instance (macro sequence, or None for the data set itself) and its keyword.
Attribute = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class FrameScope:
    """Where the attributes of one frame are looked up: its own functional groups, the shared ones, the data set."""

    groups: tuple[Dataset, ...]
    data_set: Dataset

    def values(self, *attributes: Attribute) -> tuple[object, ...]:
        """Return the values of the first attribute that is present and not empty; without one, an empty tuple."""
        for macro, keyword in attributes:
            for place in self._places(macro):
                values = _as_tuple(_value(place, keyword))
                if values:
                    return values
        return ()

    def numbers(self, *attributes: Attribute) -> tuple[float, ...]:
        """Return the numeric values of the first attribute that is present; a value that is no number is left out."""
        return tuple(_numbers(self.values(*attributes)))

    def codes(self, *attributes: Attribute) -> frozenset[str]:
        """Return the values of the first attribute that is present as upper-case codes."""
        return frozenset(str(value).strip().upper() for value in self.values(*attributes)) - {""}

    def _places(self, macro: str | None) -> Iterator[Dataset]:
        if macro is None:
            yield self.data_set
            return
        for group in self.groups:
            yield from _items(group, macro)[:1]


def read_header(instance: InstanceRef) -> tuple[Dataset, bool]:
    """Return the attributes before the pixel data, and whether pixel data follow.

    Raises
    ------
    PermanentError
        ``not_dicom`` if the file cannot be parsed.
    """
    found = False

    def at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        nonlocal found
        found = found or int(tag) in _PIXEL_TAGS
        return found

    try:
        # pydicom warns with the offending value, which may be a patient's
        with warnings.catch_warnings(), instance.path.open("rb") as file:
            warnings.simplefilter("ignore")
            return read_partial(file, stop_when=at_pixels, defer_size=_LARGEST_VALUE_BYTES), found
    except (OSError, *UNREADABLE) as error:
        raise PermanentError(
            Reason.NOT_DICOM,
            f"instance {instance.sop_instance_uid} cannot be read as DICOM ({type(error).__name__}); send it again",
        ) from error


def frame_scopes(data_set: Dataset) -> tuple[FrameScope, ...]:
    """Return one scope for each frame; a classic instance is one frame."""
    shared = _items(data_set, "SharedFunctionalGroupsSequence")[:1]
    per_frame = _items(data_set, "PerFrameFunctionalGroupsSequence")
    if not per_frame:
        return (FrameScope((), data_set),)
    return tuple(FrameScope((own, *shared), data_set) for own in per_frame)


def _items(data_set: Dataset, keyword: str) -> tuple[Dataset, ...]:
    return tuple(item for item in _as_tuple(_value(data_set, keyword)) if isinstance(item, Dataset))


def _value(data_set: Dataset, keyword: str) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return data_set.get(keyword)
    except (OSError, *UNREADABLE):
        # an attribute with a malformed value counts as absent; the criteria then say what is missing
        return None


def _as_tuple(value: object) -> tuple[object, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str | bytes | int | float) or not isinstance(value, Iterable):
        return (value,)
    return tuple(value)


def _numbers(values: Iterable[object]) -> Iterator[float]:
    for value in values:
        try:
            yield float(str(value))
        except ValueError:
            continue
