"""Everything that is known of one study after inference and measurement: what the reporting stage receives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from node.domain.anatomy import Structure
from node.domain.errors import Finding
from node.domain.identity import InstanceRef, SeriesInstanceUID, StudyInstanceUID
from node.domain.image import Volume
from node.domain.measurement import Measurements, Quantity
from node.domain.prediction import Masks
from node.domain.report import ReportObject
from node.domain.study import SeriesRole


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedSeries:
    """A volume and the masks on its grid."""

    volume: Volume
    masks: Masks


@dataclass(frozen=True, slots=True)
class PriorReport:
    """What was measured on an earlier study of the same patient.

    Parameters
    ----------
    report
        The measurement SR that says it.
    values
        In the unit of the SR, by what was measured; a value that was withheld is absent.
    model_uids
        Device UID of each trained network that it rests on.
    """

    report: InstanceRef
    values: Mapping[tuple[Quantity, Structure], float]
    model_uids: frozenset[str]


@dataclass(frozen=True, slots=True)
class PriorLookup:
    """What a look for the prior of a study at the archives came to.

    Parameters
    ----------
    key
        Digest of the patient whose reports were looked for.
    unanswered
        Names of the archives that did not answer.
    report
        File of the latest report; None if there is none.
    """

    key: str
    unanswered: tuple[str, ...] = ()
    report: Path | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What was reported before and a new report refers to.

    Parameters
    ----------
    predecessor
        The measurement SR of the version before of the same study, which the new one replaces.
    predecessor_content
        What that version was made from, as :attr:`Analysis.content`; empty if that is not known.
    prior
        The latest report of an earlier study of the same patient.
    findings
        What speaks against the prior, or against there being none.
    """

    predecessor: ReportObject | None = None
    predecessor_content: str = ""
    prior: PriorReport | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """UIDs of the reports that it names, and what it says besides: they decide the result too."""
        predecessor = () if self.predecessor is None else (f"predecessor {self.predecessor.instance.sop_instance_uid}",)
        prior = () if self.prior is None else (f"prior {self.prior.report.sop_instance_uid}",)
        return (*predecessor, *prior, *(f"{one.code} {one.message}" for one in self.findings))


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """One analysed study.

    Parameters
    ----------
    fingerprint
        SHA-256, hexadecimal, of everything that decides the result: input SOP Instance UIDs with their content, software version,
        weight hashes, configuration, reports it refers to. Result UIDs derive from it, so equal input gives equal UIDs.
    content
        The same without the version before: equal content is an equal result, which is not a new version.
    """

    study_instance_uid: StudyInstanceUID
    fingerprint: str
    series_by_role: Mapping[SeriesRole, SegmentedSeries]
    measurements: Measurements
    skipped: Mapping[SeriesInstanceUID, tuple[Finding, ...]] = field(default_factory=dict)
    history: History = History()
    content: str = ""
