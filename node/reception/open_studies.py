"""The studies that are still being received, in memory and as marks that survive a crash."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from node.domain.identity import StudyInstanceUID
from node.reception.completion import StudyAssembler
from node.store import InstanceHead, Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks in seconds: one that only goes forward, and the time since the epoch that file times use."""

    monotonic_s: Callable[[], float]
    epoch_s: Callable[[], float]


class OpenStudies:
    """Notes arrivals and hands over complete studies without ever losing one.

    A study is marked on disk before its instance is answered, and the mark goes only when the study was handed over
    and did not open again meanwhile. After a crash every marked study is open again. Where several receivers share a
    store, a study is complete when it is quiet at all of them, and the marks of one that is gone are taken over.
    """

    def __init__(self, assembler: StudyAssembler, store: Store, clock: Clock) -> None:
        self._assembler = assembler
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        # Who was noted on the mark already: it is not written again for each instance.
        self._senders: dict[StudyInstanceUID, set[str]] = {}

    def restore(self) -> int:
        """Open the studies that were marked when the receiver last ended, and return how many."""
        now_s, epoch_s = self._clock.monotonic_s(), self._clock.epoch_s()
        marks = self._store.marks.arrivals(own=True, others=False)
        with self._lock:
            for study_instance_uid, arrived_s in marks.items():
                self._assembler.reopen(study_instance_uid, now_s - max(0.0, epoch_s - arrived_s))
        return len(marks)

    def note(self, head: InstanceHead, sender: str = "") -> None:
        """Note a stored instance; only MR images open a study or keep it open.

        Results that come back to us are therefore stored and marked, so that a worker looks at them, and nothing else.

        Raises
        ------
        TransientError
            If the mark cannot be written; the instance must then not be acknowledged.
        """
        if not head.is_mr_image:
            self._store.note_returned(head)
            return
        with self._lock:
            is_known = sender in self._senders.setdefault(head.study_instance_uid, set())
            self._store.mark_open(head.study_instance_uid, "" if is_known else sender)
            self._senders[head.study_instance_uid].add(sender)
            self._assembler.note(
                head.study_instance_uid, head.series_instance_uid, self._clock.monotonic_s(), head.series_description
            )

    def hand_over(self, on_complete: Callable[[StudyInstanceUID], None]) -> int:
        """Call ``on_complete`` for each complete study and return how many were taken.

        A study whose call fails stays open and is handed over again after the quiet time.
        """
        with self._lock:
            now_s = self._clock.monotonic_s()
            candidates = self._assembler.candidates(now_s)
            if candidates:
                self._heed_others(candidates, now_s)
            due = self._assembler.due(now_s)
        return sum(self._hand_over_one(study_instance_uid, on_complete) for study_instance_uid in due)

    def _heed_others(self, candidates: Iterable[StudyInstanceUID], now_s: float) -> None:
        elsewhere = self._store.marks.arrivals(own=False, others=True)
        epoch_s = self._clock.epoch_s() if elsewhere else 0.0
        for study_instance_uid in elsewhere.keys() & set(candidates):
            self._assembler.heed(study_instance_uid, now_s - max(0.0, epoch_s - elsewhere[study_instance_uid]))

    def adopt(self, silent_s: float) -> int:
        """Open the studies of receivers that have been silent for longer than a study may be, and return how many."""
        adopted = self._store.marks.adopt(before=self._clock.epoch_s() - silent_s)
        if adopted:
            _log.warning("studies of a receiver that is gone taken over", extra={"studies": adopted})
            self.restore()
        return adopted

    def seconds_to_next(self) -> float:
        """Return how long nothing can become complete, in seconds."""
        with self._lock:
            next_s = self._assembler.next_due_s() - self._clock.monotonic_s()
        return max(0.0, min(next_s, self._assembler.reaction_s))

    def __len__(self) -> int:
        with self._lock:
            return len(self._assembler)

    def _hand_over_one(self, study_instance_uid: StudyInstanceUID, on_complete: Callable[[StudyInstanceUID], None]) -> bool:
        try:
            on_complete(study_instance_uid)
        except Exception:  # noqa: BLE001 - whatever the queue raises, the study stays open and reception goes on
            _log.exception("study not queued, it stays open", extra={"study_instance_uid": study_instance_uid})
            with self._lock:
                self._assembler.reopen(study_instance_uid, self._clock.monotonic_s())
            return False
        with self._lock:
            if study_instance_uid not in self._assembler:
                self._store.remove_mark(study_instance_uid)
                self._senders.pop(study_instance_uid, None)
        _log.info("study completed", extra={"study_instance_uid": study_instance_uid})
        return True
