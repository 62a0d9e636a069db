"""All checks, in the order of the data."""

from collections.abc import Callable, Sequence

from node.config import Config
from node.doctor.certificates import certificate_checks
from node.doctor.check import Check, checks_of
from node.doctor.machine import clock_checks, database_checks, store_checks
from node.doctor.network import destination_checks, peers_check, port_check
from node.doctor.sources import source_checks
from node.doctor.web import web_checks, webhook_checks
from node.doctor.work import work_checks


def run_checks(
    config: Config, model_checks: Callable[[], Sequence[Check]], web_credentials: Callable[[], object] = lambda: None
) -> tuple[Check, ...]:
    """Return the checks of a configuration that was already read.

    Parameters
    ----------
    model_checks
        Checks of models and execution provider; a NodeError that it raises becomes a failed check.
    web_credentials
        Reads what admits a visitor of the web role, and raises ConfigError where that would refuse to start.
    """
    return (
        *checks_of("store", lambda: store_checks(config)),
        *checks_of("database", lambda: database_checks(config)),
        *checks_of("jobs", lambda: work_checks(config)),
        *checks_of("clock", lambda: clock_checks(config)),
        *checks_of("reception", lambda: [port_check(config), peers_check(config)]),
        *checks_of("web", lambda: web_checks(config, web_credentials)),
        *webhook_checks(config),
        *checks_of("certificates", lambda: [*certificate_checks(config)]),
        *checks_of("models", model_checks),
        *destination_checks(config),
        *source_checks(config),
    )
