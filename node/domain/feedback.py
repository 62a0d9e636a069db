"""What people made of our results: an object that came back and speaks of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from node.domain.identity import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.job import AnalysisId


class FeedbackKind(StrEnum):
    """What an object that came back says of a result of ours.

    ``expired``: the archive drops it by its retention policy, which says nothing of its quality. ``noted``: it names our result
    and neither judges nor changes it. ``unreadable``: it is kept, and could not be read.
    """

    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    REJECTED = "rejected"
    EXPIRED = "expired"
    NOTED = "noted"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Feedback:
    """An object that came back, where it lies in the store, and the analysis that it speaks of.

    Parameters
    ----------
    message
        Why it counts as what it does, in our words: nothing of its own texts, which may name a patient or a reader.
    """

    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    analysis_id: AnalysisId
    modality: str
    kind: FeedbackKind
    message: str
    at: datetime
