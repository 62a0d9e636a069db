"""Two folders of ``measurements.json`` as pairs of numbers: model and reader, two models, two readers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.evaluate.readings import Reading, readings_of_document
from tools.evaluate.results import CaseResult, pair_up

_NAME = "measurements.json"


@dataclass(frozen=True, slots=True)
class PairedFolders:
    """Studies that are in both folders as results, and the StudyInstanceUIDs of those that are in one only."""

    results: tuple[CaseResult, ...]
    only_tested: tuple[str, ...]
    only_reference: tuple[str, ...]


def pair_folders(tested: Path, reference: Path) -> PairedFolders:
    """Return the studies of two folders, searched with all that is below them, matched by StudyInstanceUID.

    Who was imaged is not in the documents: each study counts as a person.

    Raises
    ------
    ValueError
        If no study is in both, or one is twice in a folder.
    """
    one, other = _read(tested), _read(reference)
    both = sorted(one.keys() & other.keys())
    if not both:
        raise ValueError(f"no study is in both folders: {len(one)} and {len(other)} studies")
    results = tuple(_result(uid, one[uid], other[uid]) for uid in both)
    return PairedFolders(results, tuple(sorted(one.keys() - other.keys())), tuple(sorted(other.keys() - one.keys())))


def _result(uid: str, tested: tuple[Reading, ...], reference: tuple[Reading, ...]) -> CaseResult:
    numbers = {one.key: one.value for one in reference if one.value is not None}
    return CaseResult(uid, uid, readings=pair_up(tested, numbers))


def _read(folder: Path) -> Mapping[str, tuple[Reading, ...]]:
    found: dict[str, tuple[Reading, ...]] = {}
    for path in sorted(folder.rglob(_NAME)):
        document = json.loads(path.read_text(encoding="utf-8"))
        uid = str(document["study_instance_uid"])
        if uid in found:
            raise ValueError(f"study {uid} is twice in {folder}")
        found[uid] = readings_of_document(document)
    return found
