"""The commands on a job database without workers: they work while the node is stopped."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from node.cli.program import program
from node.cli.studies import studies
from node.domain.errors import PermanentError, Reason
from node.domain.identity import StudyInstanceUID
from node.jobs import open_jobs
from node.store import open_store

STUDY = "1.2.826.0.1.3680043.8.498.12345678901234567890123456789012345"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("database: sqlite:jobs.db\nstore: file:store\n", encoding="utf-8")
    return path


@pytest.fixture
def announced(config: Path) -> Path:
    jobs = open_jobs(f"sqlite:{config.parent}/jobs.db")
    jobs.study_ready(StudyInstanceUID(STUDY))
    jobs.close()
    return config


def call(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(studies, [arguments[0], *arguments[1:], "--config", str(config)])


def test_no_studies(config: Path):
    assert call(config, "list").output == "no studies\n"
    assert json.loads(call(config, "list", "--json").output) == []


def test_list_shows_the_whole_uid_and_the_state(announced: Path):
    output = call(announced, "list").output
    assert STUDY in output
    assert "queued" in output
    assert call(announced, "list", "--state", "failed").output == "no studies\n"
    (entry,) = json.loads(call(announced, "list", "--json").output)
    assert (entry["study_instance_uid"], entry["state"], entry["current"]) == (STUDY, "queued", None)


def test_show_lists_events(announced: Path):
    output = call(announced, "show", STUDY).output
    assert f"{STUDY}: queued" in output
    assert "study ready" in output
    history = json.loads(call(announced, "show", STUDY, "--json").output)
    assert [event["kind"] for event in history["events"]] == ["study ready"]


@pytest.mark.parametrize("command", ["show", "retry", "resend", "cancel", "purge"])
def test_unknown_study_is_named(config: Path, command: str):
    result = call(config, command, "1.2.3")
    assert result.exit_code == 1
    if command == "purge":
        assert "no study 1.2.3 here" in result.stderr
    else:
        assert isinstance(result.exception, PermanentError)
        assert result.exception.reason == Reason.STUDY_UNKNOWN


@pytest.mark.parametrize("command", ["show", "retry", "resend", "cancel", "purge"])
def test_text_that_is_no_uid_is_refused(config: Path, command: str):
    result = call(config, command, "../../etc")
    assert result.exit_code == 2
    assert "not a DICOM UID" in result.stderr


def test_cancel_and_then_retry(announced: Path):
    assert call(announced, "cancel", STUDY).output == f"{STUDY}: 1 cancelled\n"
    assert call(announced, "cancel", STUDY).output == f"{STUDY}: nothing to cancel, it has ended\n"
    assert call(announced, "retry", STUDY).output == f"{STUDY}: analysis queued\n"
    assert "queued" in call(announced, "list").output


def test_retry_of_a_queued_study_says_that_there_is_nothing_to_do(announced: Path):
    error = call(announced, "retry", STUDY).exception
    assert isinstance(error, PermanentError)
    assert error.reason == Reason.NOTHING_TO_RETRY


def test_resend_names_what_is_wrong(announced: Path):
    unknown = call(announced, "resend", STUDY, "--to", "nowhere").exception
    assert isinstance(unknown, PermanentError)
    assert unknown.reason == Reason.DESTINATION_UNKNOWN
    early = call(announced, "resend", STUDY).exception
    assert isinstance(early, PermanentError)
    assert early.message == f"study {STUDY} is queued and has no results: nothing to send again"


def test_purge_removes_files_and_rows(announced: Path):
    store = open_store(f"file:{announced.parent}/store")
    folder = store.results_folder(StudyInstanceUID(STUDY), "a1")
    (folder / "sr.dcm").write_bytes(b"x")
    assert call(announced, "purge", STUDY).output == "1 purged\n"
    assert not folder.exists()
    assert call(announced, "list").output == "no studies\n"


def test_purge_of_old_studies_leaves_what_has_not_ended(announced: Path):
    assert call(announced, "purge", "--older-than", "0").output == "0 purged\n"
    call(announced, "cancel", STUDY)
    assert call(announced, "purge", "--older-than", "1").output == "0 purged\n"
    assert call(announced, "purge", "--older-than", "0").output == "1 purged\n"


def test_purge_of_old_studies_may_name_their_state(announced: Path):
    call(announced, "cancel", STUDY)
    assert call(announced, "purge", "--older-than", "0", "--state", "failed").output == "0 purged\n"
    assert call(announced, "purge", "--older-than", "0", "--state", "cancelled").output == "1 purged\n"


def test_sweep_deletes_what_retention_says(announced: Path):
    text = announced.read_text(encoding="utf-8")
    announced.write_text(text + "retention: {declined_days: 0, minimum_free_disk_mb: 0}\n", encoding="utf-8")
    assert call(announced, "sweep").output == "0 studies, 0 events, 0 rows of jobs removed\n"
    call(announced, "cancel", STUDY)
    assert call(announced, "sweep").output == "1 studies, 0 events, 0 rows of jobs removed\n"
    trail = CliRunner().invoke(program, ["audit", STUDY, "--config", str(announced)]).output
    events = [json.loads(line) for line in trail.splitlines()]
    assert [event["event"] for event in events] == ["study ready", "study cancelled", "study purged"]
    assert events[1]["message"].startswith("by ")
    assert events[2]["message"] == "by retention"
    later = CliRunner().invoke(program, ["audit", "--since", "2999-01-01", "--config", str(announced)])
    assert (later.exit_code, later.output) == (0, "")


@pytest.mark.parametrize("arguments", [("purge",), ("purge", "1.2", "--older-than", "3"), ("purge", "1.2", "--state", "failed")])
def test_purge_needs_either_a_uid_or_an_age(config: Path, arguments: tuple[str, ...]):
    assert call(config, *arguments).exit_code == 2
