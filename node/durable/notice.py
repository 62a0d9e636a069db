"""The durable steps of a message: composed once, posted until it is taken or given up, noted in the audit trail."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from node.config import WebhookConfig
from node.domain.job import AnalysisId, NoticeEnd, NoticeEvent, Occasion, retry_delay_s
from node.durable.collaborators import Sender
from node.durable.steps import DurableSteps
from node.jobs import Ledger, Notices, Task

_log = logging.getLogger(__name__)


def notices_of(
    webhooks: Sequence[WebhookConfig], analysis_id: AnalysisId, event: NoticeEvent, source: str, destination: str = ""
) -> Iterator[Task]:
    """Yield the task of each webhook that wants an event; ``source`` is the job that saw it, so that a repeat is known as one."""
    for webhook in webhooks:
        if event in webhook.events:
            identity = hashlib.sha256(f"{event}\n{source}\n{webhook.name}".encode()).hexdigest()[:32]
            yield Task.notice(analysis_id, webhook.name, Occasion(identity, event, destination))


class NoticeWorkflow:
    """One attempt to tell one webhook; the next is a job of its own, and no delivery waits for it."""

    def __init__(self, sender: Sender | None, ledger: Ledger, steps: DurableSteps) -> None:
        self._sender = sender
        self._webhooks = {webhook.name: webhook for webhook in sender.webhooks} if sender is not None else {}
        self._notices = Notices(ledger)
        self._steps = steps

    def run(self, analysis_id: AnalysisId, webhook: str, occasion: Occasion, body: str, attempt: int) -> str:
        """Return how it ended, or ``waiting``."""
        sender, told = self._sender, self._webhooks.get(webhook)
        if sender is None or told is None:
            return self._end(analysis_id, webhook, NoticeEnd.GONE, f"{occasion.event} {occasion.event_id}")
        body = body or self._steps.step("compose", lambda: self._compose(sender, analysis_id, occasion))
        if not body:
            return self._end(analysis_id, webhook, NoticeEnd.GONE, f"{occasion.event} {occasion.event_id}")
        problem = self._steps.step("post", lambda: self._post(lambda: sender.post(told, occasion.event_id, body, time.time())))
        if not problem:
            return self._end(analysis_id, webhook, NoticeEnd.TOLD, f"{occasion.event} {occasion.event_id}")
        _log.warning("webhook failed", extra={"webhook": webhook, "explanation": problem, "attempt": attempt})
        if attempt >= told.retry.maximum_attempts:
            what = f"{occasion.event} {occasion.event_id}: {problem}, {attempt} times"
            return self._end(analysis_id, webhook, NoticeEnd.GIVEN_UP, what)
        delay_s = retry_delay_s(attempt, told.retry.first_delay_s, told.retry.maximum_delay_s)
        self._steps.enqueue(Task.notice(analysis_id, webhook, occasion, body, attempt + 1), delay_s)
        return "waiting"

    def _compose(self, sender: Sender, analysis_id: AnalysisId, occasion: Occasion) -> str:
        found = self._notices.find(analysis_id, occasion.destination)
        return "" if found is None else sender.compose(occasion, found)

    def _post(self, post: Callable[[], None]) -> str:
        """Return why it was not taken; empty if it was."""
        done = self._steps.guarded(post)
        return "" if done is None else str(done)

    def _end(self, analysis_id: AnalysisId, webhook: str, end: NoticeEnd, message: str) -> str:
        def record() -> str:
            self._notices.note(analysis_id, webhook, end, message)
            return ""

        self._steps.step("record", record)
        return end
