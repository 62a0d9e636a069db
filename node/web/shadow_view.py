"""The second set of models beside the first, on one study and over many: pure functions of two documents."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from node.reporting import MeasurementsDocument
from node.shadow import Overlap, ShadowReport
from node.web.measured_view import ValueView, headlines

# Bland and Altman, Lancet 1986;327:307-310, doi:10.1016/S0140-6736(86)90837-8: 95 % of the differences.
_LIMITS = 1.96


@dataclass(frozen=True, slots=True)
class ShadowValue:
    """A value by both sets; None where it is withheld. The difference is second less first."""

    name: str
    unit: str
    decimals: int
    first: float | None
    second: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class ShadowView:
    """What the second set says of a study, and how its masks overlap those of the first; ``models`` differ from the first."""

    status: str
    models: tuple[str, ...]
    values: tuple[ShadowValue, ...]
    overlaps: tuple[Overlap, ...]


@dataclass(frozen=True, slots=True)
class AgreementLine:
    """A value over the studies that both sets have one of: mean difference (second less first) and limits of agreement.

    ``one_sided`` counts the studies in which only one of both withheld it.
    """

    name: str
    unit: str
    decimals: int
    count: int
    one_sided: int
    bias: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class OverlapLine:
    """Dice similarity of the masks of a structure over studies."""

    series: str
    structure: str
    count: int
    mean: float
    least: float


@dataclass(frozen=True, slots=True)
class AgreementView:
    """The agreement of one second set with the first, over the latest studies that it has measured."""

    models: tuple[str, ...]
    studies: int
    values: tuple[AgreementLine, ...]
    overlaps: tuple[OverlapLine, ...]


def shadow_view(first: MeasurementsDocument, second: ShadowReport) -> ShadowView:
    """Return both sets beside each other on one study."""
    return ShadowView(second.document.status, _models(first, second.document), _values(first, second.document), second.overlaps)


def agreement_views(pairs: Iterable[tuple[MeasurementsDocument, ShadowReport]]) -> tuple[AgreementView, ...]:
    """Return the agreement of each second set, that of the latest study first; ``pairs`` are ordered so."""
    by_set: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[MeasurementsDocument, ShadowReport]]] = {}
    for first, second in pairs:
        by_set.setdefault((_named(first), _named(second.document)), []).append((first, second))
    return tuple(_agreement(found) for found in by_set.values())


def _agreement(pairs: Sequence[tuple[MeasurementsDocument, ShadowReport]]) -> AgreementView:
    values: dict[str, list[ShadowValue]] = {}
    overlaps: dict[tuple[str, str], list[float]] = {}
    for first, second in pairs:
        for value in _values(first, second.document):
            values.setdefault(value.name, []).append(value)
        for one in second.overlaps:
            overlaps.setdefault((one.series, one.structure), []).append(one.dice)
    return AgreementView(
        models=_models(pairs[0][0], pairs[0][1].document),
        studies=len(pairs),
        values=tuple(_line(found) for found in values.values()),
        overlaps=tuple(
            OverlapLine(series, structure, len(found), fmean(found), min(found))
            for (series, structure), found in sorted(overlaps.items(), reverse=True)
        ),
    )


def _line(values: Sequence[ShadowValue]) -> AgreementLine:
    first = values[0]
    differences = [one.difference for one in values if one.difference is not None]
    one_sided = sum((one.first is None) != (one.second is None) for one in values)
    bias = low = high = None
    if differences:
        bias = fmean(differences)
    if bias is not None and len(differences) > 1:
        deviation = sqrt(sum((one - bias) ** 2 for one in differences) / (len(differences) - 1))
        low, high = bias - _LIMITS * deviation, bias + _LIMITS * deviation
    return AgreementLine(first.name, first.unit, first.decimals, len(differences), one_sided, bias, low, high)


def _values(first: MeasurementsDocument, second: MeasurementsDocument) -> tuple[ShadowValue, ...]:
    """Return every value that one of both has, in the order of the page; one that is absent counts as withheld."""
    ours, theirs = ({one.name: one for one in headlines(document)} for document in (first, second))
    return tuple(_value(name, ours, theirs) for name in dict.fromkeys([*ours, *theirs]))


def _value(name: str, ours: dict[str, ValueView], theirs: dict[str, ValueView]) -> ShadowValue:
    look = ours.get(name) or theirs[name]
    one, other = (found[name].value if name in found else None for found in (ours, theirs))
    difference = None if one is None or other is None else round(other - one, 6)
    return ShadowValue(name, look.unit, look.decimals, one, other, difference)


def _models(first: MeasurementsDocument, second: MeasurementsDocument) -> tuple[str, ...]:
    known = set(_named(first))
    return tuple(one for one in _named(second) if one not in known)


def _named(document: MeasurementsDocument) -> tuple[str, ...]:
    return tuple(_names(document))


def _names(document: MeasurementsDocument) -> Iterator[str]:
    for one in document.models:
        yield f"{one.name} {one.version} {one.sha256[:12]}"
