"""The thread that a request has stopped stays stopped until the request is done."""

import threading
import time
from types import SimpleNamespace

from node.delivery.checkpoint import Checkpoint
from tests.support.external import wait_until


def test_a_thread_that_is_just_passing_counts_as_running():
    association = SimpleNamespace(_is_paused=False)
    checkpoint = Checkpoint(association)
    checkpoint.set()
    is_requesting, is_over = threading.Event(), threading.Event()
    taken: list[float] = []

    def reactor() -> None:
        """Go on as pynetdicom's reactor does, slowly where it is fatal."""
        while not is_over.is_set():
            association._is_paused = True
            checkpoint.wait(1)
            time.sleep(0.001)  # the scheduler takes its time
            association._is_paused = False
            if is_requesting.is_set():
                taken.append(time.monotonic())

    thread = threading.Thread(target=reactor)
    thread.start()
    for _ in range(100):
        checkpoint.clear()
        while not association._is_paused:
            time.sleep(0.0001)
        is_requesting.set()
        time.sleep(0.002)  # the peer takes its time
        is_requesting.clear()
        checkpoint.set()
        time.sleep(0.001)
    is_over.set()
    thread.join(5)
    assert taken == []


def test_a_checkpoint_that_is_closed_again_before_it_was_passed_says_so():
    association = SimpleNamespace(_is_paused=True)
    checkpoint = Checkpoint(association)
    thread = threading.Thread(target=checkpoint.wait)
    thread.start()
    with checkpoint._passing:
        checkpoint.set()
        wait_until(lambda: not checkpoint._cond._waiters, "the thread has woken up")
        association._is_paused = False  # pynetdicom served a request of the peer meanwhile
        threading.Event.clear(checkpoint)
    try:
        wait_until(lambda: association._is_paused, "whoever closed it may go on")
    finally:
        checkpoint.set()
        thread.join(5)
