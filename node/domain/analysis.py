"""Everything that is known of one study after inference and measurement: what the reporting stage receives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.domain.errors import Finding
from node.domain.identity import SeriesInstanceUID, StudyInstanceUID
from node.domain.image import Volume
from node.domain.measurement import Measurements
from node.domain.prediction import Masks
from node.domain.study import SeriesRole


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedSeries:
    """A volume and the masks on its grid."""

    volume: Volume
    masks: Masks


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """One analysed study.

    Parameters
    ----------
    fingerprint
        SHA-256, hexadecimal, of everything that decides the result: sorted input SOP Instance UIDs, software version,
        weight hashes, configuration. Result UIDs derive from it, so equal input gives equal UIDs.
    """

    study_instance_uid: StudyInstanceUID
    fingerprint: str
    series_by_role: Mapping[SeriesRole, SegmentedSeries]
    measurements: Measurements
    skipped: Mapping[SeriesInstanceUID, tuple[Finding, ...]] = field(default_factory=dict)
