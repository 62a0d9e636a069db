"""Sending any DICOM files: what the command ``send`` does."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from node.config import DestinationConfig
from node.delivery.association import open_association
from node.delivery.contexts import MAXIMUM_CONTEXTS, NATIVE, Encoding, contexts_for
from node.delivery.line import DimseLine, Line, web_line
from node.delivery.scu import is_stored
from node.dicom_errors import UNREADABLE
from node.domain.errors import PermanentError, Reason

Progress = Callable[[int, int], None]
"""Called after each file with how many are done, and how many there are."""

_ENCODINGS_PER_ASSOCIATION = MAXIMUM_CONTEXTS // len(NATIVE)


@dataclass(frozen=True, slots=True)
class SentFiles:
    """How many files the peer stored, and for the others why not; a path may hold patient data."""

    stored_count: int
    failed: tuple[tuple[Path, str], ...]


def send_files(destination: DestinationConfig, calling_ae_title: str, paths: Sequence[Path], progress: Progress) -> SentFiles:
    """Store DICOM files at a peer as they are, streamed; a file that fails does not stop the others.

    Raises
    ------
    TransientError
        ``peer_unreachable``, ``peer_rejected`` or ``peer_out_of_resources``; the files before were stored.
    """
    failed: list[tuple[Path, str]] = []
    paths_by_encoding: dict[Encoding, list[Path]] = {}
    for path in paths:
        try:
            paths_by_encoding.setdefault(_encoding_of(path), []).append(path)
        except PermanentError as error:
            failed.append((path, error.message))
    done = len(failed)
    for group in _groups(list(paths_by_encoding)):
        todo = [(encoding, path) for encoding in group for path in paths_by_encoding[encoding]]
        for path, problem in _send_group(destination, calling_ae_title, todo):
            done += 1
            progress(done, len(paths))
            failed += [(path, problem)] if problem else []
    return SentFiles(len(paths) - len(failed), tuple(failed))


def _send_group(
    destination: DestinationConfig, calling_ae_title: str, todo: Sequence[tuple[Encoding, Path]]
) -> Iterator[tuple[Path, str]]:
    """Yield each file and why it was not stored; the reason is empty if it was."""
    try:
        with _line(destination, calling_ae_title, [encoding for encoding, _ in todo]) as line:
            for encoding, path in todo:
                yield path, _problem(line, destination, encoding, path)
    except PermanentError as error:
        if error.reason is not Reason.SOP_CLASS_REFUSED:
            raise
        yield from ((path, error.message) for _, path in todo)


@contextmanager
def _line(destination: DestinationConfig, calling_ae_title: str, encodings: Sequence[Encoding]) -> Iterator[Line]:
    if destination.dicomweb is not None:
        with web_line(destination) as line:
            yield line
        return
    with open_association(destination, calling_ae_title, contexts_for(encodings)) as association:
        yield DimseLine(association, destination)


def _problem(line: Line, destination: DestinationConfig, encoding: Encoding, path: Path) -> str:
    """Send a file and return why it was not stored; empty if it was."""
    if not line.takes(encoding):
        return f"{destination.name} does not accept this SOP class or transfer syntax"
    try:
        status = line.store(path, str(read_file_meta_info(path).MediaStorageSOPInstanceUID), encoding)
    except PermanentError as error:
        return error.message
    return "" if is_stored(status) else f"{destination.name} answered status 0x{status:04X}"


def _groups(encodings: list[Encoding]) -> Iterator[list[Encoding]]:
    for start in range(0, len(encodings), _ENCODINGS_PER_ASSOCIATION):
        yield encodings[start : start + _ENCODINGS_PER_ASSOCIATION]


def _encoding_of(path: Path) -> Encoding:
    try:
        meta = read_file_meta_info(path)
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except UNREADABLE as error:
        raise PermanentError(Reason.NOT_DICOM, "not a DICOM file with file meta information") from error
    except OSError as error:
        raise PermanentError(Reason.NOT_DICOM, f"cannot be read: {error.strerror}") from error
