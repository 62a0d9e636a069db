"""Making a measurement out of a number and what speaks against it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from node.domain.anatomy import Level, Structure
from node.domain.errors import Finding, Reason, Severity
from node.domain.healthy import HEALTHY_RANGES
from node.domain.measurement import Evidence, Measurement, Quantity, Unit, Verdict, verdict_of


@dataclass(frozen=True, slots=True)
class Limits:
    """Physical limits, beyond which a value is withheld."""

    lowest: float
    highest: float


# Wider than the healthy ranges on purpose: patients fall below those, but no living cord is under 1 mm or a canal wider than
# 30 mm.
LIMITS: dict[tuple[Quantity, Structure], Limits] = {
    (Quantity.AP_DIAMETER, Structure.SPINAL_CORD): Limits(1.0, 14.0),
    (Quantity.AP_DIAMETER, Structure.SPINAL_CANAL): Limits(2.5, 30.0),
    (Quantity.TRANSVERSE_DIAMETER, Structure.SPINAL_CORD): Limits(5.0, 22.0),
    (Quantity.CROSS_SECTIONAL_AREA, Structure.SPINAL_CORD): Limits(20.0, 180.0),
    (Quantity.CROSS_SECTIONAL_AREA_ALONG_CORD, Structure.SPINAL_CORD): Limits(20.0, 180.0),
    (Quantity.CROSS_SECTIONAL_AREA, Structure.SPINAL_CANAL): Limits(30.0, 600.0),
    (Quantity.CORD_COMPRESSION_RATIO, Structure.SPINAL_CORD): Limits(0.1, 1.3),
    (Quantity.MAXIMUM_SPINAL_CORD_COMPRESSION, Structure.SPINAL_CORD): Limits(-60.0, 90.0),
    (Quantity.MAXIMUM_CANAL_COMPROMISE, Structure.SPINAL_CANAL): Limits(-60.0, 90.0),
}

UNITS: dict[Quantity, Unit] = {
    Quantity.MAXIMUM_SPINAL_CORD_COMPRESSION: Unit.PERCENT,
    Quantity.MAXIMUM_CANAL_COMPROMISE: Unit.PERCENT,
    Quantity.AP_DIAMETER: Unit.MM,
    Quantity.TRANSVERSE_DIAMETER: Unit.MM,
    Quantity.CROSS_SECTIONAL_AREA: Unit.MM2,
    Quantity.CROSS_SECTIONAL_AREA_ALONG_CORD: Unit.MM2,
    Quantity.CORD_COMPRESSION_RATIO: Unit.RATIO,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a measurement is of."""

    quantity: Quantity
    structure: Structure
    level: Level | None = None


def judge(subject: Subject, value: float, evidence: Sequence[Evidence] = (), findings: Sequence[Finding] = ()) -> Measurement:
    """Return a measurement with the verdict that its findings and its limits ask for.

    Withheld, it holds neither the value nor the evidence: a line is as long as its value.
    """
    every = (*findings, *limit_findings(subject, value))
    if verdict_of(every) is Verdict.WITHHOLD:
        return withhold(subject, every)
    unit = UNITS[subject.quantity]
    return Measurement(subject.quantity, subject.structure, unit, value, verdict_of(every), subject.level, tuple(evidence), every)


def withhold(subject: Subject, findings: Sequence[Finding]) -> Measurement:
    """Return a measurement without a value; at least one finding must say why, and none repeats the value."""
    if verdict_of(tuple(findings)) is not Verdict.WITHHOLD:
        raise ValueError(f"{subject.quantity} is withheld without a reason")
    kept = tuple(one for one in findings if one.code is not Reason.VALUE_OUTSIDE_HEALTHY_RANGE)
    unit = UNITS[subject.quantity]
    return Measurement(subject.quantity, subject.structure, unit, None, Verdict.WITHHOLD, subject.level, (), kept)


def limit_findings(subject: Subject, value: float) -> tuple[Finding, ...]:
    """Return what the limits of the quantity say of a value; one beyond the physical limits is not repeated."""
    limits = LIMITS.get((subject.quantity, subject.structure))
    healthy = HEALTHY_RANGES.get((subject.quantity, subject.structure))
    if limits is None:
        return ()
    name = f"{subject.structure} {subject.quantity}".replace("_", " ").replace(" ap ", " AP ")
    name = name if subject.level is None else f"{name} at {subject.level}"
    unit = UNITS[subject.quantity]
    if not limits.lowest <= value <= limits.highest:
        text = f"{name} is outside the physical limits {limits.lowest:g} to {limits.highest:g} {unit}"
        return (Finding(Reason.VALUE_IMPOSSIBLE, Severity.WITHHOLD, text),)
    if healthy is not None and not healthy[0] <= value <= healthy[1]:
        text = f"{name} {value:.2f} {unit} is outside the healthy range {healthy[0]:g} to {healthy[1]:g} (Zhu 2024)"
        return (Finding(Reason.VALUE_OUTSIDE_HEALTHY_RANGE, Severity.FLAG, text),)
    return ()


def with_findings(measurement: Measurement, findings: Sequence[Finding]) -> Measurement:
    """Return a measurement with further findings and the verdict that all of them ask for."""
    every = (*measurement.findings, *findings)
    if verdict_of(every) is Verdict.WITHHOLD:
        return withhold(Subject(measurement.quantity, measurement.structure, measurement.level), every)
    return replace(measurement, verdict=verdict_of(every), findings=every)
