"""The regular expressions of the configuration, compiled."""

import re

from node.domain.errors import ConfigError, Reason


def compile_patterns(expressions: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Return the expressions compiled, ignoring case.

    Raises
    ------
    ConfigError
        ``config_invalid`` naming the expression that is not one.
    """
    return tuple(_compile(expression) for expression in expressions)


def _compile(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(Reason.CONFIG_INVALID, f"selection: {expression!r} is not a regular expression: {error}") from error
