"""Durable workflows beside analysis and delivery, and what all of them need of the world and of the engine.

In: tasks of the job database. Out: what became of them, noted in the ledger. Models, DICOM and HTTP are given, not imported: a
worker's start costs what it uses, and tests give fakes.
"""

from node.durable.collaborators import Analyser, Collaborators, Deliverer, Sender, ShadowSet
from node.durable.notice import NoticeWorkflow, notices_of
from node.durable.shadow import ShadowWorkflow
from node.durable.steps import DurableSteps

__all__ = [
    "Analyser",
    "Collaborators",
    "Deliverer",
    "DurableSteps",
    "NoticeWorkflow",
    "Sender",
    "ShadowSet",
    "ShadowWorkflow",
    "notices_of",
]
