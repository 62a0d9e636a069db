"""Who is logged in, and who tried too often; both only for as long as the process lives."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_SESSIONS = 2000
_MOST_ADDRESSES = 10_000
_FREE_FAILURES = 5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 30.0, 900.0

Monotonic = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Session:
    """One browser: the token that each of its forms must carry, and whether it has logged in."""

    key: str
    form_token: str
    is_member: bool

    def is_form(self, form_token: str) -> bool:
        """Return whether a form is one of this session's."""
        return secrets.compare_digest(self.form_token.encode(), form_token.encode())


class Sessions:
    """The sessions by the key in their cookie; the longest unused go first, those that never logged in before all others."""

    def __init__(self, idle_s: float, now: Monotonic) -> None:
        self._idle_s = idle_s
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[bool, OrderedDict[str, tuple[Session, float]]] = {True: OrderedDict(), False: OrderedDict()}

    def find(self, key: str | None) -> Session | None:
        """Return the session of a cookie, and keep it alive."""
        if not key:
            return None
        with self._lock:
            for kept in self._kept.values():
                if key in kept:
                    session, used_at = kept.pop(key)
                    if self._now() - used_at < self._idle_s:
                        kept[key] = (session, self._now())
                        return session
        return None

    def open(self, *, is_member: bool) -> Session:
        """Return a new session."""
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), is_member)
        with self._lock:
            kept = self._kept[is_member]
            kept[session.key] = (session, self._now())
            while len(kept) > _MOST_SESSIONS:
                kept.popitem(last=False)
        return session

    def close(self, session: Session) -> None:
        """End a session."""
        with self._lock:
            self._kept[session.is_member].pop(session.key, None)


class LoginLimiter:
    """Makes an address wait after failed logins: longer each time, and only that address."""

    def __init__(self, now: Monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return how long an address must wait before its next try."""
        with self._lock:
            failures, last_at = self._failures.get(address, (0, 0.0))
            if failures < _FREE_FAILURES:
                return 0.0
            pause_s = min(_FIRST_PAUSE_S * 2.0 ** min(failures - _FREE_FAILURES, 16), _LONGEST_PAUSE_S)
            return max(0.0, last_at + pause_s - self._now())

    def failed(self, address: str) -> None:
        """Note a failed try."""
        with self._lock:
            failures, _ = self._failures.pop(address, (0, 0.0))
            self._failures[address] = (failures + 1, self._now())
            while len(self._failures) > _MOST_ADDRESSES:
                self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        with self._lock:
            self._failures.pop(address, None)
