"""The numbers that two sides are compared in, from measurements in memory and from ``measurements.json``."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from node.domain.anatomy import LEVELS, Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.measurement import (
    AxialMeasurements,
    AxialSliceMeasurements,
    Measurement,
    Measurements,
    SagittalMeasurements,
    Verdict,
)


class Side(StrEnum):
    """Who says it."""

    MODEL = "model"
    READER = "reader"
    GOLD = "gold"


class Measure(StrEnum):
    """What is compared, by the names of the paper; of a study, of its levels, or of its axial slices."""

    MSCC = "MSCC"
    MCC = "MCC"
    TA = "TA"
    CR = "CR"
    AXIAL_AP = "cord AP, axial"
    TRANSVERSE = "cord transverse, axial"
    CORD_AP = "cord AP, each level"
    CANAL_AP = "canal AP, each level"
    SLICE_TA = "TA, each slice"
    SLICE_CR = "CR, each slice"
    SLICE_AP = "cord AP, each slice"
    SLICE_TRANSVERSE = "cord transverse, each slice"

    @property
    def unit(self) -> str:
        """Unit as it is printed; empty for a ratio."""
        if self in (Measure.MSCC, Measure.MCC):
            return "%"
        if self in (Measure.TA, Measure.SLICE_TA):
            return "mm²"
        return "" if self in (Measure.CR, Measure.SLICE_CR) else "mm"

    @property
    def repeats(self) -> bool:
        """Whether one study gives several values, which are not independent of each other."""
        return ", each " in self.value


HEADLINES = (Measure.MSCC, Measure.MCC, Measure.TA, Measure.CR)
SLICE_MEASURES = (Measure.SLICE_TA, Measure.SLICE_CR, Measure.SLICE_AP, Measure.SLICE_TRANSVERSE)
SECTION_MEASURES = (Measure.TA, Measure.CR, Measure.AXIAL_AP, Measure.TRANSVERSE)
STUDY_MEASURES = (Measure.MSCC, Measure.MCC, *SECTION_MEASURES)
_SECTION_KEYS = ("ta_mm2", "cr", "ap_mm", "transverse_mm")


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of one side, or the codes of the reasons why there is none.

    Parameters
    ----------
    place
        Level or slice; empty for a number of the whole study.
    value
        In the unit of the measure; None exactly if it is withheld.
    """

    measure: Measure
    place: str
    value: float | None
    verdict: Verdict
    reasons: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[Measure, str]:
        """What another side has to have read for the two to be a pair."""
        return self.measure, self.place


def slice_place(slice_index: int) -> str:
    """Return the place of an axial slice."""
    return f"slice {slice_index}"


def readings_of(measured: Measurements) -> tuple[Reading, ...]:
    """Return every compared number of a study; those that the node withheld or could not give say why."""
    missing = _codes(f for f in measured.findings if f.severity is Severity.WITHHOLD)
    found = [] if measured.sagittal is None else list(_sagittal(measured.sagittal))
    decisive = None if measured.axial is None else measured.axial.decisive
    if decisive is None:
        found += [withheld(measure, "", missing or (Reason.NO_AXIAL_AT_LEVEL.value,)) for measure in SECTION_MEASURES]
    else:
        found += _section(decisive, SECTION_MEASURES, "")
    return (*found, *(slice_readings(measured.axial) if measured.axial is not None else ()))


def slice_readings(axial: AxialMeasurements) -> tuple[Reading, ...]:
    """Return area, ratio and diameters of every axial slice that shows the cord."""
    return tuple(one for part in axial.slices for one in _section(part, SLICE_MEASURES, slice_place(part.slice_index)))


def _sagittal(measured: SagittalMeasurements) -> Iterator[Reading]:
    for structure, ratio, by_level in (
        (Structure.SPINAL_CORD, Measure.MSCC, Measure.CORD_AP),
        (Structure.SPINAL_CANAL, Measure.MCC, Measure.CANAL_AP),
    ):
        yield _reading(measured.ratio(structure).ratio, ratio, "")
        diameters = {one.level: one.cord_ap if structure is Structure.SPINAL_CORD else one.canal_ap for one in measured.levels}
        for level in LEVELS:
            one = diameters.get(level)
            missing = withheld(by_level, level.value, (Reason.LEVEL_MISSING.value,))
            yield missing if one is None else _reading(one, by_level, level.value)


def _section(one: AxialSliceMeasurements, measures: Iterable[Measure], place: str) -> Iterator[Reading]:
    measured = (one.area, one.compression_ratio, one.ap, one.transverse)
    return (_reading(found, measure, place) for found, measure in zip(measured, measures, strict=True))


def _reading(one: Measurement, measure: Measure, place: str) -> Reading:
    findings = [f for f in one.findings if one.verdict is not Verdict.WITHHOLD or f.severity is Severity.WITHHOLD]
    return Reading(measure, place, one.value, one.verdict, _codes(findings))


def withheld(measure: Measure, place: str, reasons: tuple[str, ...]) -> Reading:
    """Return the reading of a number that is not given, with the codes of the reasons."""
    return Reading(measure, place, None, Verdict.WITHHOLD, reasons)


def _codes(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.code.value for finding in findings))


def readings_of_document(document: dict[str, Any]) -> tuple[Reading, ...]:
    """Return every compared number of a parsed ``measurements.json`` (:class:`node.reporting.document.MeasurementsDocument`).

    A study that was declined gives its headline numbers as withheld.
    """
    missing = _document_codes(document)
    sagittal, axial = document["sagittal"], document["axial"]
    found = [withheld(one, "", missing) for one in (Measure.MSCC, Measure.MCC)] if sagittal is None else []
    found += [] if sagittal is None else _document_sagittal(sagittal)
    if axial is None:
        return (*found, *(withheld(one, "", missing) for one in SECTION_MEASURES))
    found += _document_section(axial, SECTION_MEASURES, "")
    return (
        *found,
        *(r for one in axial["slices"] for r in _document_section(one, SLICE_MEASURES, slice_place(one["slice_index"]))),
    )


def _document_sagittal(sagittal: dict[str, Any]) -> Iterator[Reading]:
    for measure, key in ((Measure.MSCC, "mscc"), (Measure.MCC, "mcc")):
        ratio = sagittal[key]
        yield Reading(measure, "", ratio["value_percent"], Verdict(ratio["verdict"]), _document_codes(ratio))
    for one in sagittal["levels"]:
        for measure, key in ((Measure.CORD_AP, "cord"), (Measure.CANAL_AP, "canal")):
            verdict = Verdict(one[f"{key}_verdict"])
            yield Reading(measure, one["level"], one[f"{key}_ap_mm"], verdict, _document_codes(one))


def _document_section(section: dict[str, Any], measures: Iterable[Measure], place: str) -> Iterator[Reading]:
    codes, shared = _document_codes(section), Verdict(section["verdict"])
    for key, measure in zip(_SECTION_KEYS, measures, strict=True):
        # the document has one verdict for a slice: a number that is there was not the one withheld
        shown = Verdict.FLAG if shared is Verdict.WITHHOLD else shared
        yield Reading(measure, place, section[key], Verdict.WITHHOLD if section[key] is None else shown, codes)


def _document_codes(part: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(reason["code"]) for reason in part["reasons"]))
