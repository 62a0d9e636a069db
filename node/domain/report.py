"""What leaves the pipeline: the result objects of one analysis."""

from dataclasses import dataclass
from enum import StrEnum

from node.domain.identity import InstanceRef


class ReportKind(StrEnum):
    """The kinds of result object, as the ``objects`` of a destination name them."""

    SEG = "SEG"
    SR = "SR"
    PR = "PR"
    KO = "KO"
    SC = "SC"
    SR_LINES = "SR_LINES"
    SR_VOLUMES = "SR_VOLUMES"

    @property
    def modality(self) -> str:
        """Modality of the object: what ``measurements.json`` lists it as."""
        return self.value.split("_", maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class ReportObject:
    """One result object on disk, ready to be delivered.

    Parameters
    ----------
    fallback
        The same content as another SOP class, sent instead where the peer refuses the first.
    """

    kind: ReportKind
    instance: InstanceRef
    transfer_syntax_uid: str
    fallback: "ReportObject | None" = None
