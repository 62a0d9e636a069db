"""Small instances, a receiver in a thread, and DCMTK's storescp as a peer."""

import queue
import socket
import subprocess
import threading
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, RLELossless, generate_uid

from node.config import CompletionConfig, Config, DestinationConfig, JobsConfig, ReceptionConfig
from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.report import ReportKind, ReportObject
from node.receiver import run_receiver
from node.store import Store, open_store
from tests.support.external import free_port, require_tool, wait_until

SENTINEL_NAME = "Sentinel^Patient"


@dataclass(frozen=True, slots=True)
class Uids:
    """The identity of an instance to be made."""

    study: str
    series: str
    instance: str

    @classmethod
    def new(cls, study: str | None = None, series: str | None = None) -> "Uids":
        return cls(study or str(generate_uid()), series or str(generate_uid()), str(generate_uid()))


def mr_instance(
    uids: Uids | None = None, description: str = "SAG T2", sop_class: UID = MRImageStorage, rows: int = 16
) -> Dataset:
    """Return a native instance with a gradient as pixels."""
    uids = uids or Uids.new()
    instance = Dataset()
    instance.SpecificCharacterSet = "ISO_IR 192"
    instance.SOPClassUID = sop_class
    with config.disable_value_validation():  # hostile UIDs are meant
        instance.SOPInstanceUID, instance.StudyInstanceUID, instance.SeriesInstanceUID = uids.instance, uids.study, uids.series
    instance.Modality = "MR" if sop_class == MRImageStorage else "OT"
    instance.SeriesDescription = description
    instance.PatientName = SENTINEL_NAME
    instance.PatientID = "1"
    instance.SamplesPerPixel = 1
    instance.PhotometricInterpretation = "MONOCHROME2"
    instance.Rows = instance.Columns = rows
    instance.BitsAllocated = instance.BitsStored = 16
    instance.HighBit = 15
    instance.PixelRepresentation = 0
    instance.PixelData = np.arange(rows * rows).astype("<u2").tobytes()
    instance["PixelData"].VR = "OW"
    return instance


def write_instance(path: Path, instance: Dataset, transfer_syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write an instance in a transfer syntax, compressing its pixels where that asks for it."""
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if transfer_syntax.is_compressed else transfer_syntax
    if transfer_syntax.is_compressed and transfer_syntax.is_encapsulated:
        instance.compress(transfer_syntax, **({"encoding_plugin": "pydicom"} if transfer_syntax == RLELossless else {}))
    elif transfer_syntax.is_compressed:
        instance.file_meta.TransferSyntaxUID = transfer_syntax
    elif not transfer_syntax.is_little_endian:  # pydicom writes the bytes of an OW value as they are
        swapped = array("H", instance.PixelData)
        swapped.byteswap()
        instance.PixelData = swapped.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    with config.disable_value_validation():
        instance.save_as(path, enforce_file_format=True)
    return path


def dataset_bytes(path: Path) -> bytes:
    """Return the bytes of a file after its file meta information."""
    with path.open("rb") as file:
        read_preamble(file, False)
        read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
        return file.read()


@dataclass(slots=True)
class RunningReceiver:
    """A receiver in a thread of the test."""

    port: int
    ae_title: str
    store: Store
    completed: "queue.Queue[StudyInstanceUID]"
    stop: threading.Event

    @property
    def files(self) -> list[Path]:
        """The stored instances."""
        return sorted((self.store.root / "studies").rglob("*.dcm"))

    def destination(self, **changes: object) -> DestinationConfig:
        """Return the receiver as a destination of our own SCU."""
        fields = {"name": "node", "host": "127.0.0.1", "port": self.port, "ae_title": self.ae_title, "timeout_s": 10.0}
        return DestinationConfig.model_validate(fields | changes)


@contextmanager
def running_receiver(folder: Path, quiet_s: float = 0.3, **reception: object) -> Iterator[RunningReceiver]:
    """Run a receiver on a free port of loopback; its thread has ended, without an error, when the block is left."""
    completion = CompletionConfig(quiet_s=quiet_s)
    fields = {"bind_address": "127.0.0.1", "port": 0, "minimum_free_disk_mb": 0, "completion": completion, **reception}
    node_config = Config(
        store=f"file:{folder}", reception=ReceptionConfig.model_validate(fields), jobs=JobsConfig(shutdown_grace_s=5)
    )
    completed: queue.Queue[StudyInstanceUID] = queue.Queue()
    ready: queue.Queue[int | BaseException] = queue.Queue()
    stop = threading.Event()

    def run() -> None:
        try:
            run_receiver(node_config, completed.put, stop=stop, on_ready=ready.put)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            ready.put(error)

    thread = threading.Thread(target=run, name="receiver under test")
    thread.start()
    try:
        port = ready.get(timeout=10)
        if isinstance(port, BaseException):
            raise port
        yield RunningReceiver(port, node_config.reception.ae_title, open_store(node_config.store), completed, stop)
    finally:
        stop.set()
        thread.join(15)
    assert not thread.is_alive()
    assert ready.empty(), ready.get_nowait()


@contextmanager
def running_storescp(folder: Path, options: Sequence[str] = ()) -> Iterator[DestinationConfig]:
    """Run DCMTK's storescp on a free port and return it as a destination; received files lie in ``folder``."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [require_tool("storescp"), "--output-directory", str(folder), *options, str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _answers(port), "storescp listens")
            yield DestinationConfig(name="storescp", host="127.0.0.1", port=port, ae_title="STORESCP", timeout_s=10)
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def report_object(
    path: Path,
    kind: ReportKind,
    sop_class: UID,
    *,
    fallback: ReportObject | None = None,
    uids: Uids | None = None,
    comment: str = "",
) -> ReportObject:
    """Write a small result object without pixels and return it."""
    uids = uids or Uids.new()
    instance = mr_instance(uids, sop_class=sop_class)
    del instance.PixelData
    instance.Modality = kind.value
    instance.ImageComments = comment
    write_instance(path, instance)
    ref = InstanceRef(
        StudyInstanceUID(uids.study),
        SeriesInstanceUID(uids.series),
        SOPInstanceUID(uids.instance),
        SOPClassUID(str(sop_class)),
        path,
    )
    return ReportObject(kind, ref, str(ExplicitVRLittleEndian), fallback)
