"""A selected series as one volume."""

import numpy as np

from node.domain.errors import Declined, Reason
from node.domain.geometry import VolumeGeometry
from node.domain.image import Volume
from node.domain.study import SelectedSeries
from node.loading.frames import read_frames
from node.loading.stacking import stack


def load_volume(series: SelectedSeries) -> Volume:
    """Return the slices of a series as a volume, ordered along the normal of the stored slices.

    Stored orientation, spacing and size are kept: nothing is resampled. Values are those after RescaleSlope and
    RescaleIntercept; MONOCHROME1 is turned so that high is bright.

    Raises
    ------
    PermanentError
        A file is damaged: ``not_dicom``, ``no_pixels``, ``file_truncated`` or ``pixels_undecodable``, naming the instance.
    Declined
        The images are not one regular stack: ``no_geometry``, ``size_mixed``, ``orientation_mixed``,
        ``frame_of_reference_mixed``, ``slice_duplicated``, ``slice_missing``, ``spacing_unequal``, ``too_few_slices``,
        ``too_many_slices``; or every pixel has one value (``pixels_constant``).
    """
    frames = stack(read_frames(series.series))
    voxels = np.stack([frame.pixels for frame in frames])
    if not float(np.ptp(voxels)) > 0:
        raise Declined(Reason.PIXELS_CONSTANT, f"every pixel of series {series.series.series_instance_uid} has one value")
    return Volume(
        voxels=voxels,
        geometry=VolumeGeometry(tuple(frame.plane for frame in frames)),
        sources=tuple(frame.source for frame in frames),
        frame_of_reference_uid=frames[0].frame_of_reference_uid,
    )
