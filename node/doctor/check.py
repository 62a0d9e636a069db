"""What a check says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from node.domain.errors import NodeError


class CheckResult(StrEnum):
    """How a check ended; only ``failed`` makes the exit code 1."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what was found."""

    name: str
    result: CheckResult
    message: str


def checks_of(name: str, checks: Callable[[], Sequence[Check]]) -> Sequence[Check]:
    """Return the checks, or one failed check if they end with an error."""
    try:
        return checks()
    except NodeError as error:
        return [Check(name, CheckResult.FAILED, error.message)]
    except OSError as error:
        return [Check(name, CheckResult.FAILED, f"{error.filename or name}: {error.strerror or error}")]


def verdict(name: str, is_well: bool, message: str, advice: str) -> Check:
    """Return a check that is well, or a warning with advice."""
    return Check(name, CheckResult.OK if is_well else CheckResult.WARNING, message if is_well else f"{message}; {advice}")
