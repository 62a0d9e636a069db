"""What arrived and what was chosen of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from node.domain.errors import Finding
from node.domain.identity import InstanceRef, SeriesInstanceUID, StudyInstanceUID


@dataclass(frozen=True, slots=True)
class ReceivedSeries:
    """The instances of one series, in any order."""

    series_instance_uid: SeriesInstanceUID
    instances: tuple[InstanceRef, ...]


@dataclass(frozen=True, slots=True)
class ReceivedStudy:
    """The series of one study, in any order."""

    study_instance_uid: StudyInstanceUID
    all_series: tuple[ReceivedSeries, ...]


class SeriesRole(StrEnum):
    """What a selected series is used for."""

    SAGITTAL_T2 = "sagittal_t2"
    AXIAL_T2 = "axial_t2"


@dataclass(frozen=True, slots=True)
class SelectedSeries:
    """A series that passed every criterion of its role."""

    role: SeriesRole
    series: ReceivedSeries


@dataclass(frozen=True, slots=True)
class StudySelection:
    """The series by role, and for every other series the reasons why it was skipped."""

    study_instance_uid: StudyInstanceUID
    series_by_role: Mapping[SeriesRole, SelectedSeries]
    skipped: Mapping[SeriesInstanceUID, tuple[Finding, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
