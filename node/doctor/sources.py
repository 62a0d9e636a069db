"""The archives that studies and earlier reports are fetched from: whether they let us ask and retrieve."""

from collections.abc import Iterator
from functools import partial

from node.config import Config, SourceConfig
from node.delivery import Archive
from node.doctor.check import Check, checks_of, verdict


def source_checks(config: Config) -> Iterator[Check]:
    """Return the checks of every source."""
    for source in config.sources:
        name = f"source {source.name}"
        yield from checks_of(name, partial(_source, name, source, config.reception.ae_title))


def _source(name: str, source: SourceConfig, ae_title: str) -> list[Check]:
    archive = Archive(source, ae_title)
    archive.require_services()
    how = "C-MOVE" if archive.can_move else "DICOMweb" if source.dicomweb is not None else "C-GET"
    message = f"lets us ask for studies, and offers {how}" + ("; asked for priors" if source.priors else "")
    if archive.can_move:
        message += f"; whether it knows where {ae_title} is shows when something is fetched"
    is_exposed = source.dicomweb is not None and source.dicomweb.is_exposed
    return [verdict(name, not is_exposed, message, "studies and secrets cross the network in the clear: use an https url")]
