"""The receiver: the SCP and the clock. Complete studies become jobs."""

import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from node.config import Config, ReceptionConfig
from node.domain.errors import ConfigError, Reason
from node.domain.identity import StudyInstanceUID
from node.reception import Clock, OpenStudies, StorageSCP, StudyAssembler
from node.store import Store, open_store

_log = logging.getLogger(__name__)

# What a peer that hung up has left in ``incoming`` is swept this often.
_SWEEP_S = 60.0
# A receiver that did not hand over a study this long after its quiet time is gone.
_SILENCE_S = 60.0


def run_receiver(
    config: Config,
    on_complete: Callable[[StudyInstanceUID], None],
    *,
    stop: threading.Event,
    on_ready: Callable[[int], None],
) -> None:
    """Receive studies until ``stop`` is set, then let running associations finish.

    Parameters
    ----------
    on_complete
        Called in this thread for each complete study; if it raises, the study stays open and is handed over again.
        It may be called again for a study that it has already seen: after a crash, or if more images arrived.
    on_ready
        Called once with the port when associations are accepted.

    Raises
    ------
    ConfigError
        ``port_in_use``, ``already_running`` (another receiver of this name uses the store) or ``config_invalid``.
    """
    store = open_store(config.store, receiver_name(config))
    clock = Clock(time.monotonic, store.marks.now_s)
    open_studies = OpenStudies(StudyAssembler(config.reception.completion), store, clock)
    scp = StorageSCP(config.reception, store, open_studies)
    with _sole_receiver(store, receiver_name(config)):
        if receiver_name(config):
            _sweep(store, config.reception)
        else:
            store.sweep_incoming(before=clock.epoch_s() + _SWEEP_S)  # nobody else receives
        restored = open_studies.restore()
        port = scp.start()
        _log.info("receiver started: AE %s, port %d, %d open studies restored", config.reception.ae_title, port, restored)
        try:
            on_ready(port)
            _complete_until(stop, open_studies, store, config.reception, on_complete)
        finally:
            scp.stop(config.jobs.shutdown_grace_s)
            open_studies.hand_over(on_complete)
            _log.info("receiver stopped: %d instances stored, %d studies still open", scp.stored_count, len(open_studies))


def _complete_until(
    stop: threading.Event,
    open_studies: OpenStudies,
    store: Store,
    reception: ReceptionConfig,
    on_complete: Callable[[StudyInstanceUID], None],
) -> None:
    """Hand over complete studies, and clear up after receivers that are gone, until ``stop`` is set."""
    silent_s = reception.completion.quiet_s + _SILENCE_S
    next_sweep_s = time.monotonic() + _SWEEP_S
    while not stop.wait(min(open_studies.seconds_to_next(), _SWEEP_S)):
        open_studies.hand_over(on_complete)
        if time.monotonic() >= next_sweep_s:
            open_studies.adopt(silent_s)
            _sweep(store, reception)
            next_sweep_s = time.monotonic() + _SWEEP_S


def receiver_name(config: Config) -> str:
    """Return the name under which a receiver marks its studies; none on one machine, where a container may change its own."""
    if config.database.startswith("sqlite:"):
        return ""
    return f"{config.jobs.machine_name or socket.gethostname()}-{config.reception.port}"


def _sweep(store: Store, reception: ReceptionConfig) -> None:
    """Delete what no association can still be writing, at whichever receiver."""
    store.sweep_incoming(before=store.marks.now_s() - reception.idle_timeout_s - _SWEEP_S)


@contextmanager
def _sole_receiver(store: Store, name: str) -> Iterator[None]:
    """Hold the lock of a receiver's name: two of one name would remove each other's marks."""
    descriptor = os.open(store.root / (f"receiver@{name}.lock" if name else "receiver.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        what = f"another receiver{f' of the name {name}' if name else ''} uses the store {store.root}"
        hint = "stop it or give this one its own store" if not name else "stop it or give this one another jobs.machine_name"
        raise ConfigError(Reason.ALREADY_RUNNING, f"{what}; {hint}") from error
    finally:
        os.close(descriptor)
