"""The job database as the receiver, the commands and the pages use it: announce, list, retry, cancel, purge."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from dbos import DBOSClient, DBOSPortableJSONSerializer
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from node.domain.errors import PermanentError, Reason, TransientError
from node.domain.feedback import Feedback
from node.domain.identity import StudyInstanceUID
from node.domain.job import JobState
from node.domain.worklist import AuditEntry, StalledJob, StudyAge, StudyEntry, StudyHistory, StudyList, StudyQuery, Tally
from node.jobs.counting import count_all, count_states
from node.jobs.database import database_url, open_engine, prepare_database, translated_errors
from node.jobs.feedback import record_feedback
from node.jobs.ledger import Clock, Ledger
from node.jobs.redelivery import Redelivery, resend_results, retry_deliveries, unknown_study
from node.jobs.tasks import APPLICATION_NAME, Task
from node.jobs.tries import Tries
from node.jobs.upkeep import stalled_jobs
from node.jobs.worklist import list_ages, list_feedback, list_studies, read_audit, read_history

_ACTIVE = ["ENQUEUED", "PENDING", "DELAYED"]
_FINISHED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
# Rows that are deleted at once; the rest waits for the next time.
_ROWS = 10_000


class JobClient:
    """Announce studies and look after their jobs, whether workers run or not.

    Connects at the first use, so that a receiver starts and stores studies while the database is away.
    Every method raises TransientError ``database_unavailable`` when it is.
    """

    def __init__(self, database: str, clock: Clock) -> None:
        self._url = database_url(database)
        self._ledger = Ledger(open_engine(self._url), self._url, clock)
        self._clock = clock
        self._lock = threading.Lock()
        self._connected: DBOSClient | None = None

    def close(self) -> None:
        """Give the connections back."""
        if self._connected is not None:
            self._connected.destroy()
        self._ledger.close()

    def study_ready(self, study_instance_uid: StudyInstanceUID, senders: Sequence[str] = (), manifest: str = "") -> None:
        """Announce that a study is completely received, and from whom; the same content is not analysed a second time.

        Parameters
        ----------
        manifest
            Name of the list of what was received, which the worker must see.
        """
        try:
            self._announce(study_instance_uid, senders, manifest)
        except TransientError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
            self._announce(study_instance_uid, senders, manifest)  # another receiver made the row of the study at this moment

    def _announce(self, study_instance_uid: StudyInstanceUID, senders: Sequence[str], manifest: str) -> None:
        with self._queue() as (client, session):
            arrival = self._ledger.announce(session, study_instance_uid, senders)
            self._enqueue(client, session, Task.analysis(study_instance_uid, arrival, manifest=manifest))

    def studies(self, state: JobState | None = None) -> tuple[StudyEntry, ...]:
        """Return the studies, last changed first."""
        return self.find(StudyQuery(states=frozenset() if state is None else frozenset({state}))).entries

    def find(self, query: StudyQuery) -> StudyList:
        """Return the studies that are looked for, last changed first."""
        with self._reading() as session:
            return list_studies(session, query)

    def history(self, study_instance_uid: StudyInstanceUID) -> StudyHistory | None:
        """Return everything that is known of a study, None if it is unknown."""
        with self._reading() as session:
            return read_history(session, study_instance_uid)

    def study(self, study_instance_uid: StudyInstanceUID) -> StudyHistory:
        """Return everything that is known of a study; raise PermanentError ``study_unknown``."""
        with self._reading() as session:
            return self._known(session, study_instance_uid)

    def tally(self) -> Tally:
        """Return everything that is counted."""
        with self._reading() as session:
            return count_all(session)

    def states(self) -> Mapping[str, int]:
        """Return how many studies are in each state; of a tally the part that every page shows."""
        with self._reading() as session:
            return count_states(session)

    def stalled(self, alarm_s: float) -> tuple[StalledJob, ...]:
        """Return the jobs that have been running for longer, in seconds; the oldest first."""
        client = self._client()
        with translated_errors(self._url):
            pending = client.list_workflows(status="PENDING", load_input=False, load_output=False)
        return stalled_jobs(pending, self._clock(), alarm_s)

    def retry(self, study_instance_uid: StudyInstanceUID, actor: str = "") -> str:
        """Analyse a study again that failed, was cancelled or waits, or deliver what was not delivered.

        Parameters
        ----------
        actor
            Who asks for it, for the audit trail; also of the other methods that change something.

        Returns
        -------
        str
            What is done now, as a phrase.

        Raises
        ------
        PermanentError
            ``study_unknown``, or ``nothing_to_retry``.
        """
        with self._queue() as (client, session):
            state = self._known(session, study_instance_uid).study.state
            if state in (JobState.FAILED, JobState.CANCELLED, JobState.WAITING):
                self._ledger.note_retry(session, study_instance_uid, actor)
                arrival = self._ledger.announce(session, study_instance_uid)
                self._enqueue(client, session, Task.analysis(study_instance_uid, arrival))
                return "analysis queued"
            reopened = retry_deliveries(self._ledger, session, study_instance_uid, actor)
            if not reopened:
                raise PermanentError(Reason.NOTHING_TO_RETRY, f"study {study_instance_uid} is {state}: nothing to retry")
            return self._deliver(client, session, reopened)

    def resend(self, study_instance_uid: StudyInstanceUID, destinations: Sequence[str], actor: str = "", to: str = "") -> str:
        """Deliver the current results of a study again, also where they were delivered.

        Parameters
        ----------
        destinations
            Names of all destinations of the configuration.
        to
            Name of the only one to send to; empty: to all.

        Returns
        -------
        str
            What is done now, as a phrase.

        Raises
        ------
        PermanentError
            ``study_unknown``, ``destination_unknown``, ``nothing_to_retry`` if there are no results or they are being delivered,
            or ``report_unreadable`` if they are gone from the disk.
        """
        if to and to not in destinations:
            known = ", ".join(destinations) or "none"
            raise PermanentError(Reason.DESTINATION_UNKNOWN, f"no destination {to!r} in the configuration; there are: {known}")
        with self._queue() as (client, session):
            self._known(session, study_instance_uid)
            names = (to,) if to else destinations
            return self._deliver(client, session, resend_results(self._ledger, session, study_instance_uid, names, actor))

    def _deliver(self, client: DBOSClient, session: Session, reopened: Sequence[Redelivery]) -> str:
        for analysis_id, destination, attempt in reopened:
            self._enqueue(client, session, Task.delivery(analysis_id, destination, attempt, first_attempt=attempt))
        return "delivery queued to " + ", ".join(destination for _, destination, _ in reopened)

    def cancel(self, study_instance_uid: StudyInstanceUID, actor: str = "") -> int:
        """Cancel what has not ended of a study; return how many analyses and deliveries that were.

        A running step is not interrupted, but its result is dropped.
        """
        with self._queue() as (_, session):
            history = self._known(session, study_instance_uid)
            cancelled = self._ledger.cancel(session, study_instance_uid, actor)
        self._cancel_workflows(history)
        return cancelled

    def purge(self, study_instance_uid: StudyInstanceUID, actor: str = "") -> None:
        """Forget a study except for its events; raise PermanentError ``study_unknown``."""
        with self._queue() as (_, session):
            history = self._known(session, study_instance_uid)
            self._ledger.cancel(session, study_instance_uid, actor)
            self._ledger.remove(session, study_instance_uid, actor)
        self._cancel_workflows(history)
        self._delete_workflows(history)

    def note_feedback(self, feedback: Feedback) -> bool:
        """Keep what somebody made of a result; return False if its study is gone or the same is known already."""
        with self._queue() as (_, session):
            return record_feedback(self._ledger, session, feedback)

    def feedback(self) -> tuple[Feedback, ...]:
        """Return what people made of the results that are here, oldest first."""
        with self._reading() as session:
            return list_feedback(session)

    def ages(self) -> tuple[StudyAge, ...]:
        """Return state and last change of every study, longest unchanged first."""
        with self._reading() as session:
            return list_ages(session)

    def has_ended(self, study_instance_uid: StudyInstanceUID) -> bool:
        """Return whether nothing more happens to a study on its own, in none of its revisions; one that is unknown has ended."""
        with self._queue() as (_, session):
            return self._ledger.has_ended(session, study_instance_uid)

    def purge_ended(self, study_instance_uid: StudyInstanceUID, actor: str) -> bool:
        """Forget a study except for its events if nothing more happens to it, and return whether that was so."""
        with self._queue() as (_, session):
            if not self._ledger.has_ended(session, study_instance_uid):
                return False
            history = read_history(session, study_instance_uid)
            self._ledger.remove(session, study_instance_uid, actor)
        if history is not None:
            self._delete_workflows(history)
        return True

    def delete_events(self, before: datetime) -> int:
        """Delete what the audit trail holds from before a moment, and return how many lines that were."""
        self._client()
        return self._ledger.delete_events(before)

    def delete_finished(self, before: datetime) -> int:
        """Delete the engine's rows of finished jobs that were queued before a moment, and return how many."""
        with translated_errors(self._url):
            found = self._client().list_workflows(
                status=_FINISHED, end_time=before.isoformat(), limit=_ROWS, load_input=False, load_output=False
            )
            self._client().delete_workflows([workflow.workflow_id for workflow in found])
        return len(found)

    def audit(self, study_instance_uid: StudyInstanceUID | None = None, since: datetime | None = None) -> tuple[AuditEntry, ...]:
        """Return the audit trail, oldest first, of one study or of all; also of studies that were purged."""
        with self._reading() as session:
            return read_audit(session, study_instance_uid, since)

    def _delete_workflows(self, history: StudyHistory) -> None:
        workflow_ids = self._workflow_ids(history)
        with translated_errors(self._url):
            self._client().delete_workflows(workflow_ids)
        Tries(self._ledger).end(workflow_ids)

    def _known(self, session: Session, study_instance_uid: StudyInstanceUID) -> StudyHistory:
        history = read_history(session, study_instance_uid)
        if history is None:
            raise unknown_study(session, study_instance_uid)
        return history

    def _cancel_workflows(self, history: StudyHistory) -> None:
        with translated_errors(self._url):
            self._client().cancel_workflows(self._workflow_ids(history, _ACTIVE))

    def _workflow_ids(self, history: StudyHistory, status: list[str] | None = None) -> list[str]:
        prefixes = [f"analyse:{history.study.study_instance_uid}:"]
        prefixes += [f"{name}:{analysis.analysis_id}:" for analysis in history.analyses for name in ("deliver", "shadow")]
        found = self._client().list_workflows(workflow_id_prefix=prefixes, status=status, load_input=False, load_output=False)
        return [workflow.workflow_id for workflow in found]

    @contextmanager
    def _queue(self) -> Iterator[tuple[DBOSClient, Session]]:
        """Give the engine's client and a transaction of the ledger, in which jobs may be queued."""
        client = self._client()
        with self._ledger.transaction() as session:
            yield client, session

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        """Give a transaction of the ledger that only reads."""
        self._client()
        with self._ledger.reading() as session:
            yield session

    def _client(self) -> DBOSClient:
        with self._lock:
            if self._connected is None:
                prepare_database(self._url)
                with translated_errors(self._url):
                    self._connected = DBOSClient(
                        system_database_url=self._url.render_as_string(hide_password=False),
                        serializer=DBOSPortableJSONSerializer(),
                        application_name=APPLICATION_NAME,
                        retry_connection_errors=False,
                    )
            return self._connected

    @staticmethod
    def _enqueue(client: DBOSClient, session: Session, task: Task) -> None:
        client.enqueue_in_transaction(session, task.options(), *task.arguments)


def open_jobs(database: str, clock: Clock = lambda: datetime.now(UTC)) -> JobClient:
    """Return the client of a job database: ``sqlite:PATH`` or ``postgresql://...``; connects at the first use."""
    return JobClient(database, clock)
