"""What was measured, as a page shows it: a pure function of ``measurements.json``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from node.reporting import MeasurementsDocument

#: The heaviest first.
SEVERITIES = ("error", "decline", "withhold", "flag", "note")


class _Reason(Protocol):
    """A reason of ``measurements.json``."""

    @property
    def code(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One coded reason."""

    code: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class ValueView:
    """One measured value; ``value`` is None where it is withheld. ``name`` is a key of the words of the pages."""

    name: str
    value: float | None
    unit: str
    decimals: int
    level: str | None
    verdict: str
    details: str = ""
    reasons: tuple[ReasonView, ...] = ()


@dataclass(frozen=True, slots=True)
class LevelView:
    """Mean AP diameters over one level; None where withheld."""

    level: str
    cord_ap_mm: float | None
    canal_ap_mm: float | None
    cord_verdict: str
    canal_verdict: str
    reasons: tuple[ReasonView, ...]


@dataclass(frozen=True, slots=True)
class SliceValues:
    """The values of one axial slice."""

    number: int
    level: str | None
    is_decisive: bool
    ta_mm2: float | None
    ap_mm: float | None
    transverse_mm: float | None
    cr: float | None
    canal_ap_mm: float | None
    verdict: str
    reasons: tuple[ReasonView, ...]


@dataclass(frozen=True, slots=True)
class SkippedView:
    """A series that was not used, and why."""

    series_instance_uid: str
    reasons: tuple[ReasonView, ...]


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A value of the prior report and the change against it."""

    name: str
    prior: float
    change: float
    decimals: int
    unit: str


class _Ratio(Protocol):
    """A ratio of ``measurements.json``."""

    @property
    def value_percent(self) -> float | None: ...
    @property
    def level(self) -> str | None: ...
    @property
    def d_i_mm(self) -> float | None: ...
    @property
    def d_a_mm(self) -> float | None: ...
    @property
    def d_b_mm(self) -> float | None: ...
    @property
    def reference(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def reasons(self) -> Sequence[_Reason]: ...


def headlines(document: MeasurementsDocument) -> tuple[ValueView, ...]:
    """Return MSCC, MCC, TA and CR as far as their planes were measured."""
    sagittal, axial = document.sagittal, document.axial
    values = [] if sagittal is None else [_ratio("mscc", sagittal.mscc, "d"), _ratio("mcc", sagittal.mcc, "D")]
    if axial is not None:
        diameters = f"{_mm(axial.ap_mm)} / {_mm(axial.transverse_mm)} mm" if axial.cr is not None else ""
        along = "" if axial.ta_along_cord_mm2 is None else f"⟂ {axial.ta_along_cord_mm2:.2f} mm²"
        axial_values: tuple[tuple[Literal["ta", "cr"], float | None, str, int, str], ...] = (
            ("ta", axial.ta_mm2, "mm²", 2, along),
            ("cr", axial.cr, "", 4, diameters),
        )
        for name, value, unit, decimals, details in axial_values:
            verdict, reasons = axial.own_verdict(name), reason_views(axial.own_reasons(name))
            values.append(ValueView(name, value, unit, decimals, axial.level, verdict, details, reasons))
    return tuple(values)


def alternatives(document: MeasurementsDocument) -> tuple[ValueView, ...]:
    """Return the ratios by other references, of the worst slice, and from axial diameters."""
    found: list[ValueView] = []
    if document.sagittal is not None:
        for name, ratio, letter in (("mscc", document.sagittal.mscc, "d"), ("mcc", document.sagittal.mcc, "D")):
            found += [_ratio(f"{name}_{one.reference}", one, letter) for one in ratio.alternatives]
            if ratio.worst_slice is not None:
                found.append(_ratio(f"{name}_worst", ratio.worst_slice, letter))
    if document.axial is not None:
        for name, one, letter in (("mscc_axial", document.axial.mscc, "d"), ("mcc_axial", document.axial.mcc, "D")):
            if one is not None:
                found.append(_ratio(name, one, letter))
    return tuple(found)


def _ratio(name: str, one: _Ratio, letter: str) -> ValueView:
    diameters = zip(("i", "a", "b"), (one.d_i_mm, one.d_a_mm, one.d_b_mm), strict=True)
    details = ", ".join(f"{letter}{place} {value:.2f}" for place, value in diameters if value is not None)
    details += " mm" if details else ""
    return ValueView(name, one.value_percent, "%", 2, one.level, one.verdict, details, reason_views(one.reasons))


def levels(document: MeasurementsDocument) -> tuple[LevelView, ...]:
    """Return the diameters by level, from head to feet."""
    found = () if document.sagittal is None else document.sagittal.levels
    return tuple(
        LevelView(one.level, one.cord_ap_mm, one.canal_ap_mm, one.cord_verdict, one.canal_verdict, reason_views(one.reasons))
        for one in found
    )


def slices(document: MeasurementsDocument) -> tuple[SliceValues, ...]:
    """Return the values of every axial slice that shows the cord."""
    axial = document.axial
    if axial is None:
        return ()
    decisive = (axial.sop_instance_uid, axial.frame_number)
    return tuple(
        SliceValues(
            number=one.slice_index + 1,
            level=one.level,
            is_decisive=(one.sop_instance_uid, one.frame_number) == decisive,
            ta_mm2=one.ta_mm2,
            ap_mm=one.ap_mm,
            transverse_mm=one.transverse_mm,
            cr=one.cr,
            canal_ap_mm=one.canal_ap_mm,
            verdict=one.verdict,
            reasons=reason_views(one.reasons),
        )
        for one in axial.slices
    )


def changes(document: MeasurementsDocument) -> tuple[ChangeView, ...]:
    """Return the changes against the prior report."""
    prior = document.prior
    if prior is None:
        return ()
    found = (
        ("mscc", prior.mscc_percent, 2, "%"),
        ("mcc", prior.mcc_percent, 2, "%"),
        ("ta", prior.ta_mm2, 2, "mm²"),
        ("cr", prior.cr, 4, ""),
    )
    return tuple(
        ChangeView(name, one.prior, one.change, decimals, unit) for name, one, decimals, unit in found if one is not None
    )


def skipped(document: MeasurementsDocument) -> tuple[SkippedView, ...]:
    """Return the series that were not used."""
    return tuple(SkippedView(one.series_instance_uid, reason_views(one.reasons)) for one in document.skipped)


def reason_views(reasons: Sequence[_Reason]) -> tuple[ReasonView, ...]:
    """Return reasons as they are shown."""
    return tuple(ReasonView(one.code, one.severity, one.message) for one in reasons)


def _mm(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
