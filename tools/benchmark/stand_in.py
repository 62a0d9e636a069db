"""A real worker process whose model sleeps, in place of a GPU: ``python -m tools.benchmark.stand_in CONFIG SLOT SECONDS``."""

import signal
import sys
import threading
import time
from pathlib import Path

from node.config import DestinationConfig, load_config
from node.domain.identity import SOPInstanceUID, StudyInstanceUID
from node.domain.job import AnalysisId, AnalysisOutcome, AnalysisStatus, DeliveryOutcome
from node.durable import Collaborators
from node.workflows import work_until_stopped


class SleepingAnalyser:
    """Takes the same time for each study and finds nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def fingerprint(self) -> str:
        """Return what decides a result besides the study."""
        return "stand-in"

    def analyse(self, _study: StudyInstanceUID, _analysis: AnalysisId, _predecessor: Path | None) -> AnalysisOutcome:
        """Sleep."""
        time.sleep(self._seconds)
        return AnalysisOutcome(AnalysisStatus.MEASURED, folder=Path("nowhere"), object_count=1)


class PromptDeliverer:
    """Delivers at once, to nobody."""

    def deliver(self, _destination: DestinationConfig, _folder: Path) -> DeliveryOutcome:
        """Return that one object was stored."""
        return DeliveryOutcome(stored=(SOPInstanceUID("1.2.3"),), refused=())


def main(config_path: str, slot: str, seconds: str) -> None:
    """Work until told to stop."""
    config = load_config(Path(config_path))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    world = Collaborators(SleepingAnalyser(float(seconds)), PromptDeliverer(), lambda study: study, config.destinations)
    work_until_stopped(config, int(slot), world, stop, lambda: print("ready", flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
