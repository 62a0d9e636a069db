"""``cspine-node studies``: what became of the studies, and what to do about it, whether the node runs or not."""

import getpass
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from node.cli.program import EXIT_ERROR, config_option, config_path_or_default
from node.config import load_config
from node.domain.errors import NodeError, Reason
from node.domain.identity import StudyInstanceUID, parse_uid
from node.domain.job import FINAL_DELIVERY_STATES, FINAL_JOB_STATES, JobState
from node.domain.worklist import AnalysisEntry, StudyEntry, StudyHistory
from node.jobs import JobClient, open_jobs
from node.retention import Retention
from node.store import Store, open_store

_STYLES = {
    "delivered": "green",
    "analysed": "cyan",
    "declined": "dim",
    "waiting": "yellow",
    "incomplete": "yellow",
    "failed": "bold red",
    "dead": "bold red",
}

_WIDTH = 240

_uid_argument = click.argument("uid", callback=lambda _context, _parameter, text: _study_uid(text))
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def _study_uid(text: str | None) -> StudyInstanceUID | None:
    try:
        return None if text is None else StudyInstanceUID(parse_uid(text))
    except NodeError as error:
        raise click.BadParameter(error.message) from error


@click.group()
def studies() -> None:
    """List, show, retry, resend, cancel and purge studies; works while the node runs and while it is stopped."""


@studies.command("list")
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only studies in this state.")
@_json_option
@config_option
def list_command(state: str | None, as_json: bool, config_path: Path | None) -> None:
    """Show one line for each study, last changed first."""
    with _jobs(config_path) as jobs:
        entries = jobs.studies(JobState(state) if state else None)
    if as_json:
        click.echo(_json([asdict(entry) for entry in entries]))
    elif entries:
        _print(_study_table(entries))
    else:
        click.echo("no studies")


@studies.command()
@_uid_argument
@_json_option
@config_option
def show(uid: StudyInstanceUID, as_json: bool, config_path: Path | None) -> None:
    """Show the analyses, deliveries and events of the study UID."""
    with _jobs(config_path) as jobs:
        history = jobs.study(uid)
    if as_json:
        click.echo(_json(asdict(history)))
        return
    click.echo(f"{uid}: {history.study.state}, first ready {_time(history.study.first_ready_at)}")
    for analysis in history.analyses:
        _show_analysis(analysis)
    for one in history.feedback:
        click.echo(f"feedback {one.kind}, {_time(one.at)}: {one.message} ({one.modality} {one.sop_instance_uid})")
    _print(_event_table(history))


@studies.command()
@_uid_argument
@config_option
def retry(uid: StudyInstanceUID, config_path: Path | None) -> None:
    """Analyse the study UID again if that failed, or deliver again what was not delivered."""
    with _jobs(config_path) as jobs:
        click.echo(f"{uid}: {jobs.retry(uid, _actor())}")


@studies.command()
@_uid_argument
@click.option("--to", default="", metavar="DESTINATION", help="Only to this destination of the configuration; else to all.")
@config_option
def resend(uid: StudyInstanceUID, to: str, config_path: Path | None) -> None:
    """Send the results of the study UID again, also where they were delivered."""
    names = [one.name for one in load_config(config_path_or_default(config_path)).destinations]
    with _jobs(config_path) as jobs:
        click.echo(f"{uid}: {jobs.resend(uid, names, _actor(), to)}")


@studies.command()
@_uid_argument
@config_option
def cancel(uid: StudyInstanceUID, config_path: Path | None) -> None:
    """Cancel what has not ended of the study UID; a result that is being made is dropped."""
    with _jobs(config_path) as jobs:
        count = jobs.cancel(uid, _actor())
    click.echo(f"{uid}: {count} cancelled" if count else f"{uid}: nothing to cancel, it has ended")


@studies.command()
@config_option
def sweep(config_path: Path | None) -> None:
    """Delete now what `retention` of the configuration says; workers do it every few minutes on their own."""
    config = load_config(config_path_or_default(config_path))
    with _jobs(config_path) as jobs:
        click.echo(str(Retention(config.retention, open_store(config.store), jobs).sweep()))


