"""What a look for the prior of a study at a PACS came to, so that an analysis that is done again compares with the same report.

::

    <root>/results/<study>/.prior/<analysis>.json    what came of it, written last
    <root>/results/<study>/.prior/<analysis>.dcm     the report, where there was one

It lies beside the results that it was used for, so it is deleted with them.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from node.domain.analysis import PriorLookup
from node.domain.identity import StudyInstanceUID, parse_uid
from node.store.entry import write_entry

_FOLDER = ".prior"


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    unanswered: tuple[str, ...]
    has_report: bool


_ENTRY = TypeAdapter(_Entry)


class KeptPriors:
    """The looks of all analyses under the root of a store."""

    def __init__(self, root: Path) -> None:
        self._results = root / "results"

    def folder(self, study_instance_uid: StudyInstanceUID) -> Path:
        """Return the folder of a study, made if it is not there."""
        folder = self._results / parse_uid(study_instance_uid) / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def kept(self, study_instance_uid: StudyInstanceUID, analysis_id: str) -> PriorLookup | None:
        """Return what the look of an analysis came to; None if there was none that ended."""
        folder = self._results / parse_uid(study_instance_uid) / _FOLDER
        return _read(folder / f"{analysis_id}.json")

    def latest_answered(self, study_instance_uid: StudyInstanceUID, key: str) -> PriorLookup | None:
        """Return the last look of any analysis of a study of this patient that every source answered."""
        entries = sorted(self.folder(study_instance_uid).glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        looks = (_read(path) for path in entries)
        return next((look for look in looks if look is not None and look.key == key and not look.unanswered), None)

    def keep(self, study_instance_uid: StudyInstanceUID, analysis_id: str, look: PriorLookup) -> PriorLookup:
        """Keep what a look came to, on disk when this returns, and return it with the report where it is kept."""
        entry = self.folder(study_instance_uid) / f"{analysis_id}.json"
        if look.report is not None:
            _copy(look.report, entry.with_suffix(".dcm"))
        kept = _Entry(look.key, look.unanswered, look.report is not None)
        write_entry(entry, _ENTRY.dump_json(kept).decode("ascii"))
        return PriorLookup(look.key, look.unanswered, None if look.report is None else entry.with_suffix(".dcm"))


def _read(entry: Path) -> PriorLookup | None:
    try:
        found = _ENTRY.validate_json(entry.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None
    report = entry.with_suffix(".dcm")
    if found.has_report and not report.is_file():
        return None
    return PriorLookup(found.key, found.unanswered, report if found.has_report else None)


def _copy(report: Path, kept: Path) -> None:
    draft = kept.with_name(f".{kept.name}.part")
    shutil.copyfile(report, draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(kept)
