"""A PACS from which studies are fetched."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydicom.uid import UID, generate_uid

from node.config import SourceConfig
from node.delivery.association import open_association
from node.delivery.contexts import NATIVE, contexts_for
from node.delivery.query import FIND_MODEL, FoundStudy, StudyQuery, find_studies
from node.delivery.retrieve import GET_MODEL, MOVE_MODEL, RETRIEVED_CLASSES, Retrieved, get_study, move_study
from node.delivery.web_archive import find_studies_web, get_study_web


@dataclass(frozen=True, slots=True)
class Archive:
    """A configured source, and the AE title that we call it with unless it says another."""

    #: The SOP classes of query and retrieval that we use, and of what is retrieved.
    SERVICES: ClassVar[tuple[UID, ...]] = (FIND_MODEL, MOVE_MODEL, GET_MODEL)
    RETRIEVED: ClassVar[tuple[UID, ...]] = RETRIEVED_CLASSES

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

    def require_services(self) -> None:
        """Ask for a study that nobody has: so it shows whether we may ask, and whether we could retrieve.

        Raises
        ------
        TransientError
            ``peer_unreachable`` or ``peer_rejected``.
        PermanentError
            ``sop_class_refused`` or ``query_refused``.
        """
        self.find(StudyQuery(generate_uid()))
        if self.source.dicomweb is None:
            model = MOVE_MODEL if self.can_move else GET_MODEL
            with open_association(self.source, self.calling_ae_title, contexts_for([(str(model), str(NATIVE[0]))])):
                pass  # one that is refused is not opened

    def move(self, study: FoundStudy, receiving_ae_title: str) -> Retrieved:
        """Have a study sent to an AE title, as :func:`~node.delivery.retrieve.move_study`."""
        return move_study(self.source, self.calling_ae_title, study, receiving_ae_title)

    def get(self, study: FoundStudy, folder: Path) -> Retrieved:
        """Write a study below a folder, as :func:`~node.delivery.retrieve.get_study`."""
        if self.source.dicomweb is not None:
            return get_study_web(self.source, study, folder)
        return get_study(self.source, self.calling_ae_title, study, folder)
