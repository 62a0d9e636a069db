"""Files that lie and files that are damaged: a coded reason each, and bounded time and memory, in a process of its own."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from node.delivery import send_files
from tests.support.bounded_memory import run_module
from tests.support.dicom_peers import dataset_bytes, mr_instance, running_receiver, write_instance
from tests.support.hostile_files import SmallSeries, write_small_series
from tests.support.hostile_peers import echo
from tests.support.nightly import tell, times
from tools.phantom.series import Encoding

READER = "tests.support.read_files"
#: What reading sound files of this size takes, and a margin; each bomb asks for gigabytes.
MOST_MB = 400


def test_mutated_files_are_read_or_refused_with_a_reason(tmp_path: Path):
    count = times(300, 10_000)
    run = run_module(READER, ["--fuzz", "1", str(count), str(tmp_path)], deadline_s=120 + count / 10)
    tell(
        "mutated files", read=count, peak_mb=round(run.peak_mb), slowest_s=round(run.said["slowest_s"], 2), **run.said["outcomes"]
    )
    assert run.said["crash_count"] == 0, "\n".join(run.said["crashes"])
    assert run.said["outcomes"]["loaded"] > count / 10, "some damage is harmless"
    assert run.said["slowest_s"] < 10
    assert run.peak_mb < MOST_MB


def stated(path: Path, **numbers: int) -> None:
    """Say that an image is larger than it is."""
    instance = dcmread(path)
    for keyword, value in numbers.items():
        setattr(instance, keyword, value)
    instance.save_as(path)


def deflated_bomb(path: Path) -> None:
    """Append a private element of half a gigabyte of zeros, deflated to two megabytes, to a deflated data set."""
    content = path.read_bytes()
    meta = len(content) - len(dataset_bytes(path))
    inflated = zlib.decompress(content[meta:], -zlib.MAX_WBITS)
    deflater = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    with path.open("wb") as file:
        file.write(content[:meta])
        file.write(deflater.compress(inflated + struct.pack("<HH2sHL", 0x7FE1, 0x0010, b"LO", 0, 0)))
        file.write(deflater.compress(struct.pack("<HH2sHL", 0x7FE1, 0x1001, b"OB", 0, 0xFFFFFFF0)))
        for _ in range(32):
            file.write(deflater.compress(bytes(16 << 20)))
        file.write(deflater.flush())


def other_size_in_stream(path: Path) -> None:
    """Let the JPEG stream itself say that it holds an image of 30000 x 30000 pixels."""
    instance = dcmread(path)
    (frame,) = generate_frames(instance.PixelData, number_of_frames=1)
    rows, columns = instance.Rows, instance.Columns
    if frame.startswith(b"\xff\x4f"):
        wide = frame.replace(struct.pack(">2L", columns, rows), struct.pack(">2L", 30000, 30000))
    else:
        wide = frame.replace(struct.pack(">2H", rows, columns), struct.pack(">2H", 30000, 30000), 1)
    assert wide != frame
    instance.PixelData = encapsulate([wide])
    instance.save_as(path)


def run_length_bomb(path: Path) -> None:
    """Let one segment become a gigabyte."""
    instance = dcmread(path)
    segment = b"\x81\x00" * (8 << 20)
    instance.PixelData = encapsulate([struct.pack("<16L", 1, 64, *[0] * 14) + segment])
    instance.BitsAllocated = instance.BitsStored = 8
    instance.HighBit = 7
    instance.save_as(path)


def nested(path: Path) -> None:
    """Put 5000 sequences, each in the one before, in front of the pixels."""
    content = path.read_bytes()
    at = content.rindex(b"\xe0\x7f\x10\x00O")
    opening = struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closing = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    path.write_bytes(content[:at] + opening * 5000 + closing * 5000 + content[at:])


def endless_element(path: Path) -> None:
    """Announce a private value of 4 GB in front of the pixels."""
    content = path.read_bytes()
    at = content.rindex(b"\xe0\x7f\x10\x00O")
    path.write_bytes(content[:at] + struct.pack("<HH2sHL", 0x7001, 0x1001, b"OB", 0, 0xFFFFFFFE) + content[at:])


Bomb = tuple[str, Callable[[Path], None], set[str]]
BOMBS: dict[str, Bomb] = {
    "rows and columns": (
        ExplicitVRLittleEndian, lambda path: stated(path, Rows=65535, Columns=65535), {"too_many_slices", "size_mixed"},
    ),
    "frames": (ExplicitVRLittleEndian, lambda path: stated(path, NumberOfFrames=2**31 - 1), {"too_many_slices"}),
    "frames of a stream": (
        JPEGLSLossless, lambda path: stated(path, NumberOfFrames=100_000), {"too_many_slices", "pixels_undecodable"},
    ),
    "deflated": (DeflatedExplicitVRLittleEndian, deflated_bomb, {"not_dicom"}),
    "JPEG-LS": (JPEGLSLossless, other_size_in_stream, {"pixels_undecodable"}),
    "JPEG 2000": (JPEG2000Lossless, other_size_in_stream, {"pixels_undecodable"}),
    "run length": (RLELossless, run_length_bomb, {"pixels_undecodable"}),
    "nested sequences": (ExplicitVRLittleEndian, nested, {"not_dicom", "loaded"}),
    "endless element": (ExplicitVRLittleEndian, endless_element, {"file_truncated", "no_pixels", "not_dicom"}),
}  # fmt: skip


def test_a_bomb_is_refused_with_a_reason_in_bounded_memory(tmp_path: Path):
    for number, (name, (syntax, spoil, _)) in enumerate(BOMBS.items()):
        small = SmallSeries(number=number, slices=3, shape=(40, 36), encoding=Encoding(str(syntax)))
        series = write_small_series(tmp_path / name, small)
        for instance in series.instances:
            spoil(instance.path)
    run = run_module(READER, [str(tmp_path / name) for name in BOMBS], deadline_s=120)
    tell("bombs", peak_mb=round(run.peak_mb), **run.said)
    assert {name: reason for name, reason in run.said.items() if reason not in BOMBS[name][2]} == {}
    assert run.peak_mb < MOST_MB


def test_a_deflated_bomb_is_refused_at_the_door(tmp_path: Path):
    path = write_instance(tmp_path / "bomb.dcm", mr_instance(), DeflatedExplicitVRLittleEndian)
    deflated_bomb(path)
    with running_receiver(tmp_path / "store") as receiver:
        ((_, problem),) = send_files(receiver.destination(), "SCANNER", [path], lambda _done, _total: None).failed
        assert "0xC000" in problem
        assert receiver.files == []
        assert echo(receiver.port)
