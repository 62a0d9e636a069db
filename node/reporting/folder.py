"""The folder of one report: written whole or not at all, read back for delivery.

``report.json`` is its index and is written last; a folder has it exactly if the report is whole. It names the DICOM objects
with their fallbacks, and every file with its SHA-256.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from node.domain.errors import PermanentError, Reason, disk_refused
from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.report import ReportKind, ReportObject

INDEX_NAME = "report.json"
_INDEX_VERSION = 1


class _ObjectEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ReportKind
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    file: str
    fallback: "_ObjectEntry | None" = None


class _Index(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    objects: tuple[_ObjectEntry, ...]
    files: dict[str, str]
    content: str = ""


def write_report(
    out_dir: Path, write_files: Callable[[Path], tuple[ReportObject, ...]], content: str = ""
) -> tuple[ReportObject, ...]:
    """Write a report so that ``out_dir`` holds all of it or is untouched, and return its objects with their final paths.

    A folder that already holds the same report is kept; an earlier report in it is replaced.

    Parameters
    ----------
    write_files
        Writes every file but the index into the folder that it is given, and returns the objects among them.
    content
        What the report was made from: see :func:`report_content`.

    Raises
    ------
    PermanentError
        ``output_folder_in_use`` if ``out_dir`` holds files that are not of a report.
    TransientError
        ``disk_full`` or ``store_failed`` if the disk refuses.
    """
    out_dir = out_dir.absolute()
    _refuse_foreign(out_dir)
    draft = out_dir.parent / f".{out_dir.name}.{uuid.uuid4().hex}"
    try:
        draft.mkdir(parents=True)
        _write_draft(draft, write_files, content)
        _install(draft, out_dir)
    except OSError as error:
        raise disk_refused(f"write the report {out_dir.name}", error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return read_report(out_dir)


def _write_draft(draft: Path, write_files: Callable[[Path], tuple[ReportObject, ...]], content: str) -> None:
    objects = write_files(draft)
    index = _Index(version=_INDEX_VERSION, objects=tuple(map(_entry, objects)), files=_digests(draft), content=content)
    (draft / INDEX_NAME).write_bytes((index.model_dump_json(indent=2) + "\n").encode())
    _synchronise(draft)


def read_report(folder: Path) -> tuple[ReportObject, ...]:
    """Return the objects of a report; none for a declined study.

    Raises
    ------
    PermanentError
        ``report_unreadable`` if the folder holds no whole report.
    """
    index = _read_index(folder)
    if index is None:
        what = f"{folder.name} holds no whole report ({INDEX_NAME} is missing or damaged); analyse the study again"
        raise PermanentError(Reason.REPORT_UNREADABLE, what)
    missing = [name for name in index.files if not (folder / name).is_file()]
    if missing:
        what = f"{folder.name} lacks {', '.join(missing)}; analyse the study again"
        raise PermanentError(Reason.REPORT_UNREADABLE, what)
    return tuple(_object(entry, folder) for entry in index.objects)


def report_content(folder: Path) -> str:
    """Return the digest of what a report was made from; empty if the folder holds no whole report, or an old one."""
    index = _read_index(folder)
    return "" if index is None else index.content


def _read_index(folder: Path) -> _Index | None:
    try:
        return _Index.model_validate_json((folder / INDEX_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def _refuse_foreign(out_dir: Path) -> None:
    """Refuse a folder with files that no report put there: replacing the report would delete them."""
    present = {path.name for path in out_dir.iterdir()} if out_dir.is_dir() else set()
    index = _read_index(out_dir)
    known = {INDEX_NAME, *(index.files if index is not None else ())}
    foreign = sorted(present - known)
    if foreign or out_dir.is_file():
        what = f"{out_dir.name} holds files that are not of a report ({', '.join(foreign[:3])}); choose an empty folder"
        raise PermanentError(Reason.OUTPUT_FOLDER_IN_USE, what)


def _install(draft: Path, out_dir: Path) -> None:
    if _same(draft, out_dir):
        return
    # an empty folder is replaced by the rename itself
    if out_dir.is_dir() and any(out_dir.iterdir()):
        retired = draft.with_name(f"{draft.name}.retired")
        out_dir.rename(retired)
        draft.rename(out_dir)
        shutil.rmtree(retired)
    else:
        draft.rename(out_dir)
    _synchronise_folder(out_dir.parent)


def _same(draft: Path, out_dir: Path) -> bool:
    """Whether a folder holds this very report, undamaged."""
    index = _read_index(out_dir)
    return index is not None and index == _read_index(draft) and index.files == _digests(out_dir)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.iterdir() if path.name != INDEX_NAME)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _entry(one: ReportObject) -> _ObjectEntry:
    return _ObjectEntry(
        kind=one.kind,
        study_instance_uid=one.instance.study_instance_uid,
        series_instance_uid=one.instance.series_instance_uid,
        sop_instance_uid=one.instance.sop_instance_uid,
        sop_class_uid=one.instance.sop_class_uid,
        transfer_syntax_uid=one.transfer_syntax_uid,
        file=one.instance.path.name,
        fallback=None if one.fallback is None else _entry(one.fallback),
    )


def _object(entry: _ObjectEntry, folder: Path) -> ReportObject:
    instance = InstanceRef(
        study_instance_uid=StudyInstanceUID(entry.study_instance_uid),
        series_instance_uid=SeriesInstanceUID(entry.series_instance_uid),
        sop_instance_uid=SOPInstanceUID(entry.sop_instance_uid),
        sop_class_uid=SOPClassUID(entry.sop_class_uid),
        path=folder / entry.file,
    )
    fallback = None if entry.fallback is None else _object(entry.fallback, folder)
    return ReportObject(entry.kind, instance, entry.transfer_syntax_uid, fallback)


def _synchronise(folder: Path) -> None:
    """Force every file of a folder, and the folder, to disk."""
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _synchronise_folder(folder)


def _synchronise_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
