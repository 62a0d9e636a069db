"""What the pages have in common, opened once: job database, store, who is logged in, what was asked of the peers."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from node.config import Config, DestinationConfig
from node.delivery import EchoReport, echo
from node.domain.errors import NodeError
from node.jobs import JobClient
from node.store import Store
from node.web.guard import Gate
from node.web.password import Credentials
from node.web.reading import Browser, HeaderTexts, read_accession_number, read_scanner
from node.web.sessions import LoginLimiter, Sessions


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """What a destination answered when it was last asked."""

    at: datetime
    report: EchoReport | None
    problem: str = ""


class Echoes:
    """The last answer of each destination; a destination is asked by a person only, one at a time."""

    def __init__(self, ask: Callable[[DestinationConfig], EchoReport]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answers: dict[str, EchoAnswer] = {}

    def answers(self) -> Mapping[str, EchoAnswer]:
        """Return the last answers by destination."""
        return dict(self._answers)

    def ask(self, destination: DestinationConfig) -> EchoAnswer:
        """Ask a destination now and keep its answer."""
        with self._lock:
            try:
                answer = EchoAnswer(datetime.now(UTC), self._ask(destination))
            except NodeError as error:
                answer = EchoAnswer(datetime.now(UTC), None, error.message)
            self._answers[destination.name] = answer
            return answer


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that a page is made from."""

    config: Config
    jobs: JobClient
    store: Store
    credentials: Credentials
    sessions: Sessions
    limiter: LoginLimiter
    echoes: Echoes
    browser: Browser
    accession_numbers: HeaderTexts
    scanners: HeaderTexts
    #: Only one password is hashed at a time: a login costs memory.
    login_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def gate(self) -> Gate:
        """Who is let in."""
        return Gate(self.config.web, self.credentials, self.sessions)


def open_site(config: Config, jobs: JobClient, store: Store, credentials: Credentials) -> Site:
    """Return the site of a node; connects to nothing."""

    def ask(destination: DestinationConfig) -> EchoReport:
        return echo(destination, destination.calling_ae_title or config.reception.ae_title)

    return Site(
        config=config,
        jobs=jobs,
        store=store,
        credentials=credentials,
        sessions=Sessions(config.web.session_s, time.monotonic),
        limiter=LoginLimiter(time.monotonic),
        echoes=Echoes(ask),
        browser=Browser(store),
        accession_numbers=HeaderTexts(lambda uid: read_accession_number(store, uid)),
        scanners=HeaderTexts(lambda uid: read_scanner(store, uid)),
    )
