"""The measurement reports of earlier analyses: what a new report replaces, or compares with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from node.dicom_errors import UNREADABLE
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
_SOP_CLASSES = (Comprehensive3DSRStorage, ComprehensiveSRStorage)
# Code values of DCM, TID 1500 and 1410.
_MEASUREMENTS, _GROUP, _TRACKING = "126010", "125007", "112039"
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
        document = dcmread(path)
        if document.SOPClassUID not in _SOP_CLASSES or SCHEME not in {
            item.CodingSchemeDesignator for item in document.get("CodingSchemeIdentificationSequence") or ()
        }:
            return None
        numbers = _numbers(document)
    except (OSError, *UNREADABLE):
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
    """Return the numbers of a report by tracking identifier and code value.

    Read from the content items themselves: the classes of highdicom take more than a second for all of a report.
    """
    numbers: dict[tuple[str, str], float] = {}
    groups = (one for measurements in _items(document, _MEASUREMENTS) for one in _items(measurements, _GROUP))
    for group in groups:
        (name,) = (str(one.TextValue) for one in _items(group, _TRACKING))
        for one in group.ContentSequence:
            if one.ValueType == "NUM" and one.MeasuredValueSequence:
                code = str(one.ConceptNameCodeSequence[0].CodeValue)
                numbers[name, code] = float(one.MeasuredValueSequence[0].NumericValue)
    return numbers


def _items(parent: Dataset, name: str) -> Iterator[Dataset]:
    """Yield the content items of a name, by its DCM code, directly below another."""
    for item in parent.get("ContentSequence") or ():
        concept = (item.get("ConceptNameCodeSequence") or [Dataset()])[0]
        if concept.get("CodeValue") == name and concept.get("CodingSchemeDesignator") == "DCM":
            yield item
