"""Runs the second set of models on one study, in a process of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from node.config import Config, render_config
from node.domain.errors import PermanentError, Reason
from node.domain.identity import StudyInstanceUID
from node.domain.job import ShadowEnd, ShadowOutcome
from node.pipeline import models_dir
from node.shadow.record import keep_shadow
from node.store import Store

_DECLINED = 3  # exit code of ``analyze``
_LOWEST_PRIORITY = 19
_LOOK_S, _END_S = 0.2, 10.0
_ENDS = {0: ShadowEnd.MEASURED, _DECLINED: ShadowEnd.DECLINED}


class ShadowRunner:
    """Analyses studies of a store with the models of section ``shadow``.

    Parameters
    ----------
    stop
        Set when the worker is to end: what runs is ended at once, and done again later.
    command
        How the node is called.
    """

    def __init__(
        self, config: Config, store: Store, stop: threading.Event, command: Sequence[str] = (sys.executable, "-m", "node")
    ) -> None:
        first = config.inference.model_copy(update={"models_dir": models_dir(config.inference)})
        self._config = Config(
            selection=config.selection,
            measurement=config.measurement,
            reporting=config.reporting,
            inference=config.shadow.beside(first),
        )
        self._timeout_s = config.shadow.timeout_s
        self._store = store
        self._stop = stop
        self._command = tuple(command)

    @property
    def set_id(self) -> str:
        """What a second analysis of the same result is known by, so that it is not done twice."""
        return hashlib.sha256(self._config.inference.model_dump_json().encode()).hexdigest()[:12]

    def run(self, study_instance_uid: StudyInstanceUID, digest: str, results: Path) -> ShadowOutcome:
        """Analyse what is stored of a study, and keep the measurements beside the results of the first set.

        Parameters
        ----------
        digest
            Of the images that the results are of; another one means that the study has changed since.
        """
        if self._store.study_digest(study_instance_uid) != digest:
            return ShadowOutcome(ShadowEnd.SUPERSEDED, "the study has changed since")
        work = self._store.root / "shadow" / results.name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            return self._analysed(study_instance_uid, work, results)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _analysed(self, study_instance_uid: StudyInstanceUID, work: Path, results: Path) -> ShadowOutcome:
        (work / "config.yaml").write_text(render_config(self._config), encoding="utf-8")
        series = sorted({one.path.parent for s in self._store.study(study_instance_uid).all_series for one in s.instances})
        options = ("--out", str(work / "report"), "--config", str(work / "config.yaml"))
        with (work / "log").open("wb") as log:
            child = subprocess.Popen(
                [*self._command, "analyze", *map(str, series), *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        code = self._wait(child)
        if code is None:
            return ShadowOutcome(ShadowEnd.INTERRUPTED, "the worker is ending")
        if code not in _ENDS:
            raise PermanentError(Reason.PROCESS_ENDED, _last_error(work / "log", code))
        if not keep_shadow(work / "report", results):
            return ShadowOutcome(ShadowEnd.SUPERSEDED, "the study was deleted meanwhile")
        return ShadowOutcome(_ENDS[code])

    def _wait(self, child: "subprocess.Popen[bytes]") -> int | None:
        """Return the exit code of a process, None if the worker is to end first; raise PermanentError if it takes too long."""
        os.setpriority(os.PRIO_PROCESS, child.pid, _LOWEST_PRIORITY)  # before it begins the threads that inherit this
        deadline_s = time.monotonic() + self._timeout_s
        try:
            while child.poll() is None:
                if self._stop.wait(_LOOK_S):
                    return None
                if time.monotonic() > deadline_s:
                    message = f"took longer than shadow.timeout_s ({self._timeout_s:g} s)"
                    raise PermanentError(Reason.PROCESS_ENDED, message)
            return child.returncode
        finally:
            _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _last_error(log: Path, code: int) -> str:
    """Return what the process said that it failed of: a line of ours, which names no patient."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = next((line for line in reversed(lines) if line.startswith("error: ")), "")
    return said.removeprefix("error: ")[:300] or f"the process ended with code {code}"
