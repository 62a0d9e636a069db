"""Rows of the ledger that nobody else changes meanwhile. Whoever needs a study and its analysis locks the study first."""

from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from node.domain.job import AnalysisId
from node.jobs.schema import AnalysisRow, Row, StudyRow

RowType = TypeVar("RowType", bound=Row)


def locked(session: Session, table: type[RowType], key: str) -> RowType | None:
    """Return a row, as it is now, that no other transaction changes until this one ends."""
    return session.get(table, key, with_for_update=True, populate_existing=True)


def locked_analysis(session: Session, analysis_id: AnalysisId) -> AnalysisRow | None:
    """Return an analysis that no other transaction changes until this one ends, nor its study."""
    study_instance_uid = session.scalar(select(AnalysisRow.study_instance_uid).where(AnalysisRow.analysis_id == analysis_id))
    if study_instance_uid is None:
        return None
    locked(session, StudyRow, study_instance_uid)
    return locked(session, AnalysisRow, analysis_id)
