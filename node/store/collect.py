"""Files and folders of any content as studies: what ``analyze`` works on."""

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.tag import BaseTag, Tag

from node.domain.errors import Finding, NodeError, PermanentError, Reason, Severity
from node.domain.identity import InstanceRef, SeriesInstanceUID, StudyInstanceUID
from node.domain.study import ReceivedSeries, ReceivedStudy
from node.store.head import InstanceHead, parse_head

_PIXELS = Tag(0x7FE0, 0x0008)  # first of the pixel data elements: float, double and integer
_UNDEFINED = 0xFFFFFFFF
_SEQUENCE_END = (0xFFFE, 0xE0DD)
_TREE = dict[StudyInstanceUID, dict[SeriesInstanceUID, dict[str, InstanceRef]]]


@dataclass(frozen=True, slots=True)
class CollectedStudies:
    """Studies found in files, and for each file that cannot be used the reason; a path may hold patient data."""

    studies: tuple[ReceivedStudy, ...]
    unusable: tuple[tuple[Path, Finding], ...]


def collect_studies(paths: Iterable[Path]) -> CollectedStudies:
    """Return the studies in files and folders, folders with all that is below them.

    No pixels are read; a DICOMDIR is passed over. Of files with the same SOP Instance UID the first is taken.
    """
    tree: _TREE = {}
    unusable: list[tuple[Path, Finding]] = []
    for path in _files(paths):
        try:
            _add(tree, _whole_instance(path), path)
        except NodeError as error:
            unusable.append((path, Finding(error.reason, Severity.NOTE, error.message)))
        except OSError as error:
            unusable.append((path, Finding(Reason.NOT_DICOM, Severity.NOTE, f"cannot be read: {error.strerror}")))
    studies = tuple(ReceivedStudy(study, tuple(_series(all_series))) for study, all_series in sorted(tree.items()))
    return CollectedStudies(studies, tuple(unusable))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders.sort()
            yield from (Path(folder, name) for name in sorted(names) if name.upper() != "DICOMDIR")


def _add(tree: _TREE, head: InstanceHead, path: Path) -> None:
    instances = tree.setdefault(head.study_instance_uid, {}).setdefault(head.series_instance_uid, {})
    if head.sop_instance_uid in instances:
        raise PermanentError(Reason.SLICE_DUPLICATED, "another file holds the same instance; that one is used")
    instances[head.sop_instance_uid] = InstanceRef(
        head.study_instance_uid, head.series_instance_uid, head.sop_instance_uid, head.sop_class_uid, path
    )


def _series(all_series: dict[SeriesInstanceUID, dict[str, InstanceRef]]) -> Iterator[ReceivedSeries]:
    for series_instance_uid, instances in sorted(all_series.items()):
        yield ReceivedSeries(series_instance_uid, tuple(instances.values()))


def _whole_instance(path: Path) -> InstanceHead:
    """Return the head of a file that reaches to the end of its last element.

    Raises
    ------
    PermanentError
        ``not_dicom``, ``file_truncated`` or ``uid_invalid``.
    """
    if not path.is_file():
        raise PermanentError(Reason.NOT_DICOM, "not a file")
    with path.open("rb") as file:
        extent = _Extent(file, path.stat().st_size)
        head = parse_head(file, extent)
    if extent.overrun:
        raise PermanentError(Reason.FILE_TRUNCATED, "the file ends inside an element; send or copy it again")
    return head


class _Extent:
    """Stops the parser at the pixels, or at the first element that reaches beyond the end of the file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.overrun = False

    def __call__(self, tag: BaseTag, _vr: str | None, length: int) -> bool:
        value_start = self._file.tell()
        if length != _UNDEFINED:
            self.overrun = value_start + length > self._size
        elif tag >= _PIXELS:
            self.overrun = not self._fragments_end()
            self._file.seek(value_start)
        return self.overrun or tag >= _PIXELS

    def _fragments_end(self) -> bool:
        """Return whether the fragments that start here (PS3.5 section A.4) end within the file."""
        while len(item := self._file.read(8)) == 8:
            group, element, length = struct.unpack("<HHL", item)
            if (group, element) == _SEQUENCE_END:
                return True
            self._file.seek(length, os.SEEK_CUR)
        return False
