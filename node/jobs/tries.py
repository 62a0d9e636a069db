"""How often a process ended during a step: a job that ends every process must come to an end itself."""

from collections.abc import Iterable

from sqlalchemy import delete

from node.jobs.ledger import Ledger
from node.jobs.locks import locked
from node.jobs.schema import TryRow


class Tries:
    """Counts the processes that ended during the claim or the delivery of a job; of an analysis, the ledger does."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._begun: set[str] = set()

    def begin(self, workflow_id: str) -> int:
        """Note that a step begins; return how many processes ended during it before.

        A step that this process repeats, because the database was away, is not counted again.
        """
        with self._ledger.transaction() as session:
            row = locked(session, TryRow, workflow_id)
            if row is None:
                session.add(TryRow(workflow_id=workflow_id, interruptions=0))
            elif workflow_id not in self._begun:
                row.interruptions += 1
            interruptions = 0 if row is None else row.interruptions
        self._begun.add(workflow_id)
        return interruptions

    def end(self, workflow_ids: Iterable[str]) -> None:
        """Note that the step has ended."""
        ended = tuple(workflow_ids)
        with self._ledger.transaction() as session:
            session.execute(delete(TryRow).where(TryRow.workflow_id.in_(ended)))
        self._begun.difference_update(ended)
