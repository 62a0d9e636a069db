"""Reading ``config.yaml``: pure, opens no port, makes no folder, loads no model."""

import difflib
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from node.config.node_config import Config
from node.config.plain_yaml import read_yaml
from node.config.secret import masked
from node.domain.errors import ConfigError, Reason

Location = tuple[int | str, ...]
SectionWithFiles = TypeVar("SectionWithFiles", bound=BaseModel)


def load_config(path: Path | None) -> Config:
    """Return the configuration in a file; without a path, the defaults.

    Relative paths of ``store``, ``database``, ``database_file``, ``models_dir`` and the files of ``tls``, ``web``
    and ``webhooks`` are taken from the file's folder. ``database`` is what ``database_file`` holds, where that is given.

    Raises
    ------
    ConfigError
        ``config_missing`` or ``config_invalid``; the message names line, field, value and what is allowed.
    """
    if path is None:
        return _anchored(Config(), Path.cwd())
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Reason.CONFIG_MISSING, f"cannot read configuration {path}: {error}") from error
    return _anchored(parse_config(text, str(path)), path.resolve().parent)


def parse_config(text: str, name: str = "config.yaml") -> Config:
    """Return the configuration in a YAML text, paths as written; raise ConfigError as :func:`load_config` does."""
    node, document = read_yaml(text, name)
    try:
        return Config.model_validate({} if document is None else document)
    except ValidationError as error:
        lines = [masked(_explain(details, node, name)) for details in error.errors()]
        raise ConfigError(Reason.CONFIG_INVALID, "\n".join(lines)) from error


def _explain(details: ErrorDetails, root: yaml.Node | None, name: str) -> str:
    location: Location = details["loc"]
    field = ".".join(str(part) for part in location) or "the document"
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "extra_forbidden":
        known = sorted(_fields_at(Config, location[:-1]))
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        message = f"unknown field; {hint}Allowed here: {', '.join(known)}"
    elif not isinstance(details["input"], dict | list | tuple):
        message = f"{message} (got {details['input']!r})"
    return f"{name}, line {_line_of(root, location)}: {field}: {message}"


def _fields_at(section: type[BaseModel], location: Location) -> set[str]:
    """Return the field names of the section at a location."""
    for part in location:
        if isinstance(part, int):
            continue
        section = _section_in(section.model_fields[part].annotation)
    return set(section.model_fields)


def _section_in(annotation: Any) -> type[BaseModel]:  # noqa: ANN401 - a type expression has no narrower type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_section_in(argument) for argument in get_args(annotation) if argument not in (Ellipsis, type(None)))


def _line_of(node: yaml.Node | None, location: Location) -> int:
    """Return the 1-based line of the deepest part of a location that the text holds."""
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            key, node = next(((k, v) for k, v in node.value if k.value == part), (None, None))
            if key is None:
                return line
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _anchored(config: Config, folder: Path) -> Config:
    """Return the configuration with its relative paths made absolute."""
    database, database_file = config.database, config.database_file
    if database_file is not None:
        database_file = folder / database_file
        database = _database_in(database_file)
    changes: dict[str, Any] = {
        "store": _anchor_uri(config.store, folder),
        "database": _anchor_uri(database, folder),
        "database_file": database_file,
    }
    if config.inference.models_dir is not None:
        changes["inference"] = config.inference.model_copy(update={"models_dir": folder / config.inference.models_dir})
    if config.shadow.models_dir is not None:
        changes["shadow"] = config.shadow.model_copy(update={"models_dir": folder / config.shadow.models_dir})
    changes["reception"] = _anchor_parts(config.reception, folder)
    changes["web"] = _anchor_files(config.web, folder)
    changes["destinations"] = tuple(_anchor_parts(destination, folder) for destination in config.destinations)
    changes["sources"] = tuple(_anchor_parts(source, folder) for source in config.sources)
    changes["webhooks"] = tuple(_anchor_files(webhook, folder) for webhook in config.webhooks)
    return config.model_copy(update=changes)


def _database_in(path: Path) -> str:
    """Return the URL in a file; it is validated as the field, and no message quotes it."""
    try:
        return Config(database=path.read_text(encoding="utf-8").strip()).database
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Reason.CONFIG_INVALID, f"database_file: cannot read {path}: {error}") from error
    except ValidationError as error:
        what = f"database_file: {path} does not hold sqlite:PATH or postgresql://..."
        raise ConfigError(Reason.CONFIG_INVALID, what) from error


def _anchor_parts(section: SectionWithFiles, folder: Path) -> SectionWithFiles:
    """Return a section whose parts, as ``tls`` and ``dicomweb``, have absolute files."""
    parts = {name: _anchor_files(part, folder) for name, part in section if isinstance(part, BaseModel)}
    return section.model_copy(update=parts)


def _anchor_files(section: SectionWithFiles, folder: Path) -> SectionWithFiles:
    return section.model_copy(update={name: folder / path for name, path in section if isinstance(path, Path)})


def _anchor_uri(uri: str, folder: Path) -> str:
    scheme, _, rest = uri.partition(":")
    if scheme not in ("file", "sqlite"):
        return uri
    path = rest.removeprefix("//") if scheme == "file" else rest.removeprefix("///")
    return f"{scheme}:{folder / path}" if path else uri
