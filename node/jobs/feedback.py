"""What people made of our results, as rows of the ledger; counted by the audit trail, which outlives them."""

from sqlalchemy.orm import Session

from node.domain.feedback import Feedback
from node.jobs.counting import FEEDBACK
from node.jobs.ledger import Ledger
from node.jobs.locks import locked
from node.jobs.schema import FeedbackRow, StudyRow


def record_feedback(ledger: Ledger, session: Session, feedback: Feedback) -> bool:
    """Keep feedback with its study; return False if the study is gone or the same is known already."""
    if locked(session, StudyRow, feedback.study_instance_uid) is None:
        return False
    known = session.get(FeedbackRow, feedback.sop_instance_uid)
    if known is not None and (known.kind, known.analysis_id) == (feedback.kind, feedback.analysis_id):
        return False
    session.merge(
        FeedbackRow(
            sop_instance_uid=feedback.sop_instance_uid,
            series_instance_uid=feedback.series_instance_uid,
            study_instance_uid=feedback.study_instance_uid,
            analysis_id=feedback.analysis_id,
            modality=feedback.modality,
            kind=feedback.kind,
            message=feedback.message,
            at=feedback.at,
        )
    )
    what = f"{feedback.message}, {feedback.sop_instance_uid}"
    ledger.note(session, feedback.study_instance_uid, f"{FEEDBACK}{feedback.kind}", feedback.analysis_id, message=what)
    ledger.touch(session, feedback.study_instance_uid)
    return True
