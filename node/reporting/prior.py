"""The measurement reports of earlier analyses: what a new report replaces, or compares with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from node.domain.analysis import Analysis, PriorReport
from node.domain.anatomy import Structure
from node.domain.errors import Finding, PermanentError, Reason, Severity
from node.domain.measurement import Measurement, Quantity
from node.domain.report import ReportKind, ReportObject
from node.reporting.codes import QUANTITIES, SCHEME
from node.reporting.figures import rounded, shown
from node.reporting.folder import read_report
from node.reporting.provenance import model_uid
from node.reporting.references import instance_of

#: Tracking identifier of the group that holds each value that is compared over time.
HEADLINE_GROUPS: Mapping[tuple[Quantity, Structure], str] = {
    (Quantity.MAXIMUM_SPINAL_CORD_COMPRESSION, Structure.SPINAL_CORD): "MSCC (c3-c7)",
    (Quantity.MAXIMUM_CANAL_COMPROMISE, Structure.SPINAL_CANAL): "MCC (c3-c7)",
    (Quantity.CROSS_SECTIONAL_AREA, Structure.SPINAL_CORD): "Axial cord",
    (Quantity.CORD_COMPRESSION_RATIO, Structure.SPINAL_CORD): "Axial cord",
}
_OTHER_MODELS = Finding(
    Reason.PRIOR_NOT_COMPARABLE,
    Severity.FLAG,
    "the prior was measured with other trained networks: the change may be theirs, not the patient's",
)


@dataclass(frozen=True, slots=True)
class Change:
    """A value beside that of the prior report.

    Parameters
    ----------
    difference
        Present minus prior value, in the unit of the measurement (percentage points for MSCC and MCC).
    """

    measured: Measurement
    prior: float
    difference: float
    findings: tuple[Finding, ...]


def changes_of(analysis: Analysis) -> tuple[Change, ...]:
    """Return the change of MSCC, MCC, area and compression ratio against the prior; none where one of both was withheld."""
    prior = analysis.history.prior
    if prior is None:
        return ()
    present = {model_uid(model) for model in analysis.measurements.models}
    findings = (*(() if present == prior.model_uids else (_OTHER_MODELS,)), *analysis.history.findings)
    changes: list[Change] = []
    for measured in analysis.measurements.headline:
        value, before = shown(measured), prior.values.get((measured.quantity, measured.structure))
        if value is not None and before is not None:
            changes.append(Change(measured, before, rounded(value - before, measured.unit), findings))
    return tuple(changes)


def measurement_report(folder: Path) -> ReportObject | None:
    """Return the measurement SR of a results folder; None if the folder holds no whole report (any more)."""
    try:
        objects = read_report(folder)
    except PermanentError:
        return None
    return next((one for one in objects if one.kind is ReportKind.SR), None)


def read_prior(path: Path) -> PriorReport | None:
    """Return what one of our measurement SRs says; None if the file is not one or has no value that can be compared."""
    try:
        document = sr.srread(path)
        if SCHEME not in {item.CodingSchemeDesignator for item in document.get("CodingSchemeIdentificationSequence") or ()}:
            return None
        numbers = _numbers(document)
    except (InvalidDicomError, OSError, EOFError, RuntimeError, ValueError, TypeError, AttributeError, LookupError):
        return None
    values = {
        key: numbers[group, QUANTITIES[key].value]
        for key, group in HEADLINE_GROUPS.items()
        if (group, QUANTITIES[key].value) in numbers
    }
    equipment = document.get("ContributingEquipmentSequence") or ()
    models = frozenset(str(item.DeviceUID) for item in equipment if "DeviceUID" in item)
    return PriorReport(instance_of(document, path), values, models) if values else None


def _numbers(document: Dataset) -> dict[tuple[str, str], float]:
    """Return the numbers of a report by tracking identifier and code value."""
    return {
        (group.tracking_identifier, number.name.value): float(number.value)
        for group in document.content.get_planar_roi_measurement_groups()
        for number in group.get_measurements()
    }
