"""Studies that are sent again and again under new UIDs, some of them badly."""

import random
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association

from node.delivery.checkpoint import guard_reactor

_TIMEOUT_S = 30.0


class Kind(StrEnum):
    """How a study is sent."""

    WHOLE = "whole"
    TWICE = "every image twice"
    ABORTED = "aborted, then sent whole"
    FOREIGN = "not for the node"


@dataclass(frozen=True, slots=True)
class Sent:
    """A study that the node took, and when its last image was acknowledged."""

    study_instance_uid: str
    kind: Kind
    at: datetime


@dataclass
class Load:
    """Sends studies at a rate until a count or a time is reached; ``sent`` and ``refused`` say what became of them."""

    port: int
    ae_title: str
    whole: Sequence[Dataset]
    foreign: Sequence[Dataset]
    rng: random.Random
    fault_share: float
    sent: list[Sent] = field(default_factory=list)
    refused: int = 0

    def run(self, count: int, interval_s: float, deadline_s: float, tick: Callable[[], None]) -> None:
        """Send up to ``count`` studies, one each interval, and none after the deadline of the monotonic clock."""
        next_s = time.monotonic()
        for _ in range(count):
            while time.monotonic() < next_s:
                tick()
                time.sleep(min(1.0, max(0.0, next_s - time.monotonic())))
            if time.monotonic() > deadline_s:
                return
            next_s += interval_s
            self._send(self._kind())
            tick()

    def _kind(self) -> Kind:
        is_faulty = self.rng.random() < self.fault_share
        return self.rng.choice([Kind.TWICE, Kind.ABORTED, Kind.FOREIGN]) if is_faulty else Kind.WHOLE

    def _send(self, kind: Kind) -> None:
        instances = renamed(self.foreign if kind is Kind.FOREIGN else self.whole)
        uid = str(instances[0].StudyInstanceUID)
        if kind is Kind.ABORTED:
            self._store(instances[: len(instances) // 2], is_aborted=True)
        doubled = instances if kind is Kind.TWICE else []
        if self._store([*instances, *doubled]):
            self.sent.append(Sent(uid, kind, datetime.now(UTC)))
        else:
            self.refused += 1

    def _store(self, instances: Sequence[Dataset], *, is_aborted: bool = False) -> bool:
        association = self._associate(instances)
        if not association.is_established:
            return False
        answers: set[int | None] = set()
        try:
            answers = {association.send_c_store(one).get("Status") for one in instances}
        except RuntimeError:  # the association ended, by a timeout or by the node
            answers = {None}
        if is_aborted:
            association.abort()
        elif association.is_established:
            association.release()
        return answers == {0}

    def _associate(self, instances: Sequence[Dataset]) -> Association:
        entity = AE(ae_title="SOAK")
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _TIMEOUT_S
        wanted = {(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in instances}
        contexts = [build_context(sop_class, syntax) for sop_class, syntax in sorted(wanted)]
        guard: list[evt.EventHandlerType] = [(evt.EVT_CONN_OPEN, guard_reactor)]
        return entity.associate("127.0.0.1", self.port, contexts, ae_title=self.ae_title, evt_handlers=guard)


def read_instances(folder: Path) -> list[Dataset]:
    """Return the instances below a folder."""
    return [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]


def renamed(instances: Sequence[Dataset]) -> list[Dataset]:
    """Return instances as another study of another patient: every UID is replaced, each by one of its own."""
    uids: dict[str, str] = {}
    patient_id = str(random.getrandbits(48))
    return [_renamed(one, uids, patient_id) for one in instances]


def _renamed(instance: Dataset, uids: dict[str, str], patient_id: str) -> Dataset:
    copy = deepcopy(instance)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        if keyword in copy:
            setattr(copy, keyword, uids.setdefault(str(getattr(copy, keyword)), str(generate_uid())))
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    copy.PatientID = patient_id
    return copy
