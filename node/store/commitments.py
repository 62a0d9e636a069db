"""What peers were asked to commit, and what they answered: small files, because the answer may reach another process.

::

    <root>/commitments/<transaction>                        empty while asked, then the answer as JSON
    <root>/results/<study>/.commitments/<analysis>.<peer>   the request, as JSON
    <root>/results/<study>/.committed/<analysis>.<peer>     what was granted, as JSON; as long as the results

Source: PS3.4 annex J (Storage Commitment Service Class, push model).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from node.domain.errors import PermanentError, Reason
from node.domain.identity import parse_uid
from node.store.entry import write_entry

_FOLDER = ".commitments"
_GRANTED = ".committed"


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """A transaction, when it was asked for, in seconds since the epoch, and what the delivery comes to if it is granted."""

    transaction_uid: str
    asked_at: float
    outcome: str


@dataclass(frozen=True, slots=True)
class CommitmentAnswer:
    """What a peer says of a transaction: failure reasons (PS3.3 section C.14.1.1) by SOP Instance UID; none if it has all."""

    transaction_uid: str
    failed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Committed:
    """What a peer has taken over the responsibility for, and when, in seconds since the epoch."""

    at: float
    objects: tuple[str, ...]


def commitment_answer(event_information: Dataset) -> CommitmentAnswer:
    """Return what the data set of an N-EVENT-REPORT says (PS3.4 section J.3.3).

    Raises
    ------
    PermanentError
        ``uid_invalid`` or ``not_dicom`` if it is not one.
    """
    try:
        failed = {
            parse_uid(str(item.ReferencedSOPInstanceUID)): int(item.get("FailureReason") or 0)
            for item in event_information.get("FailedSOPSequence") or ()
        }
        return CommitmentAnswer(parse_uid(str(event_information.TransactionUID)), failed)
    except (AttributeError, ValueError, TypeError) as error:
        raise PermanentError(Reason.NOT_DICOM, "the storage commitment report lacks UIDs") from error


class Commitments:
    """The requests and answers under the root of a store; safe to use from several processes."""

    def __init__(self, root: Path) -> None:
        self._transactions = root / "commitments"
        self._transactions.mkdir(parents=True, exist_ok=True)

    def ask(self, results_folder: Path, peer: str, request: CommitmentRequest) -> None:
        """Note that a peer is about to be asked to commit the results of a folder; an earlier request of it is dropped."""
        self.settle(results_folder, peer)
        (self._transactions / parse_uid(request.transaction_uid)).touch()
        note = _note(results_folder, peer)
        note.parent.mkdir(exist_ok=True)
        write_entry(note, json.dumps(asdict(request)))

    def pending(self, results_folder: Path, peer: str) -> CommitmentRequest | None:
        """Return what a peer was asked for and has not been settled."""
        note = _note(results_folder, peer)
        if not note.is_file():
            return None
        return CommitmentRequest(**json.loads(note.read_text(encoding="ascii")))

    def record(self, answer: CommitmentAnswer) -> bool:
        """Keep the answer of a peer; return False, and keep nothing, if nobody asked."""
        path = self._transactions / parse_uid(answer.transaction_uid)
        if not path.exists():
            return False
        write_entry(path, json.dumps({"failed": dict(answer.failed)}))
        return True

    def answered(self, transaction_uid: str) -> CommitmentAnswer | None:
        """Return the answer to a transaction; None while there is none."""
        path = self._transactions / parse_uid(transaction_uid)
        text = path.read_text(encoding="ascii") if path.is_file() else ""
        return CommitmentAnswer(transaction_uid, json.loads(text)["failed"]) if text else None

    def settle(self, results_folder: Path, peer: str) -> None:
        """Forget what a peer was asked for; nothing happens if that was nothing."""
        request = self.pending(results_folder, peer)
        if request is not None:
            (self._transactions / parse_uid(request.transaction_uid)).unlink(missing_ok=True)
            _note(results_folder, peer).unlink(missing_ok=True)

    def grant(self, results_folder: Path, peer: str, committed: Committed) -> None:
        """Keep what a peer has committed of the results of a folder, to be shown."""
        path = results_folder.parent / _GRANTED / f"{results_folder.name}.{peer}"
        path.parent.mkdir(exist_ok=True)
        write_entry(path, json.dumps(asdict(committed)))

    def granted(self, results_folder: Path, peer: str) -> Committed | None:
        """Return what a peer has committed of the results of a folder; None if it has not."""
        path = results_folder.parent / _GRANTED / f"{results_folder.name}.{peer}"
        if not path.is_file():
            return None
        found = json.loads(path.read_text(encoding="ascii"))
        return Committed(float(found["at"]), tuple(found["objects"]))

    def forget(self, results: Path) -> None:
        """Forget every request for a study, whose folder of results is there still."""
        folder = results / _FOLDER
        for note in sorted(folder.glob("*")) if folder.is_dir() else ():
            transaction_uid = parse_uid(str(json.loads(note.read_text(encoding="ascii"))["transaction_uid"]))
            (self._transactions / transaction_uid).unlink(missing_ok=True)


def _note(results_folder: Path, peer: str) -> Path:
    return results_folder.parent / _FOLDER / f"{results_folder.name}.{peer}"
