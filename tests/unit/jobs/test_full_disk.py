"""What the engine makes of a SQLite that cannot be written, on a real full database."""

import sqlite3

import pytest
from dbos import _sys_db as engine_database
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from node.jobs.full_disk import is_passing, wait_for_room


@pytest.fixture
def full(tmp_path):
    """The error of a database that may not grow."""
    engine = create_engine(f"sqlite:///{tmp_path / 'jobs.db'}")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE work (what BLOB)"))
        connection.execute(text("PRAGMA max_page_count = 3"))
        with pytest.raises(OperationalError) as error:
            connection.execute(text("INSERT INTO work VALUES (zeroblob(100000))"))
    engine.dispose()
    return error.value


def test_a_full_disk_passes_and_a_wrong_statement_does_not(full):
    assert isinstance(full.orig, sqlite3.OperationalError)
    assert is_passing(full)
    assert is_passing(OperationalError("", {}, sqlite3.OperationalError("database is locked")))
    assert not is_passing(OperationalError("", {}, sqlite3.OperationalError("no such table: work")))
    assert not is_passing(ValueError("database is full"))


def test_the_engine_tries_again_what_a_full_disk_did_not_take(full):
    wait_for_room()
    errors = [full]

    @engine_database.db_retry(initial_backoff=0.01)
    def write() -> str:
        if errors:
            raise errors.pop()
        return "written"

    assert write() == "written"
