"""What a receiver saw of a study when it announced it: written last, so that a worker knows whether it sees as much.

::

    <root>/studies/<study>/manifest-<digest>.json     the instances, as <series>/<sop>.dcm

A machine may show a folder of a shared file system as it was a minute ago. A worker that believed it would analyse a part of the
study, and nobody would announce the rest. The name of the manifest comes with the announcement, so no old listing hides it.
"""

import hashlib
import json
import re
from pathlib import Path

from node.domain.errors import PermanentError, Reason, TransientError
from node.store.entry import write_entry

_NAME = re.compile(r"manifest-[0-9a-f]{24}\.json")


def write_manifest(study_folder: Path) -> str:
    """Write what a study holds now, and return the name of the manifest; an empty one if the study was deleted meanwhile."""
    if not study_folder.is_dir():
        return ""
    text = json.dumps(sorted(_instances(study_folder)))
    name = f"manifest-{hashlib.sha256(text.encode('ascii')).hexdigest()[:24]}.json"
    if not (study_folder / name).exists():
        write_entry(study_folder / name, text)
    return name


def require_manifest(study_folder: Path, name: str) -> None:
    """Return if this machine sees all that a manifest names.

    Raises
    ------
    TransientError
        ``store_failed`` if it does not, or not yet.
    """
    if not _NAME.fullmatch(name):
        raise PermanentError(Reason.UID_INVALID, f"not a manifest: {name[:80]!r}")
    try:
        announced = set(json.loads((study_folder / name).read_text(encoding="ascii")))
    except FileNotFoundError as error:
        raise TransientError(
            Reason.STORE_FAILED,
            "the store does not show the list of what was received; check that receiver and worker share `store`",
        ) from error
    missing = announced - _instances(study_folder)
    if missing:
        message = f"the store does not show {len(missing)} of {len(announced)} instances yet; check how its file system caches"
        raise TransientError(Reason.STORE_FAILED, message)


def _instances(study_folder: Path) -> set[str]:
    return {path.relative_to(study_folder).as_posix() for path in study_folder.glob("*/*.dcm")}
