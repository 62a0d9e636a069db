"""DICOM instances and results on disk.

In: files that arrived, UIDs. Out: :class:`InstanceRef`, :class:`ReceivedStudy`, folders for results.
Never decodes pixels, never opens a network connection, never builds a path from a UID that was not parsed.
"""

from node.store.collect import CollectedStudies, collect_studies
from node.store.commitments import CommitmentRequest, Commitments, Committed, commitment_answer
from node.store.head import InstanceHead, content_digest, read_head
from node.store.patients import PatientStudy, identify_patient
from node.store.returned import ReturnedObject
from node.store.store import Store, open_store

__all__ = [
    "CollectedStudies",
    "CommitmentRequest",
    "Commitments",
    "Committed",
    "InstanceHead",
    "PatientStudy",
    "ReturnedObject",
    "Store",
    "collect_studies",
    "commitment_answer",
    "content_digest",
    "identify_patient",
    "open_store",
    "read_head",
]
