"""Durable work: nothing that was announced is lost, and the same content is analysed once.

In come Study Instance UIDs that are completely received, and what the workflows report of their progress. Out come
calls of the registered workflows, and the ledger of studies, analyses, deliveries and events. It never reads DICOM,
never runs a model and never knows what an analysis is made of.
"""

from node.jobs.client import JobClient, open_jobs
from node.jobs.database import server_time
from node.jobs.engine import EngineSettings, running_engine
from node.jobs.ledger import Claim, Ledger
from node.jobs.notices import Notices
from node.jobs.shadow import ShadowSubject, note_shadow, shadow_subject
from node.jobs.tasks import Task, WorkflowName
from node.jobs.tries import Tries

__all__ = [
    "Claim",
    "EngineSettings",
    "JobClient",
    "Ledger",
    "Notices",
    "ShadowSubject",
    "Task",
    "Tries",
    "WorkflowName",
    "note_shadow",
    "open_jobs",
    "running_engine",
    "server_time",
    "shadow_subject",
]
