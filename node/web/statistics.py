"""What happened by day, why, and how the values lie by scanner: pure functions of counts, of the audit trail and of reports."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import quantiles

from node.domain.worklist import AuditEntry, Tally
from node.reporting import MeasurementsDocument
from node.shadow import ShadowReport
from node.web.measured_view import headlines
from node.web.shadow_view import AgreementView, agreement_views

DAYS = 30
_ENDS = ("measured", "partial", "declined", "failed")
_FIRST = "announcement 1"


@dataclass(frozen=True, slots=True)
class DayLine:
    """One day, in UTC: studies that arrived, and how analyses ended."""

    day: str
    received: int
    measured: int
    partial: int
    declined: int
    failed: int


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """How often a reason was given since the node keeps count."""

    code: str
    verdict: str
    count: int


@dataclass(frozen=True, slots=True)
class FeedbackLine:
    """How often an object came back that says this of a result, since the node keeps count."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class DistributionLine:
    """A value over the latest studies of a scanner: tenth, half and nine tenths lie below; ``withheld`` had none."""

    scanner: str
    name: str
    unit: str
    decimals: int
    count: int
    withheld: int
    p10: float | None
    median: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class StatisticsView:
    """The statistics."""

    days: tuple[DayLine, ...]
    declined: tuple[ReasonLine, ...]
    gate: tuple[ReasonLine, ...]
    feedback: tuple[FeedbackLine, ...]
    distributions: tuple[DistributionLine, ...]
    shadows: tuple[AgreementView, ...]


def statistics_view(
    tally: Tally,
    trail: Iterable[AuditEntry],
    reports: Iterable[tuple[str, MeasurementsDocument]],
    shadows: Iterable[tuple[MeasurementsDocument, ShadowReport]] = (),
) -> StatisticsView:
    """Return the statistics; ``reports`` are the latest, each with its scanner, ``shadows`` those with a second set of models."""
    ended = [ReasonLine(code, end, n) for (end, code), n in tally.analyses.items() if end in ("declined", "failed") and code]
    gate = [ReasonLine(code, verdict, n) for (code, verdict), n in tally.reasons.items() if verdict in ("flag", "withhold")]
    return StatisticsView(
        days=_days(trail),
        declined=_ordered(ended),
        gate=_ordered(gate),
        feedback=tuple(FeedbackLine(kind, count) for kind, count in sorted(tally.feedback.items())),
        distributions=_distributions(reports),
        shadows=agreement_views(shadows),
    )


def _ordered(lines: Iterable[ReasonLine]) -> tuple[ReasonLine, ...]:
    return tuple(sorted(lines, key=lambda one: (-one.count, one.code, one.verdict)))


def _days(trail: Iterable[AuditEntry]) -> tuple[DayLine, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for entry in trail:
        event = entry.event
        kind = "received" if (event.kind, event.subject) == ("study ready", _FIRST) else event.kind.removeprefix("analysis ")
        counts[event.at.date().isoformat(), kind] += 1
    days = sorted({day for day, kind in counts if kind in ("received", *_ENDS)}, reverse=True)
    return tuple(DayLine(day, counts[day, "received"], *(counts[day, end] for end in _ENDS)) for day in days)


def _distributions(reports: Iterable[tuple[str, MeasurementsDocument]]) -> tuple[DistributionLine, ...]:
    found: dict[tuple[str, str], list[float | None]] = {}
    looks: dict[str, tuple[str, int]] = {}
    for scanner, document in reports:
        for one in headlines(document):
            found.setdefault((scanner, one.name), []).append(one.value)
            looks[one.name] = (one.unit, one.decimals)
    return tuple(_line(scanner, name, looks[name], values) for (scanner, name), values in sorted(found.items()))


def _line(scanner: str, name: str, look: tuple[str, int], values: Sequence[float | None]) -> DistributionLine:
    told = [value for value in values if value is not None]
    p10 = median = p90 = None
    if told:
        cuts = quantiles(told * 2 if len(told) == 1 else told, n=10, method="inclusive")
        p10, median, p90 = cuts[0], cuts[4], cuts[8]
    return DistributionLine(scanner, name, *look, len(told), len(values) - len(told), p10, median, p90)
