"""A PACS in a thread that keeps what it is sent by SOP Instance UID, and that can go away, hang up and refuse."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian, SegmentationStorage
from pynetdicom import AE, evt

from node.config import DestinationConfig
from tests.support.external import free_port

RESULT_CLASSES = (SegmentationStorage, Comprehensive3DSRStorage)


class RecordingPacs:
    """The PACS; a context manager that runs it.

    ``before_store`` is called with the number of each C-STORE, from 0, and may return a status to answer instead of storing, or
    abort the association.
    """

    def __init__(self, sop_classes: tuple[str, ...] = RESULT_CLASSES, address: str = "127.0.0.1") -> None:
        self._address = address
        self.port = free_port()
        #: The digests of the data sets that were sent under each SOP Instance UID.
        self.digests: dict[str, set[str]] = {}
        self.instances: dict[str, Dataset] = {}
        self.stores: Counter[str] = Counter()
        self.before_store: Callable[[evt.Event, int], int | None] = lambda _event, _number: None
        self._sop_classes = sop_classes
        self._entity: AE | None = None
        self._lock = threading.Lock()
        self._number = 0

    def __enter__(self) -> "RecordingPacs":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._entity = AE(ae_title="PACS")
        for sop_class in self._sop_classes:
            self._entity.add_supported_context(sop_class, ExplicitVRLittleEndian)
        self._entity.start_server((self._address, self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._on_store)])

    def stop(self) -> None:
        """Stop as a machine does that is switched off: what runs is aborted."""
        if self._entity is not None:
            self._entity.shutdown()
            self._entity = None

    def destination(self, **changes: object) -> DestinationConfig:
        retry = {"first_delay_s": 0.2, "maximum_delay_s": 0.5, "maximum_attempts": 1000}
        fields = {"name": "pacs", "host": self._address, "port": self.port, "ae_title": "PACS", "timeout_s": 5, "retry": retry}
        return DestinationConfig.model_validate({**fields, "objects": ["SEG", "SR"], **changes})

    def of_study(self, study_instance_uid: str, modality: str = "SR") -> list[Dataset]:
        """Return what it holds of a study."""
        found = (one for one in self.instances.values() if one.StudyInstanceUID == study_instance_uid)
        return [one for one in found if one.Modality == modality]

    def _on_store(self, event: evt.Event) -> int:
        with self._lock:
            number, self._number = self._number, self._number + 1
        status = self.before_store(event, number)
        if status is not None:
            return status
        content = event.request.DataSet.getvalue()
        uid = str(event.request.AffectedSOPInstanceUID)
        with self._lock:
            self.stores[uid] += 1
            self.digests.setdefault(uid, set()).add(hashlib.sha256(content).hexdigest())
            self.instances[uid] = event.dataset
        return 0
