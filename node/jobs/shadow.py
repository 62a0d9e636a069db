"""What the ledger knows for the second set of models: which results it may run beside, and how it ended."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from node.domain.identity import StudyInstanceUID
from node.domain.job import FINAL_DELIVERY_STATES, AnalysisId, JobState
from node.jobs.counting import SHADOW
from node.jobs.ledger import Ledger
from node.jobs.schema import AnalysisRow, DeliveryRow, StudyRow


@dataclass(frozen=True, slots=True)
class ShadowSubject:
    """Results that were delivered as far as they will be: their study, the digest of its images, their folder."""

    study_instance_uid: StudyInstanceUID
    digest: str
    folder: Path


def shadow_subject(ledger: Ledger, analysis_id: AnalysisId) -> ShadowSubject | None:
    """Return the results of an analysis if they are the latest of their study and no delivery of them is due any more."""
    with ledger.reading() as session:
        analysis = session.get(AnalysisRow, analysis_id)
        study = None if analysis is None else session.get(StudyRow, analysis.study_instance_uid)
        if analysis is None or study is None or study.current_analysis != analysis_id or study.claimed < study.arrivals:
            return None
        if analysis.state not in (JobState.ANALYSED, JobState.DELIVERED) or not analysis.folder or not analysis.object_count:
            return None
        owed = select(func.count()).where(DeliveryRow.analysis_id == analysis_id, DeliveryRow.state.not_in(FINAL_DELIVERY_STATES))
        if session.scalar(owed):
            return None
        return ShadowSubject(StudyInstanceUID(study.study_instance_uid), analysis.digest, Path(analysis.folder))


def note_shadow(ledger: Ledger, analysis_id: AnalysisId, end: str, message: str) -> None:
    """Note in the audit trail how a second analysis ended; nothing else of the study changes, nor does its age."""
    with ledger.transaction() as session:
        analysis = session.get(AnalysisRow, analysis_id)
        if analysis is not None:
            ledger.note(session, StudyInstanceUID(analysis.study_instance_uid), f"{SHADOW}{end}", analysis_id, message=message)
