"""``config.yaml`` and its JSON Schema, written from the fields."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import annotated_types
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from node.config.node_config import Config
from node.config.secret import masked

_HEADER = """\
# Configuration of the cervical MR inference node. Every field stands here with its default.
# Written by `cspine-node config show --default`; check your changes with `cspine-node config check`.
"""
_EXAMPLES = {
    "destinations": (
        "#  - name: pacs",
        "#    host: pacs.hospital.example",
        "#    port: 104",
        "#    ae_title: PACS",
        "#    objects: [SEG, SR, PR]",
    ),
    "webhooks": ("#  - name: ris", "#    url: https://ris.hospital.example/cspine", "#    secret_file: secrets/webhook"),
    "sources": ("#  - name: archive", "#    host: pacs.hospital.example", "#    port: 104", "#    ae_title: PACS"),
}


def render_config(config: Config) -> str:
    """Return a configuration as YAML, a comment with description, unit and bounds for every field; passwords are masked."""
    return _HEADER + "\n".join(_section_lines(config, 0)) + "\n"


def _section_lines(section: BaseModel, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if depth == 0:
            yield ""
        yield f"{indent}# {field.description}{_bounds(field)}"
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _section_lines(value, depth + 1)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            yield f"{indent}{name}:"
            for item in value:
                yield from _list_item(item, depth + 1)
        else:
            yield f"{indent}{name}: {_scalar(value)}"
            yield from _EXAMPLES.get(name, ())


def _list_item(section: BaseModel, depth: int) -> Iterator[str]:
    lines = list(_section_lines(section, depth + 1))
    first = next(i for i, line in enumerate(lines) if not line.lstrip().startswith("#"))
    lines[first] = "  " * depth + "- " + lines[first].lstrip()
    yield from lines


def _scalar(value: Any) -> str:  # noqa: ANN401 - whatever YAML can hold
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):
        value = masked(value)
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")


def _bounds(field: FieldInfo) -> str:
    low = high = ""
    for bound in field.metadata:
        if isinstance(bound, annotated_types.Ge):
            low = f"{bound.ge:g}" if isinstance(bound.ge, int | float) else str(bound.ge)
        elif isinstance(bound, annotated_types.Gt):
            low = f"above {bound.gt}"
        elif isinstance(bound, annotated_types.Le):
            high = f"{bound.le:g}" if isinstance(bound.le, int | float) and bound.le < 1e5 else str(bound.le)
    if low and high:
        return f" [{low} to {high}]"
    return f" [{low or '...'} or more]" if low else ""


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``config.yaml``."""
    return Config.model_json_schema()
