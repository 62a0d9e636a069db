"""The commands echo, send and doctor against a receiver of our own."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from node.cli.program import program
from node.domain.errors import ConfigError, TransientError
from tests.support.dicom_peers import mr_instance, running_receiver, write_instance
from tests.support.external import drops_sockets, free_port

CONFIG = """
store: file:store
database: sqlite:jobs.db
reception: {{port: {own}, bind_address: 127.0.0.1, minimum_free_disk_mb: 0}}
destinations:
  - {{name: pacs, host: 127.0.0.1, port: {pacs}, ae_title: CSPINE, timeout_s: 5}}
"""


@pytest.fixture
def receiver(tmp_path: Path):
    with running_receiver(tmp_path / "pacs") as running:
        (tmp_path / "config.yaml").write_text(CONFIG.format(own=free_port(), pacs=running.port))
        yield running


def call(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--config", str(tmp_path / "config.yaml")])


def test_echo_shows_what_the_destination_accepts(receiver, tmp_path: Path):
    result = call(tmp_path, "echo", "pacs")
    assert result.exit_code == 0
    assert "pacs: answered in" in result.stdout
    assert "Segmentation Storage: Explicit VR Little Endian" in result.stdout


def test_send_stores_a_folder_and_names_what_is_not_dicom(receiver, tmp_path: Path):
    for number in range(3):
        write_instance(tmp_path / "sent" / f"{number}.dcm", mr_instance())
    assert call(tmp_path, "send", "pacs", str(tmp_path / "sent")).stdout == "pacs: 3 stored, 0 not sent or refused\n"
    assert len(receiver.files) == 3
    (tmp_path / "sent" / "notes.txt").write_text("hello")
    result = call(tmp_path, "send", "pacs", str(tmp_path / "sent"))
    assert result.exit_code == 1
    assert "notes.txt: not a DICOM file" in result.stderr


def test_an_unknown_destination_is_named_with_those_that_are_known(receiver, tmp_path: Path):
    result = call(tmp_path, "echo", "elsewhere")
    assert isinstance(result.exception, ConfigError)
    assert "configured: pacs" in result.exception.message


@drops_sockets
def test_a_destination_that_is_down_is_an_error(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(CONFIG.format(own=free_port(), pacs=free_port()))
    assert isinstance(call(tmp_path, "echo", "pacs").exception, TransientError)


def test_doctor_prints_json_and_fails_if_a_check_fails(receiver, tmp_path: Path):
    (tmp_path / "store").mkdir(mode=0o700)
    result = call(tmp_path, "doctor", "--json")
    checks = {check["name"]: check["result"] for check in json.loads(result.stdout)}
    assert checks["configuration"] == checks["store"] == checks["destination pacs"] == "ok"
    assert result.exit_code == (1 if "failed" in checks.values() else 0)
    table = call(tmp_path, "doctor").stdout
    assert "destination pacs" in table
