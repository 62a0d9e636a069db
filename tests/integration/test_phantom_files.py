"""The phantom's files: valid DICOM, equal in every encoding, and chosen and loaded by the node."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from node.config import SelectionConfig
from node.domain.errors import PermanentError, Reason
from node.domain.study import SeriesRole
from node.loading import load_volume
from node.selection import select_series
from tests.support.external import require_tool
from tests.support.hostile_files import SmallSeries, selected, write_small_series
from tests.support.phantom_study import SMALL, SMALL_AXIAL, SMALL_SAGITTAL, received_study
from tools.phantom.series import Encoding
from tools.phantom.study import write_phantom_study

SYNTAXES = [
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
]


@pytest.fixture(scope="module")
def classic(tmp_path_factory):
    return write_phantom_study(tmp_path_factory.mktemp("classic"), SMALL)


@pytest.fixture(scope="module")
def enhanced(tmp_path_factory):
    return write_phantom_study(tmp_path_factory.mktemp("enhanced"), replace(SMALL, encoding=Encoding(enhanced=True)))


def complaints(path):
    """What dciodvfy says of a file, apart from the name of its IOD."""
    run = subprocess.run([require_tool("dciodvfy"), path], capture_output=True, text=True, check=False)
    return [line for line in (run.stdout + run.stderr).splitlines() if line.startswith(("Error", "Warning"))]


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_dciodvfy_finds_nothing(kind, request):
    study = request.getfixturevalue(kind)
    for name, paths in study.paths.items():
        assert complaints(paths[0]) == [], name
        assert complaints(paths[-1]) == [], name


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_the_node_chooses_the_two_t2_series_and_names_the_others(kind, request):
    study = request.getfixturevalue(kind)
    selection = select_series(received_study(study.all_paths), SelectionConfig())
    numbers = {"localizer": 1, "sagittal_t2": 2, "sagittal_t1": 3, "sagittal_stir": 4, "axial_t2": 5}
    uid = {name: study.subject.uid("series", number) for name, number in numbers.items()}
    chosen = {role: one.series.series_instance_uid for role, one in selection.series_by_role.items()}
    assert chosen == {SeriesRole.SAGITTAL_T2: uid["sagittal_t2"], SeriesRole.AXIAL_T2: uid["axial_t2"]}
    assert {series: findings[0].code for series, findings in selection.skipped.items()} == {
        uid["localizer"]: Reason.LOCALIZER,
        uid["sagittal_t1"]: Reason.WRONG_CONTRAST,
        uid["sagittal_stir"]: Reason.FAT_SUPPRESSED,
    }


def test_enhanced_and_classic_are_the_same_volumes(classic, enhanced):
    selections = [select_series(received_study(study.all_paths), SelectionConfig()) for study in (classic, enhanced)]
    for role in SeriesRole:
        one, other = (load_volume(selection.series_by_role[role]) for selection in selections)
        np.testing.assert_array_equal(one.voxels, other.voxels)
        for plane, same in zip(one.planes, other.planes, strict=True):
            np.testing.assert_allclose(plane.position, same.position)
            np.testing.assert_allclose(plane.normal, same.normal)


@pytest.mark.parametrize("enhanced_too", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
def test_every_transfer_syntax_holds_the_same_pixels(tmp_path, syntax, enhanced_too):
    if syntax == JPEGLosslessSV1:
        require_tool("dcmcjpeg")
    plain = SmallSeries(shape=(40, 36), encoding=Encoding(enhanced=enhanced_too))
    encoded = replace(plain, encoding=Encoding(str(syntax), enhanced_too))
    expected = load_volume(selected(write_small_series(tmp_path / "plain", plain)))
    found = load_volume(selected(write_small_series(tmp_path / "encoded", encoded)))
    np.testing.assert_array_equal(found.voxels, expected.voxels)


def test_the_true_masks_lie_on_the_bright_and_grey_of_the_images(classic):
    """CSF is bright and the cord grey on T2: the truth is on the same grid as the pixels."""
    selection = select_series(received_study(classic.all_paths), SelectionConfig())
    for role, chosen in selection.series_by_role.items():
        volume = load_volume(chosen)
        cord, canal = (classic.masks[f"{role.value}_{name}"] for name in ("cord", "canal"))
        in_file_order = np.array([source.instance.path.name for source in volume.sources]).argsort()
        voxels = volume.voxels[in_file_order]
        inside, around = voxels[cord > 0.99].mean(), voxels[(canal > 0.99) & (cord < 0.01)].mean()
        assert around > 1.5 * inside


def test_the_same_settings_give_the_same_bytes(classic, tmp_path):
    again = write_phantom_study(tmp_path, SMALL)
    assert [path.read_bytes() for path in again.all_paths] == [path.read_bytes() for path in classic.all_paths]


def test_the_truth_is_that_of_the_masks(classic):
    """The area of the decisive axial slice, from its true mask."""
    expected = classic.truth.axial
    assert expected is not None
    area_mm2 = classic.masks["axial_t2_cord"][expected.slice_index].sum() * 0.8 * 0.8
    assert expected.ta_mm2 == pytest.approx(area_mm2, rel=0.06)
    assert classic.truth.mscc.value_percent >= SMALL.minimum_mscc_percent


def test_a_turned_and_flipped_study_with_a_chinese_name_is_still_valid(tmp_path):
    settings = replace(
        SMALL,
        sagittal=replace(SMALL_SAGITTAL, rotation_deg=(5.0, 4.0, -8.0), flip_rows=True, flip_columns=True),
        axial=replace(SMALL_AXIAL, rotation_deg=(-12.0, 3.0, 0.0), reverse_slices=True),
        distractors=False,
        patient_name="Zhang^San=张^三",
        specific_character_set="GB18030",
    )
    study = write_phantom_study(tmp_path, settings)
    assert all(complaints(paths[0]) == [] for paths in study.paths.values())
    selection = select_series(received_study(study.all_paths), SelectionConfig())
    assert set(selection.series_by_role) == set(SeriesRole)
    axial = load_volume(selection.series_by_role[SeriesRole.AXIAL_T2])
    assert study.truth.axial is not None
    point = study.truth.narrowest_point
    nearest = axial.sources[axial.geometry.nearest_slice(point)].instance.path
    assert nearest == study.paths["axial_t2"][study.truth.axial.slice_index]


@pytest.mark.parametrize("seed", range(6))
def test_damaged_lossless_jpeg_fails_by_name_and_harms_nothing_else(tmp_path, seed):
    """GDCM, the only decoder for it, ends its process on some of these streams."""
    require_tool("dcmcjpeg")
    encoding = Encoding(str(JPEGLosslessSV1))
    series = write_small_series(tmp_path / "bad", SmallSeries(shape=(40, 36), encoding=encoding))
    path = series.instances[1].path
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    start = content.index(b"\xff\xd8\xff")
    content[start : start + 400 : 3] = rng.integers(0, 256, len(content[start : start + 400 : 3]), dtype=np.uint8).tobytes()
    path.write_bytes(content)
    with pytest.raises(PermanentError, match=series.instances[1].sop_instance_uid) as error:
        load_volume(selected(series))
    assert error.value.reason is Reason.PIXELS_UNDECODABLE
    good = write_small_series(tmp_path / "good", SmallSeries(shape=(40, 36), encoding=encoding))
    assert load_volume(selected(good)).geometry.shape == (3, 40, 36)
