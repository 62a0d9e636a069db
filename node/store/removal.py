"""Takes a study out of the store while a receiver may be adding to it, without losing an instance that was acknowledged.

::

    <root>/removed/<study>/studies, results     moved here by a rename, then deleted

The receiver writes an instance, marks the study as open, and then looks whether the instance is still there; removal looks for a
mark, moves the folders, and looks for a mark again. So one of the two always sees the other: either the instance is refused, and
sent again, or what was moved is put back.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.domain.identity import StudyInstanceUID, parse_uid
from node.store.commitments import Commitments
from node.store.marks import marks_of
from node.store.patients import PatientIndex


class Removal:
    """The studies of a store that are being removed; only inside :meth:`alone`."""

    def __init__(self, root: Path, patients: PatientIndex, commitments: Commitments) -> None:
        self._root = root
        self._removed = root / "removed"
        self._patients = patients
        self._commitments = commitments

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Give whether no other process is removing studies; none begins to until the block is left."""
        with (self._root / "removal.lock").open("a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def take_out(self, study_instance_uid: StudyInstanceUID) -> bool:
        """Move a study aside; return False, with everything in its place, if it is still being received."""
        uid = parse_uid(study_instance_uid)
        if self._is_open(uid):
            return False
        for part in ("studies", "results"):
            source, target = self._root / part / uid, self._removed / uid / part
            if source.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
        if self._is_open(uid):
            self.put_back(study_instance_uid)
            return False
        return True

    def put_back(self, study_instance_uid: StudyInstanceUID) -> None:
        """Move what was set aside to its place; what arrived there meanwhile stays."""
        uid = parse_uid(study_instance_uid)
        for part in ("studies", "results"):
            aside = self._removed / uid / part
            for path in sorted(aside.rglob("*")) if aside.is_dir() else ():
                place = self._root / part / uid / path.relative_to(aside)
                if path.is_file() and not place.exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    path.rename(place)
        self._delete(uid)

    def finish(self, study_instance_uid: StudyInstanceUID) -> None:
        """Delete what was set aside, with what is noted of it elsewhere; nothing happens if nothing was."""
        uid = parse_uid(study_instance_uid)
        results = self._removed / uid / "results"
        self._patients.forget(study_instance_uid, results)
        self._commitments.forget(results)
        self._delete(uid)

    def unfinished(self) -> tuple[StudyInstanceUID, ...]:
        """Return the studies that were set aside when a removal was interrupted."""
        return tuple(StudyInstanceUID(path.name) for path in sorted(self._removed.iterdir())) if self._removed.is_dir() else ()

    def _delete(self, uid: str) -> None:
        if (self._removed / uid).is_dir():
            shutil.rmtree(self._removed / uid)

    def _is_open(self, uid: str) -> bool:
        return bool(marks_of(self._root / "open", uid))
