"""Read series as the worker does: ``python -m tests.support.read_files FOLDER...`` or ``--fuzz SEED COUNT FOLDER``."""

import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from node.config import SelectionConfig
from node.domain.errors import NodeError
from node.domain.study import ReceivedStudy, SeriesRole
from node.loading import load_volume
from node.selection import select_series
from node.store import collect_studies, content_digest, identify_patient, read_head
from tests.support.bounded_memory import finish
from tests.support.hostile_files import SmallSeries, write_small_series
from tests.support.mutation import mutated
from tools.phantom.series import Encoding

_SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
)


def outcome(study: ReceivedStudy) -> str:
    """Return ``loaded``, or the code of the reason why not; let every other error out."""
    try:
        selected = select_series(study, SelectionConfig()).series_by_role[SeriesRole.SAGITTAL_T2]
        load_volume(selected)
    except NodeError as error:
        return str(error.findings[0].code if error.findings else error.reason)
    return "loaded"


def read(folder: Path) -> str:
    """Return what becomes of the study in a folder."""
    collected = collect_studies([folder])
    return outcome(collected.studies[0]) if collected.studies else str(collected.unusable[0][1].code)


def fuzz(seed: int, count: int, folder: Path) -> dict[str, object]:
    """Read a series of which one file was spoiled, again and again."""
    rng = random.Random(seed)  # noqa: S311 - seeded, not secret
    outcomes, slowest_s, crashes = Counter[str](), 0.0, []
    kinds = list(_series(folder))
    for number in range(count):
        study, path = rng.choice(kinds)
        whole = path.read_bytes()
        path.write_bytes(mutated(whole, rng))
        began_s = time.monotonic()
        try:
            outcomes[outcome(study)] += 1
            _look_at(path)
        except Exception:  # noqa: BLE001 - that is what is looked for
            crashes.append(f"{number}: {traceback.format_exc()}")
        slowest_s = max(slowest_s, time.monotonic() - began_s)
        path.write_bytes(whole)
    return {"outcomes": outcomes, "slowest_s": slowest_s, "crashes": crashes[:5], "crash_count": len(crashes)}


def _look_at(path: Path) -> None:
    """Read a file as reception does, and the command that is given files."""
    with suppress(NodeError):
        read_head(path)
        content_digest(path)
    identify_patient(path)
    collected = collect_studies([path])
    assert len(collected.studies) + len(collected.unusable) == 1


def _series(folder: Path) -> Iterator[tuple[ReceivedStudy, Path]]:
    for number, syntax in enumerate(_SYNTAXES):
        for is_enhanced in (False, True):
            series = SmallSeries(
                number=2 + 2 * number + is_enhanced, slices=5, shape=(40, 36), encoding=Encoding(syntax, is_enhanced)
            )
            written = write_small_series(folder, series)
            yield ReceivedStudy(written.instances[0].study_instance_uid, (written,)), written.instances[0].path


def main(arguments: list[str]) -> None:
    if arguments[0] == "--fuzz":
        finish(fuzz(int(arguments[1]), int(arguments[2]), Path(arguments[3])))
    else:
        finish({Path(one).name: read(Path(one)) for one in arguments})


if __name__ == "__main__":
    main(sys.argv[1:])
