"""Classic and Enhanced MR seen as one list of frames: a plane, its pixels after rescale, and its source."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset, FileDataset

from node.dicom_errors import UNREADABLE
from node.domain.errors import Declined, PermanentError, Reason
from node.domain.geometry import ImagePlane, Spacing
from node.domain.identity import InstanceRef
from node.domain.image import FrameSource, Pixels
from node.domain.study import ReceivedSeries
from node.loading.decoders import PixelDecoder
from node.loading.instance import MAXIMUM_PIXELS, StoredValues, decode, open_instance, pixel_count, unreadable

_ORIENTATION = ("PlaneOrientationSequence", "ImageOrientationPatient")
_POSITION = ("PlanePositionSequence", "ImagePositionPatient")
_SPACING = ("PixelMeasuresSequence", "PixelSpacing")
_SLOPE = ("PixelValueTransformationSequence", "RescaleSlope")
_INTERCEPT = ("PixelValueTransformationSequence", "RescaleIntercept")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One plane of a series, whichever way it was stored; pixels after rescale."""

    plane: ImagePlane
    pixels: Pixels
    source: FrameSource
    frame_of_reference_uid: str

    @property
    def key(self) -> tuple[str, int]:
        """What identifies the frame within its study."""
        return self.source.instance.sop_instance_uid, self.source.frame_number or 0


def read_frames(series: ReceivedSeries) -> tuple[Frame, ...]:
    """Return every frame of a series, in the order of SOP Instance UID and frame number.

    Raises
    ------
    PermanentError
        ``not_dicom``, ``no_pixels``, ``file_truncated`` or ``pixels_undecodable``, naming the instance.
    Declined
        ``no_geometry``; ``too_many_slices`` if the series states more pixels than fit into memory.
    """
    frames: list[Frame] = []
    pixels_so_far = 0
    with PixelDecoder() as decoder:
        for instance in sorted(series.instances):
            data_set = open_instance(instance)
            try:
                pixels_so_far += pixel_count(data_set, instance)
                if pixels_so_far > MAXIMUM_PIXELS:
                    what = f"series {series.series_instance_uid} states more than {MAXIMUM_PIXELS} pixels; it is not decoded"
                    raise Declined(Reason.TOO_MANY_SLICES, what)
                frames.extend(_frames_of(data_set, instance, decoder))
            except (OSError, *UNREADABLE) as error:
                raise unreadable(instance, error) from error
    return tuple(frames)


def _frames_of(data_set: FileDataset, instance: InstanceRef, decoder: PixelDecoder) -> list[Frame]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shared = tuple(data_set.get("SharedFunctionalGroupsSequence") or ())[:1]
        per_frame = tuple(data_set.get("PerFrameFunctionalGroupsSequence") or ())
        stored = decode(data_set, instance, decoder)
        if not per_frame and len(stored) == 1:
            return [_frame(data_set, (data_set,), stored[0], FrameSource(instance))]
        if len(per_frame) != len(stored):
            what = f"instance {instance.sop_instance_uid} has {len(stored)} frames but {len(per_frame)} functional groups"
            raise PermanentError(Reason.NO_GEOMETRY, what)
        return [
            _frame(data_set, (own, *shared), values, FrameSource(instance, number))
            for number, (own, values) in enumerate(zip(per_frame, stored, strict=True), start=1)
        ]


def _frame(data_set: FileDataset, places: tuple[Dataset, ...], stored: StoredValues, source: FrameSource) -> Frame:
    try:
        directions = np.array(_numbers(places, _ORIENTATION)).reshape(2, 3)
        row_mm, column_mm = _numbers(places, _SPACING)
        plane = ImagePlane(
            position=np.array(_numbers(places, _POSITION)),
            along_row=directions[0],
            along_column=directions[1],
            spacing=Spacing(row_mm, column_mm),
            rows=stored.shape[0],
            columns=stored.shape[1],
        )
        slope = next(iter(_numbers(places, _SLOPE)), 1.0)
        intercept = next(iter(_numbers(places, _INTERCEPT)), 0.0)
    except (ValueError, TypeError) as error:
        what = f"instance {source.instance.sop_instance_uid} has no usable plane geometry: {error}"
        raise Declined(Reason.NO_GEOMETRY, what) from error
    pixels = np.asarray(stored * slope + intercept, dtype=np.float32)
    return Frame(plane, pixels, source, str(data_set.get("FrameOfReferenceUID") or ""))


def _numbers(places: Iterable[Dataset], attribute: tuple[str, str]) -> tuple[float, ...]:
    macro, keyword = attribute
    for place in places:
        # a classic instance is its own only place and has no macro
        items = place.get(macro) or (place,)
        value = items[0].get(keyword)
        if value is not None:
            return tuple(float(part) for part in value) if isinstance(value, Iterable) else (float(value),)
    return ()
