"""Marks of objects that may speak of our results and were not looked at yet; they survive a crash.

::

    <root>/returned/<study>@<series>@<sop>      empty; its time is that of the arrival
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    ContentAssessmentResultsStorage,
    EnhancedSRStorage,
    ExtensibleSRStorage,
    KeyObjectSelectionDocumentStorage,
    SegmentationStorage,
)

from node.domain.identity import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID, parse_uid
from node.store.entry import write_entry
from node.store.head import InstanceHead

_MARK = re.compile(r"[0-9.]+@[0-9.]+@[0-9.]+")
_LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
_SOP_CLASSES: frozenset[str] = frozenset(
    (
        _LABEL_MAP_SEGMENTATION,
        BasicTextSRStorage,
        Comprehensive3DSRStorage,
        ComprehensiveSRStorage,
        ContentAssessmentResultsStorage,
        EnhancedSRStorage,
        ExtensibleSRStorage,
        KeyObjectSelectionDocumentStorage,
        SegmentationStorage,
    )
)


@dataclass(frozen=True, slots=True)
class ReturnedObject:
    """An object that came in, where it lies, and when, in seconds since the epoch; its file may have been deleted since."""

    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    path: Path
    arrived_at: float


class ReturnedObjects:
    """The marks under the root of a store; safe to use from several processes."""

    def __init__(self, root: Path) -> None:
        self._marks = root / "returned"
        self._studies = root / "studies"

    def note(self, head: InstanceHead) -> None:
        """Mark an instance that was stored; nothing happens if its class cannot speak of a result."""
        if head.sop_class_uid not in _SOP_CLASSES:
            return
        self._marks.mkdir(exist_ok=True)
        uids = (head.study_instance_uid, head.series_instance_uid, head.sop_instance_uid)
        write_entry(self._marks / "@".join(map(parse_uid, uids)), "")

    def waiting(self) -> tuple[ReturnedObject, ...]:
        """Return the objects that were not looked at yet, study by study, the first to arrive first."""
        marks = self._marks.iterdir() if self._marks.is_dir() else ()
        found = (self._object(mark) for mark in marks if _MARK.fullmatch(mark.name))
        return tuple(sorted(found, key=lambda one: (one.study_instance_uid, one.arrived_at)))

    def settle(self, returned: ReturnedObject) -> None:
        """Remove the mark of an object that was looked at."""
        uids = (returned.study_instance_uid, returned.series_instance_uid, returned.sop_instance_uid)
        (self._marks / "@".join(uids)).unlink(missing_ok=True)

    def _object(self, mark: Path) -> ReturnedObject:
        study, series, sop = mark.name.split("@")
        path = self._studies / study / series / f"{sop}.dcm"
        uids = StudyInstanceUID(study), SeriesInstanceUID(series), SOPInstanceUID(sop)
        return ReturnedObject(*uids, path, mark.stat().st_mtime)