@studies.command()
@click.argument("uid", required=False, callback=lambda _context, _parameter, text: _study_uid(text))
@click.option("--older-than", "days", type=click.FloatRange(min=0), help="All ended studies unchanged for this many days.")
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Of the old ones only those in this state.")
@config_option
def purge(uid: StudyInstanceUID | None, days: float | None, state: str | None, config_path: Path | None) -> None:
    """Delete images, results and records of the study UID, or of all old ones; the events of each remain."""
    if (uid is None) == (days is None) or (uid is not None and state is not None):
        raise click.UsageError("name either a study UID or --older-than DAYS, with or without --state")
    store = open_store(load_config(config_path_or_default(config_path)).store)
    with _jobs(config_path) as jobs:
        moment = datetime.now(UTC) - timedelta(days=days or 0.0)
        chosen = [uid] if uid is not None else _ended_before(jobs, moment, JobState(state) if state else None)
        failed = [problem for problem in (_purge_one(one, jobs, store) for one in chosen) if problem]
    click.echo(f"{len(chosen) - len(failed)} purged")
    for problem in failed:
        click.echo(f"error: {problem}", err=True)
    if failed:
        sys.exit(EXIT_ERROR)


def _actor() -> str:
    """Return who calls, for the audit trail."""
    return f"{getpass.getuser()} on {socket.gethostname()}"


def _purge_one(uid: StudyInstanceUID, jobs: JobClient, store: Store) -> NodeError | None:
    """Delete the files first: what is interrupted here can be found and purged again."""
    is_stored = uid in store.study_uids()
    try:
        store.delete_study(uid)
        jobs.purge(uid, _actor())
    except NodeError as error:
        return None if is_stored and error.reason is Reason.STUDY_UNKNOWN else error
    return None


def _ended_before(jobs: JobClient, moment: datetime, state: JobState | None) -> list[StudyInstanceUID]:
    return [entry.study_instance_uid for entry in jobs.studies(state) if entry.updated_at < moment and _has_ended(entry)]


def _has_ended(entry: StudyEntry) -> bool:
    if entry.state in FINAL_JOB_STATES:
        return True
    deliveries = entry.current.deliveries if entry.current else ()
    return entry.state == JobState.ANALYSED and all(one.state in FINAL_DELIVERY_STATES for one in deliveries)


@contextmanager
def _jobs(config_path: Path | None) -> Iterator[JobClient]:
    jobs = open_jobs(load_config(config_path_or_default(config_path)).database)
    try:
        yield jobs
    finally:
        jobs.close()


def _print(table: Table) -> None:
    # A UID that is cut or folded cannot be copied: the terminal itself may break a long line.
    Console(width=max(Console().width, _WIDTH)).print(table)


def _study_table(entries: tuple[StudyEntry, ...]) -> Table:
    table = Table("study", "state", "revision", "status", "deliveries", "changed", "reason", box=None, pad_edge=False)
    for entry in entries:
        current = entry.current
        deliveries = ", ".join(f"{one.destination} {_styled(one.state)}" for one in current.deliveries) if current else ""
        table.add_row(
            entry.study_instance_uid,
            _styled(entry.state),
            str(current.revision) if current else "",
            (current.status or "") if current else "",
            deliveries,
            _time(entry.updated_at),
            (current.reason or "") if current else "",
        )
    return table


def _show_analysis(analysis: AnalysisEntry) -> None:
    click.echo(f"revision {analysis.revision}: {analysis.state}, {analysis.status or 'no result'}, {_time(analysis.finished_at)}")
    for text in (analysis.message, analysis.folder and f"results in {analysis.folder}"):
        if text:
            click.echo(f"  {text}")
    for finding in analysis.findings:
        click.echo(f"  {finding['severity']} {finding['code']}: {finding['message']}")
    for model in analysis.models:
        click.echo(f"  model {model['name']} {model['version']}, sha256 {model['sha256']}")
    for one in analysis.deliveries:
        then = f", next attempt {_time(one.next_attempt_at)}" if one.next_attempt_at else ""
        why = f": {one.message}" if one.message else ""
        click.echo(f"  to {one.destination}: {one.state} after attempt {one.attempt}, {one.stored_count} stored{then}{why}")


def _event_table(history: StudyHistory) -> Table:
    table = Table("time", "event", "of", "reason", "explanation", box=None, pad_edge=False)
    for event in history.events:
        table.add_row(_time(event.at), event.kind, event.subject, event.reason or "", escape(event.message))
    return table


def _styled(state: str) -> str:
    return f"[{_STYLES[state]}]{state}[/]" if state in _STYLES else state


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _json(content: object) -> str:
    return json.dumps(content, indent=2, default=lambda value: value.isoformat() if isinstance(value, datetime) else str(value))
