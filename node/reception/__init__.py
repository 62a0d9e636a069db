"""The node receives a study.

In: C-STORE and C-ECHO over DICOM associations. Out: instances in the store, and the studies that are complete.
Never decodes a data set, never waits for work or for a database, never decides whether a study is for us.
"""

from node.reception.admission import StoreStatus
from node.reception.completion import StudyAssembler
from node.reception.contexts import accepted_contexts, implementation
from node.reception.open_studies import Clock, OpenStudies
from node.reception.scp import StorageSCP

__all__ = ["Clock", "OpenStudies", "StorageSCP", "StoreStatus", "StudyAssembler", "accepted_contexts", "implementation"]
