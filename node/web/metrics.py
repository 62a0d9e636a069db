"""What monitoring reads, in the Prometheus text format: pure functions of counts and of facts about this machine.

Names follow https://prometheus.io/docs/practices/naming/: counters end with ``_total``, times are seconds, sizes are bytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from node.domain.feedback import FeedbackKind
from node.domain.job import DeliveryState, JobState, ShadowEnd
from node.domain.prediction import ModelIdentity
from node.domain.worklist import Durations, Tally

Labels = TypeVar("Labels", bound=tuple[str, ...])

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known without the job database."""

    version: str
    free_bytes: float
    minimum_free_bytes: float
    receiving: int
    models: tuple[ModelIdentity, ...]
    destinations: tuple[str, ...]
    stalled: int = 0


def metrics_text(facts: Facts, tally: Tally | None, now: datetime) -> bytes:
    """Return the metrics; without a tally, because the job database is away, only what is known without it."""
    registry = CollectorRegistry()
    registry.register(_Families(families(facts, tally, now)))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = tuple(found)

    def collect(self) -> Iterable[Metric]:
        return self._found


def families(facts: Facts, tally: Tally | None, now: datetime) -> Iterator[Metric]:
    """Yield every metric."""
    build = InfoMetricFamily("cspine_build", "Version of the node.")
    build.add_metric((), {"version": facts.version})
    yield build
    models = InfoMetricFamily("cspine_model", "Weights that are configured.", labels=("name",))
    for one in facts.models:
        models.add_metric((one.name,), {"version": one.version, "sha256": one.sha256})
    yield models
    yield GaugeMetricFamily("cspine_store_free_bytes", "Free space on the disk of the store.", facts.free_bytes)
    yield GaugeMetricFamily(
        "cspine_store_minimum_free_bytes", "Below this free space studies are refused.", facts.minimum_free_bytes
    )
    yield GaugeMetricFamily("cspine_studies_receiving", "Studies that are being received.", facts.receiving)
    yield GaugeMetricFamily("cspine_database_up", "Whether the job database answers.", float(tally is not None))
    if tally is not None:
        yield GaugeMetricFamily("cspine_jobs_stalled", "Jobs that have been running for longer than jobs.alarm_s.", facts.stalled)
        yield from _counted(tally, facts.destinations, now)


def _counted(tally: Tally, destinations: tuple[str, ...], now: datetime) -> Iterator[Metric]:
    yield CounterMetricFamily("cspine_studies_received", "Studies that arrived for the first time.", tally.received)
    studies = {(state.value,): tally.studies.get(state, 0) for state in JobState}
    yield _gauge("cspine_studies", "Studies that are here now, by state.", ("state",), studies)
    waited_s = 0.0 if tally.oldest_queued_at is None else max(0.0, (now - tally.oldest_queued_at).total_seconds())
    yield GaugeMetricFamily("cspine_queue_oldest_seconds", "How long the oldest queued study has waited.", waited_s)
    yield _counter("cspine_analyses", "Tries at an analysis that ended, by end and reason.", ("end", "reason"), tally.analyses)
    yield _counter(
        "cspine_gate_reasons",
        "Analyses in which a reason flagged, withheld or declined something, by code and verdict.",
        ("code", "verdict"),
        tally.reasons,
    )
    yield _counter("cspine_delivery_attempts", "Attempts at a delivery that ended.", ("destination", "end"), tally.attempts)
    deliveries = dict.fromkeys(((name, state.value) for name in destinations for state in DeliveryState), 0)
    deliveries |= tally.deliveries
    yield _gauge("cspine_deliveries", "Deliveries that are here now.", ("destination", "state"), deliveries)
    feedback = {(kind.value,): tally.feedback.get(kind, 0) for kind in FeedbackKind}
    yield _counter("cspine_feedback", "Objects that came back and speak of a result, by what they say.", ("kind",), feedback)
    shadows = {(end.value,): tally.shadows.get(end, 0) for end in ShadowEnd}
    yield _counter("cspine_shadow_analyses", "Analyses with the second set of models that ended, by end.", ("end",), shadows)
    told = "Messages to webhooks that were taken, given up, or had nobody to go to any more."
    yield _counter("cspine_webhook_messages", told, ("webhook", "end"), tally.notices)
    yield _duration(tally.durations)


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _duration(durations: Durations) -> Metric:
    buckets = [(f"{bound:g}", count) for bound, count in durations.at_most.items()] + [("+Inf", durations.count)]
    family = HistogramMetricFamily("cspine_analysis_duration_seconds", "How long analyses took that have a result.")
    family.add_metric((), buckets, durations.sum_s)
    return family
