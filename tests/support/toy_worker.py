"""A real worker process whose analysis takes milliseconds: ``python -m tests.support.toy_worker CONFIG SLOT``.

Engine, ledger, store, history, report folder and delivery are those of the node; only the pipeline between them is a toy.
"""

import hashlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

from pydicom.uid import Comprehensive3DSRStorage, MRImageStorage, SegmentationStorage, generate_uid

from node.config import load_config
from node.domain.analysis import History
from node.domain.errors import NodeError
from node.domain.job import AnalysisOutcome, AnalysisStatus
from node.domain.report import ReportKind, ReportObject
from node.domain.study import ReceivedStudy
from node.log import configure_logging
from node.reporting.folder import write_report
from node.store import open_store
from node.worker import ReportDeliverer, StoredStudyAnalyser
from node.workflows import Collaborators, work_until_stopped
from tests.support.dicom_peers import Uids, dataset_bytes, report_object


class ToyPipeline:
    """Reports nothing but what it was given: the SR of a study holds the digest of the data sets that were analysed."""

    def fingerprint(self) -> str:
        return "toy 1"

    def analyse(self, study: ReceivedStudy, out_dir: Path, history: History) -> AnalysisOutcome:
        time.sleep(float(os.environ.get("TOY_ANALYSIS_S", "0")))  # as long as a real one, so that kills meet it
        paths = [one.path for series in study.all_series for one in series.instances if one.sop_class_uid == MRImageStorage]
        content = content_digest(paths)
        # images that came between claim and analysis are announced again: as the real pipeline, do not report them twice
        if content == history.predecessor_content:
            return AnalysisOutcome(AnalysisStatus.UNCHANGED)
        objects = write_report(out_dir, lambda folder: _objects(folder, study.study_instance_uid, content), content)
        return AnalysisOutcome(AnalysisStatus.MEASURED, (), out_dir, len(objects))


def content_digest(paths: list[Path]) -> str:
    """Return the SHA-256 of the data sets of files, in any order."""
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(dataset_bytes(path)).digest() for path in paths))).hexdigest()


def _objects(folder: Path, study_instance_uid: str, content: str) -> tuple[ReportObject, ...]:
    def uid(name: str) -> str:
        return str(generate_uid(entropy_srcs=[study_instance_uid, content, name]))

    kinds = ((ReportKind.SEG, SegmentationStorage), (ReportKind.SR, Comprehensive3DSRStorage))
    uids = {kind: Uids(study_instance_uid, uid(kind), uid(f"{kind} instance")) for kind, _ in kinds}
    return tuple(
        report_object(folder / f"{kind.lower()}.dcm", kind, sop_class, uids=uids[kind], comment=content)
        for kind, sop_class in kinds
    )


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(config_path: str, slot: str) -> int:
    config = load_config(Path(config_path))
    configure_logging(config.log.level)
    store = open_store(config.store)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    collaborators = Collaborators(
        StoredStudyAnalyser(ToyPipeline(), store),
        ReportDeliverer(config.reception.ae_title, store.commitments),
        store.study_digest,
        config.destinations,
        sweep=lambda: "",
        sweep_interval_minutes=60,
        require_manifest=store.require_manifest,
    )
    try:
        work_until_stopped(config, int(slot), collaborators, stop, lambda: say("worker ready"))
    except NodeError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
