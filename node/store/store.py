"""The folder that holds what arrived and what we made.

::

    <root>/incoming/                                    files still being received
    <root>/studies/<study>/<series>/<sop>.dcm           instances as they were sent
    <root>/studies/<study>/manifest-*.json              see node/store/contents.py
    <root>/open/                                        marks of studies that are still being received, see node/store/marks.py
    <root>/results/<study>/<analysis>/                  result objects
    <root>/results/<study>/.shadow/                     see node/shadow/record.py
    <root>/results/<study>/.prior/                      see node/store/priors.py
    <root>/patients/                                    see node/store/patients.py
    <root>/commitments/                                 see node/store/commitments.py
    <root>/shadow/<analysis>/                           an analysis with the second set of models that is running
    <root>/returned/                                    see node/store/returned.py
    <root>/removed/                                     see node/store/removal.py

Everything lies on one file system, so a rename is atomic: a reader sees a whole instance or none.
One fsync policy: the file is synchronised before its rename, and every folder that gained an entry after it. When
``receive`` or ``mark_open`` returns, the entry survives a power cut.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.domain.errors import ConfigError, PermanentError, Reason, disk_refused
from node.domain.identity import (
    InstanceRef,
    SeriesInstanceUID,
    SOPInstanceUID,
    StudyInstanceUID,
    parse_uid,
)
from node.domain.study import ReceivedSeries, ReceivedStudy
from node.store.commitments import Commitments
from node.store.contents import require_manifest, write_manifest
from node.store.head import MR_IMAGE_SOP_CLASSES, InstanceHead, content_digest, read_sop_class
from node.store.marks import StudyMarks
from node.store.patients import PatientIndex, PatientStudy
from node.store.priors import KeptPriors
from node.store.removal import Removal
from node.store.returned import ReturnedObjects

_ANALYSIS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Store:
    """Instances, results and marks under one root; safe to use from several threads, processes and machines.

    Parameters
    ----------
    receiver
        Name of the receiver that uses it, where there may be others; it stays the same after a restart.
    """

    def __init__(self, root: Path, receiver: str = "") -> None:
        self.root = root
        self.incoming = root / "incoming"
        self._studies = root / "studies"
        self._results = root / "results"
        self._open = root / "open"
        self._patients = PatientIndex(root)
        #: The marks as the receiver needs them, which knows of other receivers.
        self.marks = StudyMarks(self._open, receiver)
        #: What peers were asked to commit.
        self.commitments = Commitments(root)
        #: How a study is deleted that a receiver may be adding to.
        self.removal = Removal(root, self._patients, self.commitments)
        #: What looks for priors came to.
        self.priors = KeptPriors(root)
        #: What came back and was not looked at yet.
        self.returned = ReturnedObjects(root)
        for folder in (self.incoming, self._studies, self._results, self._open):
            folder.mkdir(parents=True, exist_ok=True)

    def receive(self, arrived: Path, head: InstanceHead) -> InstanceRef:
        """Move a complete file from ``incoming`` to its place; an instance sent again replaces the earlier file.

        Raises
        ------
        TransientError
            ``disk_full``, or ``store_failed`` if the disk refuses for another reason.
        """
        with _translated("store an instance"):
            folder = self._studies / parse_uid(head.study_instance_uid) / parse_uid(head.series_instance_uid)
            _make_folder(folder)
            path = folder / f"{parse_uid(head.sop_instance_uid)}.dcm"
            _synchronise(arrived)
            arrived.replace(path)
            _synchronise(folder)
        return InstanceRef(head.study_instance_uid, head.series_instance_uid, head.sop_instance_uid, head.sop_class_uid, path)

    def study(self, study_instance_uid: StudyInstanceUID) -> ReceivedStudy:
        """Return the series and instances of a study; reads only their file meta information.

        Raises
        ------
        PermanentError
            ``uid_invalid``, or ``no_usable_series`` if the store does not hold the study.
        """
        folder = self._study_folder(study_instance_uid)
        series_folders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        if not series_folders:
            raise PermanentError(Reason.NO_USABLE_SERIES, f"the store holds no study {study_instance_uid}; send it again")
        return ReceivedStudy(study_instance_uid, tuple(_series(study_instance_uid, path) for path in series_folders))

    def first_instance(self, study_instance_uid: StudyInstanceUID) -> Path | None:
        """Return one file of a study, None if the store does not hold it; reads no file."""
        folder = self._study_folder(study_instance_uid)
        return next((path for series in sorted(folder.glob("*")) for path in sorted(series.glob("*.dcm"))), None)

    def study_digest(self, study_instance_uid: StudyInstanceUID) -> str:
        """Return SHA-256, hexadecimal, of the MR images of a study: their SOP Instance UIDs and their content.

        So a study is new when an image comes late and when one comes again with another content, as after a correction of
        the patient. Other objects do not count: our own results come back from a PACS that routes whole studies, and must
        not make the study look new.
        """
        instances = [instance for series in self.study(study_instance_uid).all_series for instance in series.instances]
        images = (one for one in instances if one.sop_class_uid in MR_IMAGE_SOP_CLASSES)
        with _translated("read an instance"):
            lines = sorted(f"{one.sop_instance_uid} {content_digest(one.path)}" for one in images)
        return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()

    def study_uids(self) -> tuple[StudyInstanceUID, ...]:
        """Return the studies that the store holds, sorted."""
        return tuple(StudyInstanceUID(path.name) for path in sorted(self._studies.iterdir()) if path.is_dir())

    def delete_study(self, study_instance_uid: StudyInstanceUID) -> None:
        """Delete the instances, results and mark of a study; nothing happens if it is not there."""
        uid = parse_uid(study_instance_uid)
        with _translated("delete a study"):
            self._patients.forget(study_instance_uid, self._results / uid)
            self.commitments.forget(self._results / uid)
            for folder in (self._studies / uid, self._results / uid):
                if folder.is_dir():
                    shutil.rmtree(folder)
            for mark in self.marks.of_study(study_instance_uid):
                mark.unlink(missing_ok=True)

    def results_folder(self, study_instance_uid: StudyInstanceUID, analysis_id: str) -> Path:
        """Return the folder for the results of one analysis; it is made if it is not there.

        Raises
        ------
        PermanentError
            ``uid_invalid`` if the study or the analysis id cannot name a folder.
        """
        if not _ANALYSIS_ID.fullmatch(analysis_id):
            raise PermanentError(Reason.UID_INVALID, f"not an analysis id: {analysis_id[:80]!r}")
        folder = self._results / parse_uid(study_instance_uid) / analysis_id
        with _translated("make a results folder"):
            _make_folder(folder)
        return folder

    def note_analysis(self, who: PatientStudy, study_instance_uid: StudyInstanceUID, analysis_id: str) -> None:
        """Note whose study an analysis is of, so that a later study of the patient finds it."""
        with _translated("note an analysis"):
            self._patients.note(who, study_instance_uid, analysis_id)

    def release_patient(self, study_instance_uid: StudyInstanceUID, who: PatientStudy | None) -> None:
        """Forget that a study was analysed as that of another patient than this."""
        with _translated("correct the patient of a study"):
            self._patients.release(study_instance_uid, who)

    def earlier_results(self, who: PatientStudy, study_instance_uid: StudyInstanceUID) -> tuple[Path, ...]:
        """Return the results folders of the earlier studies of a patient, latest first; some may have been deleted."""
        with _translated("look for prior results"):
            return self._patients.earlier_results(who, study_instance_uid)

    def free_mb(self) -> float:
        """Return the space that is left for us on the disk of the store, in megabytes (10^6 bytes)."""
        return shutil.disk_usage(self.root).free / 1e6

    def changed_at(self, study_instance_uid: StudyInstanceUID) -> float:
        """Return when a series was last added to a study, or an instance to one of its series, in seconds since the epoch."""
        folder = self._study_folder(study_instance_uid)
        with _translated("look at a study"):
            return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))

    def received_mb(self, since: float) -> float:
        """Return the size of the instances that arrived since a time, in megabytes (10^6 bytes)."""
        with _translated("look at the studies"):
            states = (path.stat() for path in self._studies.glob("*/*/*.dcm"))
            return sum(state.st_size for state in states if state.st_mtime >= since) / 1e6

    def mark_open(self, study_instance_uid: StudyInstanceUID, sender: str = "") -> None:
        """Mark a study as still being received and set the time of its last arrival to now; note a new sender of it."""
        mark = self.marks.own_path(study_instance_uid)
        with _translated("mark a study"):
            if not sender and _touched(mark):
                return
            is_new = not mark.exists()
            with mark.open("a", encoding="utf-8") as file:
                file.write(f"{sender}\n" if sender else "")
            os.utime(mark)
            if is_new:
                _synchronise(self._open)

    def senders(self, study_instance_uid: StudyInstanceUID) -> tuple[str, ...]:
        """Return who sent instances of a study that is marked as open, sorted."""
        with _translated("read a mark"):
            texts = [mark.read_text(encoding="utf-8") for mark in self.marks.of_study(study_instance_uid)]
            return tuple(sorted({sender for text in texts for sender in text.splitlines()}))

    def remove_mark(self, study_instance_uid: StudyInstanceUID) -> None:
        """Remove the mark of a study; nothing happens if there is none."""
        with _translated("remove a mark"):
            self.marks.own_path(study_instance_uid).unlink(missing_ok=True)

    def open_marks(self) -> dict[StudyInstanceUID, float]:
        """Return the studies that a receiver has marked, and when something of them last arrived, in seconds since the epoch."""
        return self.marks.arrivals(own=True, others=True)

    def write_manifest(self, study_instance_uid: StudyInstanceUID) -> str:
        """Write down what is there of a study, and return the name under which a worker finds it."""
        with _translated("write a manifest"):
            return write_manifest(self._study_folder(study_instance_uid))

    def require_manifest(self, study_instance_uid: StudyInstanceUID, name: str) -> None:
        """Raise TransientError ``store_failed`` if this machine does not yet see all that a manifest names."""
        with _translated("read a manifest"):
            require_manifest(self._study_folder(study_instance_uid), name)

    def note_returned(self, head: InstanceHead) -> None:
        """Mark a stored instance to be looked at if its class can speak of a result of ours."""
        with _translated("note a returned object"):
            self.returned.note(head)

    def sweep_incoming(self, before: float) -> int:
        """Delete files of ``incoming`` that were not written since a time, and return how many.

        They are left by peers that hang up inside an instance, or by a receiver that was killed.
        """
        swept = 0
        for path in self.incoming.iterdir():
            try:
                if path.is_file() and path.stat().st_mtime < before:
                    path.unlink()
                    swept += 1
            except FileNotFoundError:  # it was received at this moment
                continue
        return swept

    def _study_folder(self, study_instance_uid: StudyInstanceUID) -> Path:
        return self._studies / parse_uid(study_instance_uid)


def open_store(uri: str, receiver: str = "") -> Store:
    """Return the store at a URI (``file:PATH``), making its folders; for a receiver that shares it with others, give its name.

    Raises
    ------
    ConfigError
        ``config_invalid`` if the scheme is unknown or the folders cannot be made.
    """
    scheme, _, path = uri.partition(":")
    if scheme != "file" or not path:
        raise ConfigError(Reason.CONFIG_INVALID, f"store: {uri!r} is not a store; allowed: file:PATH")
    root = Path(path.removeprefix("//"))
    try:
        return Store(root, receiver)
    except OSError as error:
        raise ConfigError(
            Reason.CONFIG_INVALID, f"store: cannot make {error.filename}: {error.strerror}; choose a folder that we may write"
        ) from error


def _series(study_instance_uid: StudyInstanceUID, folder: Path) -> ReceivedSeries:
    series_instance_uid = SeriesInstanceUID(folder.name)
    instances = tuple(
        InstanceRef(study_instance_uid, series_instance_uid, SOPInstanceUID(path.stem), read_sop_class(path), path)
        for path in sorted(folder.glob("*.dcm"))
    )
    return ReceivedSeries(series_instance_uid, instances)


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, and synchronise each folder that gained one."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _synchronise(folder.parent)


def _touched(path: Path) -> bool:
    """Set the time of a file to now; return whether it is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_refused(action, error) from error
