"""Corrected files from disk: checked, and refused with every reason if they cannot be used."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tools.labelme.annotation import Annotation, annotation_of, picture_path
from tools.labelme.document import LabelmeDocument
from tools.labelme.geometry import SliceGeometry, geometry_path, is_geometry
from tools.labelme.picture import png_size
from tools.labelme.problems import Problem, Rule, content_problems, shape_problems

_LARGEST_BYTES = 64 * 2**20
_MOST_REASONS = 5
_Model = TypeVar("_Model", bound=BaseModel)


class AnnotationError(Exception):
    """A file that cannot be used, with everything that is wrong with it."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))
        self.problems = tuple(problems)


def annotation_paths(folder: Path) -> tuple[Path, ...]:
    """Return the labelme files in a folder and below it, in order."""
    return tuple(sorted(path for path in folder.rglob("*.json") if path.is_file() and not is_geometry(path)))


def read_annotation(path: Path) -> Annotation:
    """Return what was drawn on one slice; corners may be missing.

    Raises
    ------
    AnnotationError
        If the file, its picture or its geometry breaks any other rule of :class:`~tools.labelme.problems.Rule`.
    """
    annotation, problems = inspect_file(path)
    wrong = [problem for problem in problems if not problem.is_gap]
    if annotation is None or wrong:
        raise AnnotationError(path, wrong)
    return annotation


def inspect_file(path: Path) -> tuple[Annotation | None, tuple[Problem, ...]]:
    """Return the annotation in a file, None if it cannot be told, and everything that is wrong with it."""
    document, unreadable = _load(LabelmeDocument, path, Rule.UNREADABLE)
    geometry, unplaced = _load(SliceGeometry, geometry_path(path), Rule.GEOMETRY_UNREADABLE)
    problems = [*unreadable, *unplaced]
    if document is not None:
        problems += [*_size_problems(path, document, geometry), *shape_problems(document)]
    if document is None or geometry is None or problems:
        return None, tuple(problems)
    annotation = annotation_of(path, document, geometry)
    return annotation, tuple(content_problems(annotation))


def _load(model: type[_Model], path: Path, rule: Rule) -> tuple[_Model | None, list[Problem]]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            return None, [Problem(rule, "", f"{path.name} is larger than {_LARGEST_BYTES >> 20} MiB")]
        return model.model_validate_json(path.read_bytes()), []
    except OSError as error:
        return None, [Problem(rule, "", f"{path.name} cannot be read: {error.strerror}")]
    except ValidationError as error:
        return None, list(_reasons(error, path, rule))


def _reasons(error: ValidationError, path: Path, rule: Rule) -> Iterator[Problem]:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    for one in details[:_MOST_REASONS]:
        yield Problem(rule, ".".join(map(str, one["loc"])), f"{path.name}: {one['msg']}")
    if len(details) > _MOST_REASONS:
        yield Problem(rule, "", f"{path.name}: {len(details) - _MOST_REASONS} further faults of this kind")


def _size_problems(path: Path, document: LabelmeDocument, geometry: SliceGeometry | None) -> Iterator[Problem]:
    noted = document.image_height, document.image_width
    if geometry is not None and (geometry.rows, geometry.columns) != noted:
        yield Problem(Rule.SIZE_DIFFERS, "", f"{_size(noted)} noted, {_size((geometry.rows, geometry.columns))} in its geometry")
    try:
        size = png_size(picture_path(path))
    except (OSError, ValueError, SyntaxError) as error:
        yield Problem(Rule.PICTURE_UNREADABLE, "", f"{picture_path(path).name}: {type(error).__name__}")
        return
    if size != noted:
        yield Problem(Rule.SIZE_DIFFERS, "", f"{_size(noted)} noted, {_size(size)} in its picture")


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"
