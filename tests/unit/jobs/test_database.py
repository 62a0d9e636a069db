from pathlib import Path

import pytest
from sqlalchemy import text

from node.domain.errors import Reason, TransientError
from node.jobs.database import database_url, open_engine, prepare_database, sqlite_path


@pytest.mark.parametrize("text_", ["sqlite:/var/lib/node/jobs.db", "sqlite:////var/lib/node/jobs.db"])
def test_sqlite_path_is_absolute(text_: str):
    assert sqlite_path(database_url(text_)) == Path("/var/lib/node/jobs.db")


def test_relative_sqlite_path_is_taken_from_here():
    assert sqlite_path(database_url("sqlite:jobs.db")) == Path.cwd() / "jobs.db"


@pytest.mark.parametrize("text_", ["postgresql://u:p@h:1/d", "postgresql+psycopg://u:p@h:1/d"])
def test_server_is_reached_with_psycopg(text_: str):
    url = database_url(text_)
    assert url.drivername == "postgresql+psycopg"
    assert sqlite_path(url) is None


def test_prepared_database_is_in_write_ahead_mode_and_may_be_prepared_again(tmp_path: Path):
    url = database_url(f"sqlite:{tmp_path}/new/jobs.db")
    prepare_database(url)
    prepare_database(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("SELECT count(*) FROM studies")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM workflow_status")).scalar() == 0
    engine.dispose()


def test_file_that_is_no_database_is_a_clear_error(tmp_path: Path):
    (tmp_path / "jobs.db").write_text("not a database " * 100)
    with pytest.raises(TransientError, match=r"jobs\.db cannot be used") as caught:
        prepare_database(database_url(f"sqlite:{tmp_path}/jobs.db"))
    assert caught.value.reason == Reason.DATABASE_UNAVAILABLE
