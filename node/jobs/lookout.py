"""How a worker sees new work soon and cheaply: one small question for all queues wakes the loop of the one that has some.

A look of the engine costs milliseconds even where there is nothing; the question costs a tenth of one. Nothing depends on it:
each loop also looks on its own, only seldom.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from dbos import DBOS
from dbos._queue import queue_worker_thread
from sqlalchemy import Connection, Dialect, column, literal, select, table, union_all
from sqlalchemy.engine import URL

from node.domain.errors import TransientError
from node.jobs.database import READING, open_engine, translated_errors
from node.jobs.tasks import WorkflowName

_log = logging.getLogger(__name__)

#: How often a loop of the engine looks on its own, in seconds: what a lost signal costs at most.
SELDOM_S = 2.0
_JOIN_S = 10.0


class Bell(threading.Event):
    """The stop event of a loop of the engine, whose wait also ends when there is work."""

    def __init__(self) -> None:
        super().__init__()
        self._rung = threading.Event()

    def ring(self) -> None:
        """End the wait that runs, or the next one."""
        self._rung.set()

    def set(self) -> None:
        """End the loop."""
        super().set()
        self._rung.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the bell; return whether the loop is to end."""
        self._rung.wait(timeout)
        self._rung.clear()
        return self.is_set()


@contextmanager
def taking_work(engine: DBOS, url: URL, look_s: float) -> Iterator[None]:
    """Take work for the time of the block, looking for it every ``look_s``.

    Parameters
    ----------
    engine
        Launched, with its queues declared, and listening to none of them.
    """
    bells = {name: Bell() for name in WorkflowName}
    threads = [
        threading.Thread(target=queue_worker_thread, args=(bell, engine, DBOS.retrieve_queue(name)), name=name, daemon=True)
        for name, bell in bells.items()
    ]
    stop = threading.Event()
    threads.append(threading.Thread(target=look_out, args=(url, look_s, bells, stop), name="lookout", daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for event in (stop, *bells.values()):
            event.set()
        for thread in threads:
            thread.join(_JOIN_S)


def look_out(url: URL, look_s: float, bells: Mapping[str, Bell], stop: threading.Event) -> None:
    """Ring the bell of each queue with work, until told to stop; while the database is away, seldom try again."""
    engine = open_engine(url).execution_options(**READING)
    while not stop.is_set():
        try:
            with translated_errors(url), engine.connect() as connection:
                _look(connection, _question(engine.dialect, bells), look_s, bells, stop)
        except TransientError as error:
            _log.debug("no look for new work: %s", error.message)  # the loops of the engine say the same
            stop.wait(SELDOM_S)
    engine.dispose()


def _look(connection: Connection, question: str, look_s: float, bells: Mapping[str, Bell], stop: threading.Event) -> None:
    while not stop.wait(look_s):
        for (name,) in connection.exec_driver_sql(question).all():
            bells[name].ring()
        connection.rollback()


def _question(dialect: Dialect, names: Iterable[str]) -> str:
    """Return the statement that gives the name of each queue with work; ``IN`` lets SQLite use the engine's partial index."""
    jobs = table("workflow_status", column("queue_name"), column("status"), schema=None if dialect.name == "sqlite" else "dbos")
    waiting = jobs.c.status.in_(["ENQUEUED", "PENDING"]) & (jobs.c.status == "ENQUEUED")
    parts = (
        select(literal(name)).where(select(jobs).where(waiting, jobs.c.queue_name == name).exists()) for name in map(str, names)
    )
    return str(union_all(*parts).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
