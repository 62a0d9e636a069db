"""YAML of which each value stands where it is used: no anchors, no doubled keys, no depth or length without bound."""

from typing import Any

import yaml

from node.domain.errors import ConfigError, Reason

# config.yaml with every comment has 10 KB.
_MOST_BYTES = 1 << 20
_MOST_DEPTH = 20


class _PlainLoader(yaml.SafeLoader):
    """Safe, and of a size that the text shows: an alias of an alias is how a few lines become gigabytes."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node; refuse an anchor or alias, and what is nested too deeply."""
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused("anchors (&) and aliases (*) are not allowed", event.start_mark)
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise _refused("nested too deeply", event.start_mark)
        try:
            node: yaml.Node | None = super().compose_node(parent, index)
        finally:
            self._depth -= 1
        if isinstance(node, yaml.MappingNode):
            _refuse_doubled_keys(node)
        return node


def _refuse_doubled_keys(node: yaml.MappingNode) -> None:
    known: set[str] = set()
    for key, _ in node.value:
        if str(key.value) in known:
            raise _refused(f"{key.value!r} stands here twice", key.start_mark)
        known.add(str(key.value))


def _refused(problem: str, mark: Any) -> yaml.MarkedYAMLError:  # noqa: ANN401 - of either of two classes
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def read_yaml(text: str, name: str) -> tuple[yaml.Node | None, object]:
    """Return a YAML text as its nodes, which know their lines, and as plain values.

    Raises
    ------
    ConfigError
        ``config_invalid``; the message names the line.
    """
    if len(text) > _MOST_BYTES:
        raise ConfigError(Reason.CONFIG_INVALID, f"{name}: longer than {_MOST_BYTES} characters: not a configuration")
    try:
        node = yaml.compose(text, Loader=_PlainLoader)
        return node, yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(Reason.CONFIG_INVALID, f"{name}{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(Reason.CONFIG_INVALID, f"{name}: not valid YAML ({type(error).__name__})") from error
