"""Marks of the studies that are still being received; each receiver has its own, so that several can share a store.

::

    <root>/open/<study>                 of the receiver of a node on one machine
    <root>/open/<study>@<receiver>      of one of several; its lines name who sent something, its time is that of the last arrival
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from node.domain.identity import StudyInstanceUID, parse_uid


class StudyMarks:
    """The marks of one receiver, and what those of the others say."""

    def __init__(self, folder: Path, receiver: str) -> None:
        self._folder = folder
        self._receiver = receiver

    def own_path(self, study_instance_uid: StudyInstanceUID) -> Path:
        """Return where our mark of a study lies."""
        uid = parse_uid(study_instance_uid)
        return self._folder / (f"{uid}@{self._receiver}" if self._receiver else uid)

    def of_study(self, study_instance_uid: StudyInstanceUID) -> tuple[Path, ...]:
        """Return the marks of a study, of every receiver."""
        return marks_of(self._folder, parse_uid(study_instance_uid))

    def arrivals(self, *, own: bool, others: bool) -> dict[StudyInstanceUID, float]:
        """Return when something of each marked study last arrived, at us, at the others or at any, in seconds since the epoch."""
        latest: dict[StudyInstanceUID, float] = {}
        for uid, receiver, path in self._all():
            if own if receiver == self._receiver else others:
                with suppress(FileNotFoundError):  # its receiver has handed the study over at this moment
                    latest[uid] = max(path.stat().st_mtime, latest.get(uid, 0.0))
        return latest

    def adopt(self, before: float) -> int:
        """Take over the marks of others that did not change since a time: their receivers are gone; return how many.

        A mark is moved, so there is no moment without one; a receiver that lives after all makes itself another.
        """
        adopted = 0
        for uid, receiver, path in self._all():
            with suppress(FileNotFoundError):
                if receiver != self._receiver and path.stat().st_mtime < before:
                    own = self.own_path(uid)
                    path.unlink() if own.exists() else path.rename(own)
                    adopted += 1
        return adopted

    def now_s(self) -> float:
        """Return the time by the clock that gives the marks their time: of the file server, where the disk is shared."""
        clock = self._folder.parent / f".clock{'@' if self._receiver else ''}{self._receiver}"
        clock.touch()
        os.utime(clock)
        return clock.stat().st_mtime

    def _all(self) -> Iterator[tuple[StudyInstanceUID, str, Path]]:
        for path in sorted(self._folder.iterdir()):
            uid, _, receiver = path.name.partition("@")
            yield StudyInstanceUID(uid), receiver, path


def marks_of(folder: Path, uid: str) -> tuple[Path, ...]:
    """Return the marks of a study in a folder of marks."""
    return tuple(path for path in (folder / uid, *sorted(folder.glob(f"{uid}@*"))) if path.exists())
