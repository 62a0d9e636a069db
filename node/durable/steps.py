"""What a workflow needs of the engine; given to it, so that the workflows of this package do not know the engine."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from node.domain.errors import NodeError
from node.jobs import Task

Result = TypeVar("Result")


class DurableSteps(Protocol):
    """The engine, as a workflow sees it."""

    def step(self, name: str, action: Callable[[], Result], /) -> Result:
        """Run a step that is not repeated once its result, which must be JSON, is recorded."""

    def enqueue(self, task: Task, delay_s: float, /) -> None:
        """Queue work for later."""

    def guarded(self, action: Callable[[], Result], /) -> Result | NodeError:
        """Return what an action returns, or the error that it ended with."""
