"""A PACS from which studies are fetched."""

from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID

from node.config import SourceConfig
from node.delivery.query import FIND_MODEL, FoundStudy, StudyQuery, find_studies
from node.delivery.retrieve import GET_MODEL, MOVE_MODEL, Retrieved, get_study, move_study
from node.delivery.web_archive import find_studies_web, get_study_web


def retrieve_sop_classes() -> tuple[UID, ...]:
    """Return the SOP classes of query and retrieval that we use."""
    return FIND_MODEL, MOVE_MODEL, GET_MODEL


@dataclass(frozen=True, slots=True)
class Archive:
    """A configured source, and the AE title that we call it with unless it says another."""

    source: SourceConfig
    calling_ae_title: str

    @property
    def can_move(self) -> bool:
        """Whether studies are to be sent by the archive itself."""
        return self.source.retrieve == "move" and self.source.dicomweb is None

    def find(self, query: StudyQuery) -> tuple[FoundStudy, ...]:
        """Return the studies that match, as :func:`~node.delivery.query.find_studies`."""
        if self.source.dicomweb is not None:
            return find_studies_web(self.source, query)
        return find_studies(self.source, self.calling_ae_title, query)

    def move(self, study: FoundStudy, receiving_ae_title: str) -> Retrieved:
        """Have a study sent to an AE title, as :func:`~node.delivery.retrieve.move_study`."""
        return move_study(self.source, self.calling_ae_title, study, receiving_ae_title)

    def get(self, study: FoundStudy, folder: Path) -> Retrieved:
        """Write a study below a folder, as :func:`~node.delivery.retrieve.get_study`."""
        if self.source.dicomweb is not None:
            return get_study_web(self.source, study, folder)
        return get_study(self.source, self.calling_ae_title, study, folder)
