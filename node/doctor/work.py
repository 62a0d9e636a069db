"""What doctor says of the work that goes on: whether any of it stalls."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from node.config import Config
from node.doctor.check import Check, CheckResult
from node.jobs import open_jobs


def work_checks(config: Config) -> Sequence[Check]:
    """Say which jobs have been running for longer than ``jobs.alarm_s``; nothing where no job was ever queued."""
    if config.database.startswith("sqlite:") and not Path(config.database.removeprefix("sqlite:")).is_file():
        return []
    with closing(open_jobs(config.database)) as jobs:
        stalled = jobs.stalled(config.jobs.alarm_s)
    if not stalled:
        return [Check("jobs", CheckResult.OK, f"none has been running for longer than {config.jobs.alarm_s:g} s")]
    first = stalled[0]
    what = f"{len(stalled)} running for longer than {config.jobs.alarm_s:g} s, first {first.job} on {first.worker} since "
    hint = "; look at that worker: when its process ends, the job is done again"
    return [Check("jobs", CheckResult.FAILED, f"{what}{first.since:%Y-%m-%d %H:%M:%S} UTC{hint}")]
