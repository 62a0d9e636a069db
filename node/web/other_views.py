"""Destinations and models as their pages show them: pure functions of configuration, answers and manifests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from node.config import DestinationConfig
from node.domain.errors import PermanentError
from node.inference import ModelManifest
from node.web.site import EchoAnswer


@dataclass(frozen=True, slots=True)
class ContextView:
    """A SOP class of ours, and the transfer syntaxes that the destination accepts for it."""

    sop_class: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EchoView:
    """The last check of a destination."""

    at: datetime
    ms: float | None
    problem: str
    contexts: tuple[ContextView, ...]


@dataclass(frozen=True, slots=True)
class DestinationView:
    """A destination of the configuration, its last check, and how many deliveries are in which state."""

    name: str
    address: str
    host: str
    port: int
    ae_title: str
    objects: tuple[str, ...]
    is_encrypted: bool
    asks_commitment: bool
    deliveries: Mapping[str, int]
    last_echo: EchoView | None


@dataclass(frozen=True, slots=True)
class DestinationsView:
    """All destinations."""

    destinations: tuple[DestinationView, ...]


@dataclass(frozen=True, slots=True)
class ModelView:
    """An installed model; ``problem`` says why its manifest cannot be read."""

    name: str
    version: str
    task: str
    sha256: str
    is_used: bool
    card: str
    problem: str


@dataclass(frozen=True, slots=True)
class ModelsView:
    """All installed models, those that are used first."""

    models: tuple[ModelView, ...]


def destinations_view(
    destinations: Iterable[DestinationConfig], answers: Mapping[str, EchoAnswer], deliveries: Mapping[tuple[str, str], int]
) -> DestinationsView:
    """Return the destinations with what was last heard of them."""
    return DestinationsView(
        tuple(
            DestinationView(
                name=one.name,
                address=one.address if one.dicomweb is not None else f"{one.host}:{one.port}",
                host=one.host,
                port=one.port,
                ae_title=one.ae_title,
                objects=tuple(one.objects),
                is_encrypted=one.is_encrypted,
                asks_commitment=one.storage_commitment,
                deliveries={state: count for (name, state), count in sorted(deliveries.items()) if name == one.name},
                last_echo=_echo(answers.get(one.name)),
            )
            for one in destinations
        )
    )


def _echo(answer: EchoAnswer | None) -> EchoView | None:
    if answer is None:
        return None
    accepted = (None if answer.report is None else answer.report.accepted) or {}
    contexts = tuple(ContextView(sop_class, tuple(syntaxes)) for sop_class, syntaxes in accepted.items())
    return EchoView(answer.at, None if answer.report is None else answer.report.ms, answer.problem, contexts)


def models_view(
    manifests: Mapping[str, ModelManifest | PermanentError], used: Iterable[str], cards: Mapping[str, str]
) -> ModelsView:
    """Return the models with their cards."""
    in_use = set(used)
    views = [_model(name, manifest, name in in_use, cards.get(name, "")) for name, manifest in manifests.items()]
    return ModelsView(tuple(sorted(views, key=lambda one: (not one.is_used, one.name))))


def _model(name: str, manifest: ModelManifest | PermanentError, is_used: bool, card: str) -> ModelView:
    if isinstance(manifest, PermanentError):
        return ModelView(name, "", "", "", is_used, card, manifest.message)
    return ModelView(name, manifest.version, manifest.task.value, manifest.sha256, is_used, card, "")
