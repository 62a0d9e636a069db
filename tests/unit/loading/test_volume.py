"""Series become volumes with the same voxels in the same places, or a coded reason says why not."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from node.domain.errors import Declined, PermanentError, Reason
from node.domain.study import ReceivedSeries
from node.loading import load_volume
from tests.support.hostile_files import (
    AXIAL,
    SmallSeries,
    change_file,
    selected,
    small_pixels,
    small_planes,
    spoil_pixels,
    truncate,
    write_small_series,
)
from tools.phantom.series import Encoding

SERIES = SmallSeries(slices=5)
NATIVE_BYTES = 12 * 10 * 2


def declined(series):
    with pytest.raises(Declined) as error:
        load_volume(selected(series))
    return error.value


def failed(series):
    with pytest.raises(PermanentError) as error:
        load_volume(selected(series))
    return error.value


def without(series, *indices):
    kept = tuple(one for index, one in enumerate(series.instances) if index not in indices)
    return ReceivedSeries(series.series_instance_uid, kept)


def with_positions(folder, positions_mm):
    """A sagittal series whose slices lie at the given places."""
    series = replace(SERIES, slices=len(positions_mm))
    return write_small_series(folder, series, {"ImagePositionPatient": lambda index: [f"{positions_mm[index]:.4f}", "-20", "30"]})


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_slices_are_stacked_along_their_normal(tmp_path, enhanced, reverse):
    series = replace(SERIES, axes=AXIAL, spacing_mm=-3.3 if reverse else 3.3, encoding=Encoding(enhanced=enhanced))
    volume = load_volume(selected(write_small_series(tmp_path, series)))
    order = slice(None, None, -1) if reverse else slice(None)
    np.testing.assert_array_equal(volume.voxels, np.stack(small_pixels(series))[order])
    for plane, written in zip(volume.planes, small_planes(series)[order], strict=True):
        np.testing.assert_allclose(plane.position, written.position, atol=1e-6)
        np.testing.assert_allclose(plane.normal, written.normal, atol=1e-6)
    assert volume.geometry.spacing_between_slices_mm == pytest.approx(3.3)
    assert volume.frame_of_reference_uid == series.subject.uid("frame of reference")
    frames = [source.frame_number for source in volume.sources]
    assert frames == ([5, 4, 3, 2, 1] if enhanced and reverse else [1, 2, 3, 4, 5] if enhanced else [None] * 5)


def test_the_order_of_the_files_does_not_matter(tmp_path):
    series = write_small_series(tmp_path, SERIES)
    shuffled = ReceivedSeries(series.series_instance_uid, series.instances[3:] + series.instances[:3])
    first, second = load_volume(selected(series)), load_volume(selected(shuffled))
    assert first.sources == second.sources
    np.testing.assert_array_equal(first.voxels, second.voxels)


def test_each_slice_knows_its_instance(tmp_path):
    series = write_small_series(tmp_path, SERIES)
    volume = load_volume(selected(series))
    for source, voxels in zip(volume.sources, volume.voxels, strict=True):
        np.testing.assert_array_equal(dcmread(source.instance.path).pixel_array, voxels)


def test_one_slice_is_a_volume(tmp_path):
    volume = load_volume(selected(write_small_series(tmp_path, replace(SERIES, slices=1))))
    assert volume.geometry.shape == (1, 12, 10)


@pytest.mark.parametrize("jitter_mm", [0.09, -0.09])
def test_jitter_of_the_positions_is_accepted(tmp_path, jitter_mm):
    positions = [0.0, 3.3, 6.6 + jitter_mm, 9.9, 13.2]
    assert load_volume(selected(with_positions(tmp_path, positions))).geometry.shape[0] == 5


def test_rescale_is_applied_slice_by_slice(tmp_path):
    changes = {"RescaleSlope": lambda index: str(index + 1), "RescaleIntercept": "-10", "RescaleType": "US"}
    volume = load_volume(selected(write_small_series(tmp_path, SERIES, changes)))
    written = np.stack(small_pixels(SERIES))
    order = [volume.sources.index(source) for source in sorted(volume.sources, key=lambda one: one.instance.path)]
    for index in range(5):
        np.testing.assert_allclose(volume.voxels[order[index]], written[index] * (index + 1) - 10)


PIXEL_KINDS = {
    "8 bit": ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, np.uint8, lambda values: values),
    "16 bit": ({"BitsStored": 16, "HighBit": 15}, np.uint16, lambda values: values),
    "signed": ({"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1}, np.int16, lambda values: values),
    "signed 12 bit": ({"PixelRepresentation": 1}, np.int16, lambda values: values),
    "inverted": ({"PhotometricInterpretation": "MONOCHROME1"}, np.uint16, lambda values: 4095 - values),
    "inverted signed": (
        {"PhotometricInterpretation": "MONOCHROME1", "PixelRepresentation": 1},
        np.int16,
        lambda values: -1 - values,
    ),
}


@pytest.mark.parametrize(("changes", "kind", "expected"), PIXEL_KINDS.values(), ids=PIXEL_KINDS.keys())
def test_stored_values_are_read_as_their_header_says(tmp_path, changes, kind, expected):
    lowest = -120 if np.issubdtype(kind, np.signedinteger) else 0
    values = np.random.default_rng(1).integers(lowest, 120, (12, 10)).astype(kind)
    series = write_small_series(tmp_path, SERIES, {**changes, "PixelData": values.tobytes()})
    volume = load_volume(selected(series))
    assert volume.voxels.dtype == np.float32
    np.testing.assert_array_equal(volume.voxels[2], expected(values.astype(np.float32)))


def test_what_lies_above_the_stored_bits_is_no_signal(tmp_path):
    values = small_pixels(SERIES)[0].astype(np.uint16)
    overlaid = values | np.where(np.arange(10) % 2, 0x8000, 0).astype(np.uint16)
    volume = load_volume(selected(write_small_series(tmp_path, SERIES, {"PixelData": overlaid.tobytes()})))
    np.testing.assert_array_equal(volume.voxels[0], values)


def test_a_missing_slice_is_declined(tmp_path):
    error = declined(without(write_small_series(tmp_path, SERIES), 2))
    assert error.reason is Reason.SLICE_MISSING
    assert "1 slices" in error.message


def test_two_missing_slices_are_counted(tmp_path):
    assert "2 slices" in declined(with_positions(tmp_path, [0.0, 3.3, 6.6, 9.9, 19.8])).message


@pytest.mark.parametrize("positions", [[0.0, 3.3, 6.6, 10.4, 13.2], [0.0, 3.3, 6.6, 9.9, 14.8], [0.0, 3.3, 6.6, 8.0, 12.0]])
def test_unequal_spacing_is_declined(tmp_path, positions):
    assert declined(with_positions(tmp_path, positions)).reason is Reason.SPACING_UNEQUAL


def test_a_slice_sent_twice_is_kept_once(tmp_path):
    series = write_small_series(tmp_path, SERIES)
    copy = replace(series.instances[1], path=tmp_path / "again.dcm")
    copy.path.write_bytes(series.instances[1].path.read_bytes())
    doubled = ReceivedSeries(series.series_instance_uid, (*series.instances, copy))
    assert load_volume(selected(doubled)).geometry.shape[0] == 5


def test_two_images_at_one_position_are_declined(tmp_path):
    positions = [0.0, 3.3, 3.3, 6.6, 9.9]
    error = declined(with_positions(tmp_path, positions))
    assert error.reason is Reason.SLICE_DUPLICATED
    assert "1 of 4" in error.message


def test_two_echoes_in_one_series_are_named(tmp_path):
    error = declined(with_positions(tmp_path, [0.0, 0.0, 3.3, 3.3, 6.6, 6.6]))
    assert error.reason is Reason.SLICE_DUPLICATED
    assert "every position occurs 2 times" in error.message


STRAIGHT = ["0", "1", "0", "0", "0", "-1"]
TILTED = ["0", "0.9848078", "-0.1736482", "0", "-0.1736482", "-0.9848078"]

MIXED = {
    "orientation": ({"ImageOrientationPatient": lambda index: TILTED if index == 3 else STRAIGHT}, Reason.ORIENTATION_MIXED),
    "flipped slice": (
        {"ImageOrientationPatient": lambda index: ["0", "-1" if index == 3 else "1", "0", "0", "0", "-1"]},
        Reason.ORIENTATION_MIXED,
    ),
    "spacing": ({"PixelSpacing": lambda index: [["0.6", "0.6"], ["0.61", "0.61"]][index % 2]}, Reason.SIZE_MIXED),
    "frame of reference": ({"FrameOfReferenceUID": lambda index: f"1.2.{index}"}, Reason.FRAME_OF_REFERENCE_MIXED),
    "no position": ({"ImagePositionPatient": None}, Reason.NO_GEOMETRY),
    "position of two numbers": ({"ImagePositionPatient": ["1", "2"]}, Reason.NO_GEOMETRY),
    "no orientation": ({"ImageOrientationPatient": None}, Reason.NO_GEOMETRY),
    "skew axes": ({"ImageOrientationPatient": ["0", "1", "0", "0", "0.5", "-0.866025"]}, Reason.NO_GEOMETRY),
    "no spacing": ({"PixelSpacing": None}, Reason.NO_GEOMETRY),
    "spacing zero": ({"PixelSpacing": ["0", "0.6"]}, Reason.NO_GEOMETRY),
    "constant": ({"PixelData": b"\7\0" * 120}, Reason.PIXELS_CONSTANT),
    "half the size": ({"Rows": lambda index: 6 if index == 4 else 12}, Reason.SIZE_MIXED),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "reason"), MIXED.values(), ids=MIXED.keys())
def test_what_is_no_stack_is_declined(tmp_path, changes, reason):
    assert declined(write_small_series(tmp_path, SERIES, changes)).reason is reason


def test_an_empty_series_is_declined(tmp_path):
    assert declined(ReceivedSeries(write_small_series(tmp_path, SERIES).series_instance_uid, ())).reason is Reason.TOO_FEW_SLICES


def names_third(series, error):
    return series.instances[2].sop_instance_uid in error.message


def test_a_file_without_pixel_data_fails_by_name(tmp_path):
    series = write_small_series(tmp_path, SERIES)
    change_file(series.instances[2].path, {"PixelData": None})
    error = failed(series)
    assert error.reason is Reason.NO_PIXELS
    assert names_third(series, error)


def test_a_file_that_is_not_dicom_fails_by_name(tmp_path):
    series = write_small_series(tmp_path, SERIES)
    series.instances[2].path.write_bytes(b"\x89PNG not DICOM" * 20)
    error = failed(series)
    assert error.reason is Reason.NOT_DICOM
    assert names_third(series, error)


@pytest.mark.parametrize("syntax", [None, RLELossless])
def test_a_truncated_file_fails_by_name(tmp_path, syntax):
    encoding = Encoding() if syntax is None else Encoding(transfer_syntax_uid=syntax)
    series = write_small_series(tmp_path, replace(SERIES, encoding=encoding))
    path = series.instances[2].path
    path.write_bytes(path.read_bytes()[:-100])
    error = failed(series)
    assert error.reason is Reason.FILE_TRUNCATED
    assert names_third(series, error)


def test_a_file_cut_off_in_its_header_has_no_pixels(tmp_path):
    series = write_small_series(tmp_path, SERIES)
    truncate(series.instances[2].path, 0.3)
    assert failed(series).reason in {Reason.NO_PIXELS, Reason.NOT_DICOM}


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=lambda uid: uid.name)
def test_compressed_pixels_that_do_not_decode_fail_by_name(tmp_path, syntax):
    # OpenJPEG needs an image of 32 pixels
    series = write_small_series(tmp_path, replace(SERIES, shape=(32, 32), encoding=Encoding(transfer_syntax_uid=syntax)))
    spoil_pixels(series.instances[2].path)
    error = failed(series)
    assert error.reason is Reason.PIXELS_UNDECODABLE
    assert names_third(series, error)


def test_a_video_is_undecodable(tmp_path):
    series = write_small_series(tmp_path, replace(SERIES, encoding=Encoding(transfer_syntax_uid=RLELossless)))
    for instance in series.instances:
        content = instance.path.read_bytes()
        instance.path.write_bytes(content.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.9.9.9\0"))
    assert failed(series).reason is Reason.PIXELS_UNDECODABLE


def test_colour_images_are_refused(tmp_path):
    changes = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    assert failed(write_small_series(tmp_path, SERIES, changes)).reason is Reason.PIXELS_UNDECODABLE


def test_a_header_that_promises_too_much_is_refused_before_decoding(tmp_path):
    changes = {"Rows": 65535, "Columns": 65535}
    series = write_small_series(tmp_path, replace(SERIES, encoding=Encoding(transfer_syntax_uid=RLELossless)), changes)
    assert declined(series).reason is Reason.TOO_MANY_SLICES


def test_an_enhanced_instance_with_a_frame_less_than_it_says_fails(tmp_path):
    series = write_small_series(tmp_path, replace(SERIES, encoding=Encoding(enhanced=True)), {"NumberOfFrames": 6})
    assert failed(series).reason is Reason.FILE_TRUNCATED
    series = write_small_series(tmp_path / "b", replace(SERIES, encoding=Encoding(enhanced=True)), {"NumberOfFrames": 4})
    assert failed(series).reason is Reason.NO_GEOMETRY
