"""Reading where an instance belongs."""

import tracemalloc
from pathlib import Path

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SegmentationStorage,
)

from node.domain.errors import PermanentError, Reason
from node.store import InstanceHead, read_head
from tests.support.dicom_peers import Uids, dataset_bytes, mr_instance, write_instance


@pytest.mark.parametrize(
    "transfer_syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_the_head_is_read_in_each_encoding(tmp_path: Path, transfer_syntax):
    uids = Uids.new()
    instance = mr_instance(uids, "矢状位 T2")
    path = write_instance(tmp_path / "a.dcm", instance, transfer_syntax)
    assert read_head(path) == InstanceHead(uids.study, uids.series, uids.instance, str(instance.SOPClassUID), "MR", "矢状位 T2")


@pytest.mark.filterwarnings("ignore:Unknown encoding")
@pytest.mark.parametrize(
    ("character_set", "encoded", "expected"),
    [
        ("GB18030", "颈椎".encode("gb18030"), "颈椎"),
        ("ISO_IR 100", b"c\xe9rvical", "cérvical"),
        ("NOT A SET", b"c\xe9rvical", "cérvical"),
        ("", b"SAG T2", "SAG T2"),
    ],
)
def test_the_description_is_read_in_its_character_set(tmp_path: Path, character_set: str, encoded: bytes, expected: str):
    path = write_instance(tmp_path / "a.dcm", mr_instance(description="X" * len(encoded)))
    declared = b"ISO_IR 192"
    padded = character_set.encode().ljust(len(declared))
    path.write_bytes(path.read_bytes().replace(declared, padded).replace(b"X" * len(encoded), encoded))
    assert read_head(path).series_description == expected


def test_only_mr_images_open_a_study(tmp_path: Path):
    kinds = {
        sop_class: read_head(write_instance(tmp_path / "a.dcm", mr_instance(sop_class=sop_class))).is_mr_image
        for sop_class in (EnhancedMRImageStorage, SegmentationStorage)
    }
    assert kinds == {EnhancedMRImageStorage: True, SegmentationStorage: False}


def test_pixels_are_not_read(tmp_path: Path):
    path = write_instance(tmp_path / "a.dcm", mr_instance(rows=64))
    whole = read_head(path)
    path.write_bytes(path.read_bytes()[:-4000])
    assert read_head(path) == whole


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 132, b"\0" * 127 + b"DICM"])
def test_something_else_is_not_dicom(tmp_path: Path, content: bytes):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(PermanentError) as caught:
        read_head(tmp_path / "a")
    assert caught.value.reason is Reason.NOT_DICOM


def test_a_file_that_ends_in_its_header_is_truncated(tmp_path: Path):
    path = write_instance(tmp_path / "a.dcm", mr_instance())
    path.write_bytes(path.read_bytes()[: -len(dataset_bytes(path)) + 40])
    with pytest.raises(PermanentError) as caught:
        read_head(path)
    assert caught.value.reason is Reason.FILE_TRUNCATED


def test_a_uid_that_is_none_is_refused(tmp_path: Path):
    path = write_instance(tmp_path / "a.dcm", mr_instance(Uids("1.2.3", "../../etc", "1.2.4")))
    with pytest.raises(PermanentError) as caught:
        read_head(path)
    assert caught.value.reason is Reason.UID_INVALID


def test_a_deflated_bomb_is_inflated_only_in_part(tmp_path: Path):
    instance = mr_instance()
    instance.add_new(0x00091001, "OB", bytes(64 << 20))  # before the UIDs of study and series
    path = write_instance(tmp_path / "a.dcm", instance, DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    with pytest.raises(PermanentError):
        read_head(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8 << 20
