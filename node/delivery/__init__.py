"""The node delivers reports to the PACS, and asks a PACS for studies: all that it calls peers for.

In: finished result objects on disk and a destination. Out: what the peer stored, and what it refused and why, and whether it was
asked to commit them.
Never changes an object, never waits to try again (the job queue does), never calls an object stored that was not.
"""

from node.delivery.archive import Archive
from node.delivery.commitment import CommitmentDesk
from node.delivery.contexts import native_transfer_syntaxes, sop_classes_of
from node.delivery.files import SentFiles, send_files
from node.delivery.query import FoundStudy, StudyQuery
from node.delivery.receipt import Receipt, RefusedObject, StoredObject
from node.delivery.scu import deliver_objects
from node.delivery.verification import EchoReport, echo

__all__ = [
    "Archive",
    "CommitmentDesk",
    "EchoReport",
    "FoundStudy",
    "Receipt",
    "RefusedObject",
    "SentFiles",
    "StoredObject",
    "StudyQuery",
    "deliver_objects",
    "echo",
    "native_transfer_syntaxes",
    "send_files",
    "sop_classes_of",
]
