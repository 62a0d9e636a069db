"""What the ledger knows for telling other programs: what became of an analysis, and how the telling ended."""

from pathlib import Path

from node.domain.identity import StudyInstanceUID
from node.domain.job import AnalysisId, NoticeEnd
from node.domain.worklist import Noticed
from node.jobs.counting import NOTICE
from node.jobs.ledger import Ledger
from node.jobs.schema import AnalysisRow, DeliveryRow


class Notices:
    """Reads what is to be told, and notes in the audit trail that it was."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def find(self, analysis_id: AnalysisId, destination: str = "") -> Noticed | None:
        """Return what became of an analysis; None if it was purged."""
        with self._ledger.reading() as session:
            analysis = session.get(AnalysisRow, analysis_id)
            delivery = session.get(DeliveryRow, (analysis_id, destination)) if destination else None
            if analysis is None or (destination and delivery is None):
                return None
            spoken_of = analysis if delivery is None else delivery
            return Noticed(
                study_instance_uid=analysis.study_instance_uid,
                analysis_id=analysis_id,
                revision=analysis.revision,
                state=spoken_of.state,
                status=analysis.status,
                reason=spoken_of.reason,
                findings=tuple(analysis.findings),
                folder=None if analysis.folder is None else Path(analysis.folder),
                at=(analysis.finished_at if delivery is None else delivery.updated_at) or self._ledger.now(),
            )

    def note(self, analysis_id: AnalysisId, webhook: str, end: NoticeEnd, message: str) -> None:
        """Note how telling a webhook ended; nothing else of the study changes, nor does its age."""
        with self._ledger.transaction() as session:
            analysis = session.get(AnalysisRow, analysis_id)
            if analysis is not None:
                study = StudyInstanceUID(analysis.study_instance_uid)
                self._ledger.note(session, study, f"{NOTICE}{end}", webhook, message=message)
