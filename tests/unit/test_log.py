import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from node.domain.errors import PermanentError, Reason
from node.log import JsonLines, configure_logging, job_context


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, node = logging.getLogger(), logging.getLogger("node")
    handlers, levels = root.handlers[:], (root.level, node.level)
    hook = threading.excepthook
    stream = io.StringIO()
    configure_logging("INFO", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    node.setLevel(levels[1])
    logging.captureWarnings(False)
    threading.excepthook = hook


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_event_carries_level_logger_fields_and_time_in_utc(stream: io.StringIO):
    logging.getLogger("node.reception").info("study completed", extra={"instances": 3})
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"], line["instances"]) == ("study completed", "info", "node.reception", 3)
    assert str(line["time"]).endswith("+00:00")


def test_context_is_bound_inside_the_block_only(stream: io.StringIO):
    log = logging.getLogger("node.worker")
    with job_context(study_instance_uid="1.2"), job_context(job="7"):
        log.info("inside")
    log.info("outside")
    inside, outside = lines(stream)
    assert (inside["study_instance_uid"], inside["job"]) == ("1.2", "7")
    assert "study_instance_uid" not in outside
    assert "job" not in outside


def test_foreign_exception_keeps_its_frames_but_not_its_text(stream: io.StringIO):
    try:
        raise ValueError("DOE^JANE")
    except ValueError:
        logging.getLogger("node.worker").exception("internal error")
    assert "DOE^JANE" not in stream.getvalue()
    (line,) = lines(stream)
    assert str(line["error"]).startswith("ValueError: ")
    assert "test_log.py" in str(line["traceback"])


def test_an_error_that_ends_a_thread_becomes_a_line_without_its_text(stream: io.StringIO):
    thread = threading.Thread(target=lambda: {}["DOE^JANE"])
    thread.start()
    thread.join()
    (line,) = lines(stream)
    assert str(line["error"]).startswith("KeyError: ")
    assert "DOE^JANE" not in stream.getvalue()


def test_own_error_keeps_its_text(stream: io.StringIO):
    try:
        raise PermanentError(Reason.MODEL_MISSING, "no model cord")
    except PermanentError:
        logging.getLogger("node.worker").exception("analysis failed")
    (line,) = lines(stream)
    assert line["error"] == "PermanentError: model_missing: no model cord"


@pytest.mark.parametrize("library", ["pydicom", "pynetdicom.acse", "highdicom.sr", "py.warnings"])
def test_what_a_dicom_library_says_is_withheld(stream: io.StringIO, library: str):
    logging.getLogger(library).warning("bad value DOE^JANE")
    (line,) = lines(stream)
    assert "DOE^JANE" not in stream.getvalue()
    assert "test_log.py" in str(line["event"])


def test_level_is_respected(stream: io.StringIO):
    logging.getLogger("node.worker").debug("detail")
    logging.getLogger("sqlalchemy").info("statement")
    assert lines(stream) == []


def test_record_that_cannot_become_json_is_written_as_text():
    record = logging.makeLogRecord({"name": "node", "msg": "odd", "levelname": "INFO", "thing": {1}})
    assert json.loads(JsonLines().format(record))["thing"] == "{1}"
