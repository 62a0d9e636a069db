"""JSON lines on stderr: one event a line, with the study and job it belongs to, and never patient data."""

import contextvars
import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import TextIO

from node.domain.errors import NodeError

_context: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar("job", default=MappingProxyType({}))

# What these libraries say may quote an element of a data set, and so a patient's name.
_MAY_QUOTE_PATIENT_DATA = frozenset({"pydicom", "pynetdicom", "highdicom", "py"})
_WITHHELD = "message withheld: it may hold patient data"
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@contextmanager
def job_context(**fields: str) -> Iterator[None]:
    """Bind fields, for example ``study_instance_uid``, to every line that is logged inside the block."""
    token = _context.set(MappingProxyType({**_context.get(), **fields}))
    try:
        yield
    finally:
        _context.reset(token)


class JsonLines(logging.Formatter):
    """One JSON object for each record: time, level, event, logger, bound context, ``extra`` fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": _event(record),
            "logger": record.name,
            **_context.get(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"], fields["traceback"] = _describe(record.exc_info[1], record.exc_info[2])
        return json.dumps(fields, default=str, ensure_ascii=False)


def _event(record: logging.LogRecord) -> str:
    if record.name.partition(".")[0] in _MAY_QUOTE_PATIENT_DATA:
        return f"{record.filename}:{record.lineno}: {_WITHHELD}"
    return record.getMessage()


def _describe(error: BaseException, frames: TracebackType | None) -> tuple[str, list[str]]:
    """Return an error and its frames without the text of foreign exceptions, which may quote an element."""
    text = str(error) if isinstance(error, NodeError | OSError) else _WITHHELD
    lines = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(frames)]
    return f"{type(error).__name__}: {text}", lines


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send the log of this process to a stream (default stderr) as JSON lines, from a level such as ``INFO`` on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("node").setLevel(level)
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_end


def _log_thread_end(ended: threading.ExceptHookArgs) -> None:
    """Log the error that ended a thread, where Python would print its text as it is."""
    if ended.exc_value is not None:
        error = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        logging.getLogger(__name__).error("a thread ended by an error", exc_info=error)
