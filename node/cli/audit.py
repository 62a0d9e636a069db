"""``cspine-node audit``: who sent, returned, retried, cancelled and deleted what, as JSON lines for an archive of logs."""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from node.cli.program import config_option, config_path_or_default
from node.config import load_config
from node.domain.errors import NodeError
from node.domain.identity import StudyInstanceUID, parse_uid
from node.domain.worklist import AuditEntry
from node.jobs import open_jobs


@click.command()
@click.argument("uid", required=False, callback=lambda _context, _parameter, text: _study_uid(text))
@click.option("--since", type=click.DateTime(), help="Only what happened from this moment on (UTC).")
@config_option
def audit(uid: StudyInstanceUID | None, since: datetime | None, config_path: Path | None) -> None:
    """Print the audit trail, of the study UID or of all, also of those that were deleted; one JSON object a line."""
    with closing(open_jobs(load_config(config_path_or_default(config_path)).database)) as jobs:
        entries = jobs.audit(uid, None if since is None else since.replace(tzinfo=UTC))
    for entry in entries:
        click.echo(json.dumps(_line(entry)))


def _line(entry: AuditEntry) -> dict[str, str | None]:
    event = entry.event
    return {
        "time": event.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "study_instance_uid": entry.study_instance_uid,
        "event": event.kind,
        "subject": event.subject,
        "reason": event.reason,
        "message": event.message,
    }


def _study_uid(text: str | None) -> StudyInstanceUID | None:
    try:
        return None if text is None else StudyInstanceUID(parse_uid(text))
    except NodeError as error:
        raise click.BadParameter(error.message) from error
