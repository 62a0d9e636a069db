"""A user's own studies with what a reader drew on them in labelme: DICOM in one folder, corrected files in another.

``LABELS/PERSON/...`` holds the files of one person, as for training; which study and slice a file belongs to says its geometry.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from node.config import SelectionConfig
from node.domain.image import Volume
from node.domain.study import ReceivedStudy, SeriesRole
from node.pipeline import load_volumes
from node.selection import select_series
from node.store import collect_studies
from tools.evaluate.case import Case, CaseSource
from tools.evaluate.labelled_cases import SliceLabels, labelled_case
from tools.labelme import Annotation, annotation_paths, read_annotation

_BOTH = tuple(SeriesRole)


def annotated_sources(studies: Path, labels: Path) -> list[CaseSource]:
    """Return the studies that have annotations, as cases.

    Raises
    ------
    AnnotationError
        If a labelme file cannot be used.
    ValueError
        If there is no annotation, or one belongs to no study.
    """
    by_study: dict[str, list[tuple[str, Annotation]]] = {}
    for person, annotation in _annotations(labels):
        by_study.setdefault(annotation.geometry.study_instance_uid, []).append((person, annotation))
    found = {str(one.study_instance_uid): one for one in collect_studies([studies]).studies}
    if not by_study:
        raise ValueError(f"no labelme file lies below {labels}")
    orphans = [one.path.name for uid, drawn in by_study.items() if uid not in found for _, one in drawn]
    if orphans:
        raise ValueError(f"no study below {studies} belongs to {', '.join(orphans[:5])} ({len(orphans)} files in all)")
    return [_source(found[uid], drawn) for uid, drawn in by_study.items()]


def _annotations(labels: Path) -> Iterator[tuple[str, Annotation]]:
    for path in annotation_paths(labels):
        person, *inside = path.relative_to(labels).parts
        yield (person if inside else labels.name), read_annotation(path)


def _source(study: ReceivedStudy, drawn: Sequence[tuple[str, Annotation]]) -> CaseSource:
    person = drawn[0][0]
    return CaseSource(person, person, _BOTH, partial(annotated_case, study, person, [one for _, one in drawn]))


def annotated_case(study: ReceivedStudy, person: str, annotations: Sequence[Annotation]) -> Case:
    """Return a study whose truth is what was drawn on its slices.

    Raises
    ------
    NodeError
        If the node declines the study or cannot read it.
    """
    volumes, _ = load_volumes(select_series(study, SelectionConfig()))
    places = _places(volumes)
    labels = [
        SliceLabels(*places[key], one.masks, one.landmarks)
        for one in annotations
        if (key := (one.geometry.sop_instance_uid, one.geometry.frame_number)) in places
    ]
    return labelled_case(person, person, volumes, labels)


def _places(volumes: Mapping[SeriesRole, Volume]) -> dict[tuple[str, int | None], tuple[SeriesRole, int]]:
    """Return series and slice index by SOP instance and frame."""
    return {
        (str(source.instance.sop_instance_uid), source.frame_number): (role, index)
        for role, volume in volumes.items()
        for index, source in enumerate(volume.sources)
    }
