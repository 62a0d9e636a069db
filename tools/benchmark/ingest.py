"""How many images a second are received: each receiver under the same sender, image size and number of associations."""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from tools.benchmark.figures import Row, Section, Target, alternate
from tools.benchmark.images import write_images
from tools.benchmark.processes import memory_mb
from tools.benchmark.receivers import DCMTK, NODE, ORTHANC, PYNETDICOM, RECEIVERS, ROUTER, Receiver, is_missing
from tools.benchmark.senders import SENDERS, Sender, seconds_to_send

_TARGETS = {PYNETDICOM: Target(">=", 2.0), ORTHANC: Target(">=", 1.0), DCMTK: Target(">=", 0.6), ROUTER: Target(">=", 1.5)}
_MEMORY = Target("<=", 150)
#: Image rows, and how many images for one of the largest.
_SIZES = {512: 1, 256: 4}
_ASSOCIATIONS = (1, 4)
#: Where both sides wait for acknowledgements an image takes 45 ms whatever its receiver does: fewer of them will do.
_WAITING_SHARE = 4


@dataclass(frozen=True, slots=True)
class Condition:
    """What is sent, and how."""

    rows: int
    sender: Sender
    associations: int

    def __str__(self) -> str:
        plural = "s" if self.associations > 1 else ""
        return f"{self.rows}x{self.rows}, {self.sender.name}, {self.associations} association{plural}"

    def count(self, images: int) -> int:
        """Return how many images are sent where ``images`` of the largest size are."""
        return max(self.associations, images * _SIZES[self.rows] // (1 if self.sender.is_prompt else _WAITING_SHARE))


CONDITIONS = tuple(Condition(*one) for one in product(_SIZES, SENDERS, _ASSOCIATIONS))


def run(repeats: int, images: int = 48, only: str = "", receivers: Sequence[str] = tuple(RECEIVERS)) -> Section:
    """Measure.

    Parameters
    ----------
    images
        Images of 512x512 in a run; four times as many of 256x256.
    only
        Part of the text of the conditions to measure, for example ``storescu TCP_NODELAY=1, 4``; empty for all.
    """
    chosen = [one for one in CONDITIONS if only in str(one)]
    missing = {name: why for name in receivers if (why := is_missing(name))}
    names = [name for name in receivers if name not in missing]
    rows: list[Row] = []
    memory: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for is_prompt in (True, False):
            group = [one for one in chosen if one.sender.is_prompt is is_prompt]
            if group:
                with _running(names, Path(folder) / f"receivers-{is_prompt}", group[0].sender) as running:
                    for condition in group:
                        rows += _rows(condition, running, repeats, _images(Path(folder), condition, images))
                        memory.setdefault(f"{NODE}, {is_prompt}", []).append(memory_mb(running[0].pid))
    greatest = max(max(one) for one in memory.values())
    rows.append(Row("memory of the receiver", "greatest, after all runs", "MB", (greatest,), target=_MEMORY))
    rows.append(_growth(list(memory.values())))
    settings = {"images_512": images, "images_256": images * _SIZES[256], "repeats": repeats}
    return Section("ingest", "Ingest", tuple(rows), settings, tuple(f"{name}: {why}" for name, why in missing.items()))


def _growth(readings: Sequence[Sequence[float]]) -> Row:
    growths = tuple(one[-1] - one[0] for one in readings)
    return Row("memory of the receiver", "growth from its first condition to its last", "MB", (statistics.median(growths),))


def _images(folder: Path, condition: Condition, images: int) -> Sequence[Path]:
    count = condition.count(images)
    place = folder / f"{condition.rows}-{count}-{condition.associations}"
    return sorted(place.iterdir()) if place.exists() else write_images(place, count, condition.rows, condition.associations)


@contextmanager
def _running(names: Sequence[str], folder: Path, sender: Sender) -> Iterator[Sequence[Receiver]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(RECEIVERS[name](folder / str(number), sender.environment)) for number, name in enumerate(names)
        ]


def _rows(condition: Condition, running: Sequence[Receiver], repeats: int, shares: Sequence[Path]) -> Sequence[Row]:
    """Return the node's rate beside that of each other receiver."""
    rates = alternate({one.name: partial(_patient_rate, condition.sender, one, shares) for one in running}, repeats)
    ours = rates.pop(NODE)
    named = ("C-STORE", str(condition), "images/s", ours)
    return [Row(*named, other, name, _TARGETS[name]) for name, other in rates.items()] or [Row(*named)]


def _patient_rate(sender: Sender, receiver: Receiver, shares: Sequence[Path]) -> float:
    """Return images a second; once more if the sender failed, as pynetdicom's does at times, which then waits for an answer."""
    try:
        return received_rate(sender, receiver, shares)
    except RuntimeError as error:
        print(f"tried again: {error}", file=sys.stderr)
        receiver.clear()
        return received_rate(sender, receiver, shares)


def received_rate(sender: Sender, receiver: Receiver, shares: Sequence[Path]) -> float:
    """Return images a second; every one must be there afterwards."""
    count = sum(len(list(share.iterdir())) for share in shares)
    seconds = seconds_to_send(sender, receiver, shares)
    if (held := receiver.clear()) != count:
        raise RuntimeError(f"{receiver.name} holds {held} of {count} images")
    return count / seconds
