"""However the slices of one object are stored, the same patient position holds the same voxel."""

from contextlib import suppress
from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from node.config import SelectionConfig
from node.domain.errors import NodeError
from node.domain.geometry import ImagePlane
from node.domain.study import ReceivedSeries
from node.loading import load_volume
from node.selection import select_series
from tests.support.hostile_files import SmallSeries, received, selected, study_of, write_small_series
from tools.phantom.dicom import write_series
from tools.phantom.series import Acquisition, Encoding, SeriesImages, SliceImage
from tools.phantom.stack import AXIAL_AXES, SAGITTAL_AXES, StackGeometry, stack_planes

SLICES, ROWS, COLUMNS = 4, 7, 6
_NUMBERS = count()


def truth(points):
    """A value that tells every place in the patient: linear, so that half a pixel of error shows."""
    return 2000 + points @ np.array([11.0, 17.0, 23.0])


@settings(max_examples=15, deadline=None)
@given(
    axes=st.sampled_from([SAGITTAL_AXES, AXIAL_AXES]),
    angles=st.tuples(*[st.floats(-25, 25)] * 3),
    flips=st.tuples(*[st.booleans()] * 3),
    pixel_mm=st.tuples(st.floats(0.3, 1.2), st.floats(0.3, 1.2)),
    enhanced=st.booleans(),
    order=st.permutations(range(SLICES)),
)
def test_stored_orientation_flips_and_order_do_not_move_voxels(tmp_path_factory, axes, angles, flips, pixel_mm, enhanced, order):
    geometry = StackGeometry(SLICES, 3.3, 3.0, pixel_mm, ROWS, COLUMNS, angles, *flips)
    planes = stack_planes(np.array([3.0, -12.0, 25.0]), axes, geometry)
    slices = tuple(SliceImage(plane, truth(_centres(plane)).astype(np.float32)) for plane in planes)
    acquisition = Acquisition("T2", 2, repetition_time_ms=3000, echo_time_ms=100)
    small = SmallSeries(encoding=Encoding(enhanced=enhanced))
    folder = tmp_path_factory.mktemp("stored") / str(next(_NUMBERS))
    series = received(small, write_series(folder, small.subject, SeriesImages(slices, 3.0, 3.3, acquisition, small.encoding)))
    instances = series.instances if enhanced else tuple(series.instances[index] for index in order)
    volume = load_volume(selected(ReceivedSeries(series.series_instance_uid, instances)))
    assert volume.geometry.shape == (SLICES, ROWS, COLUMNS)
    assert (np.diff(volume.geometry.offsets_mm) > 3.2).all()
    for plane, voxels in zip(volume.planes, volume.voxels, strict=True):
        np.testing.assert_allclose(voxels, truth(_centres(plane)), atol=0.51)


def _centres(plane: ImagePlane) -> np.ndarray:
    return plane.to_patient(np.stack(np.mgrid[: plane.rows, : plane.columns], axis=-1))


SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEGLSLossless]


@settings(max_examples=60, deadline=None)
@given(
    syntax=st.sampled_from([*SYNTAXES, JPEG2000Lossless]),
    enhanced=st.booleans(),
    spoiled=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    keep=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_a_spoiled_file_never_ends_in_anything_but_a_coded_reason(tmp_path_factory, syntax, enhanced, spoiled, keep):
    small = SmallSeries(shape=(32, 32), encoding=Encoding(str(syntax), enhanced))
    series = write_small_series(tmp_path_factory.mktemp("spoiled"), small)
    path = series.instances[0].path
    content = bytearray(path.read_bytes())
    for place, value in spoiled:
        content[128 + int(place * (len(content) - 128))] = value
    path.write_bytes(content[: int(keep * len(content))])
    with suppress(NodeError):
        select_series(study_of(series), SelectionConfig())
    with suppress(NodeError):
        load_volume(selected(series))
