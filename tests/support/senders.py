"""Modalities that send small studies and remember what the node took."""

import random
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, build_context
from pynetdicom.association import Association

from tests.support.dicom_peers import Uids, mr_instance, write_instance


@dataclass(frozen=True, slots=True)
class SentStudy:
    """The files of a study to send, by SOP Instance UID."""

    uid: str
    paths: dict[str, Path]


def small_study(folder: Path, rng: random.Random, images: int = 3, **attributes: str) -> SentStudy:
    """Write a study of small images, each with pixels of its own."""
    first = Uids.new()
    paths: dict[str, Path] = {}
    for _ in range(images):
        uids = Uids.new(first.study, first.series)
        instance = mr_instance(uids)
        instance.PixelData = rng.randbytes(len(instance.PixelData))
        for keyword, value in attributes.items():
            setattr(instance, keyword, value)
        paths[uids.instance] = write_instance(folder / first.study / f"{uids.instance}.dcm", instance)
    return SentStudy(first.study, paths)


@dataclass
class Sender(threading.Thread):
    """Sends studies one after another in a thread.

    Parameters
    ----------
    is_stubborn
        Sends an image again until it is taken, as a modality does; the others try once and go on.
    pace_s
        Longest wait between two images.
    """

    port: int
    studies: Sequence[SentStudy]
    is_stubborn: bool = True
    pace_s: float = 0.0
    seed: int = 0
    transfer_syntax: str = str(ExplicitVRLittleEndian)
    accepted: dict[str, SentStudy] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__(name="sender")
        self._stop_now = threading.Event()
        self._rng = random.Random(self.seed)  # noqa: S311 - seeded, not secret
        self._association: Association | None = None

    def __hash__(self) -> int:
        return id(self)

    def end(self) -> None:
        """Send nothing more."""
        self._stop_now.set()
        self.join(30)

    def run(self) -> None:
        """Send everything."""
        for study in self.studies:
            for uid, path in study.paths.items():
                while not self._stop_now.is_set() and not self._send(path) and self.is_stubborn:
                    self._stop_now.wait(0.1)
                if self.answers["last"] == 0:
                    self.accepted[uid] = study
                self._stop_now.wait(self._rng.uniform(0, self.pace_s))
        if self._association is not None and self._association.is_established:
            self._association.release()

    def _send(self, path: Path) -> bool:
        """Send an image and return whether it was taken."""
        self.answers["last"] = -1
        if self._association is None or not self._association.is_established:
            self._association = self._open()
        if self._association is None:
            self.answers["no association"] += 1
            return False
        answer = None
        with suppress(RuntimeError, ValueError):  # what pynetdicom raises when the association is gone
            answer = self._association.send_c_store(path).get("Status")
        self.answers["no answer" if answer is None else f"0x{answer:04X}"] += 1
        self.answers["last"] = 0 if answer == 0 else -1
        return answer == 0

    def _open(self) -> Association | None:
        entity = AE(ae_title="SCANNER")
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
        association = entity.associate(
            "127.0.0.1", self.port, [build_context(MRImageStorage, self.transfer_syntax)], ae_title="CSPINE"
        )
        return association if association.is_established else None
