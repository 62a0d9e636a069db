"""What doctor says of work that goes on."""

from pathlib import Path

from node.config import Config, JobsConfig
from node.doctor.check import CheckResult
from node.doctor.work import work_checks
from node.jobs import open_jobs
from tests.support.job_node import STUDY


def test_nothing_is_said_where_no_job_was_ever_queued(tmp_path: Path):
    assert work_checks(Config(database=f"sqlite:{tmp_path}/jobs.db")) == []
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_waits_does_not_stall(tmp_path: Path):
    config = Config(database=f"sqlite:{tmp_path}/jobs.db", jobs=JobsConfig(alarm_s=60))
    jobs = open_jobs(config.database)
    jobs.study_ready(STUDY)
    jobs.close()
    (check,) = work_checks(config)
    assert (check.result, check.message) == (CheckResult.OK, "none has been running for longer than 60 s")
