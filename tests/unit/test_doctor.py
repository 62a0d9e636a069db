"""What doctor finds: each check once well and once ill, on real folders and ports."""

import socket
import threading
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from node.config import Config, DestinationConfig, ReceptionConfig
from node.doctor import Check, CheckResult, run_checks
from node.domain.errors import PermanentError, Reason
from tests.support.external import drops_sockets, free_port


def config(folder: Path, *, database: str | None = None, destinations=(), **reception: object) -> Config:
    fields = {"bind_address": "127.0.0.1", "port": free_port(), "minimum_free_disk_mb": 0} | reception
    return Config(
        store=f"file:{folder / 'store'}",
        database=database or f"sqlite:{folder / 'jobs.db'}",
        reception=ReceptionConfig.model_validate(fields),
        destinations=destinations,
    )


def results(checks: tuple[Check, ...]) -> dict[str, CheckResult]:
    return {check.name: check.result for check in checks}


def message(checks: tuple[Check, ...], name: str) -> str:
    return next(check.message for check in checks if check.name == name)


def test_a_sound_node_passes_and_is_told_that_nothing_is_delivered(tmp_path: Path):
    checks = run_checks(config(tmp_path), lambda: [Check("models", CheckResult.OK, "three")])
    assert results(checks) == {
        "store": CheckResult.OK,
        "disk": CheckResult.OK,
        "database": CheckResult.OK,
        "clock": CheckResult.OK,
        "reception": CheckResult.OK,
        "models": CheckResult.OK,
        "destinations": CheckResult.WARNING,
    }


def test_a_full_disk_fails(tmp_path: Path):
    checks = run_checks(config(tmp_path, minimum_free_disk_mb=10**9), lambda: ())
    assert results(checks)["disk"] is CheckResult.FAILED
    assert "free space" in message(checks, "disk")


def test_a_store_that_cannot_be_made_fails_and_the_other_checks_run(tmp_path: Path):
    (tmp_path / "store").write_text("a file")
    checks = run_checks(config(tmp_path), lambda: ())
    assert results(checks)["store"] is CheckResult.FAILED
    assert results(checks)["database"] is CheckResult.OK


def test_a_database_server_that_is_down_fails_without_its_password(tmp_path: Path):
    uri = f"postgresql://user:secret@127.0.0.1:{free_port()}/jobs"
    checks = run_checks(config(tmp_path, database=uri), lambda: ())
    assert results(checks)["database"] is CheckResult.FAILED
    assert "secret" not in message(checks, "database")


@drops_sockets
def test_a_port_that_another_program_holds_fails(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        closing = threading.Thread(target=_hang_up, args=(other,))
        closing.start()
        checks = run_checks(config(tmp_path, port=other.getsockname()[1]), lambda: ())
        closing.join(10)
    assert results(checks)["reception"] is CheckResult.FAILED
    assert "choose another" in message(checks, "reception")


def _hang_up(server: socket.socket) -> None:
    connection, _ = server.accept()
    connection.close()


@pytest.fixture
def peer():
    """A peer that verifies and takes nothing else."""
    entity = AE(ae_title="CSPINE")
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    yield int(server.server_address[1])
    entity.shutdown()


def test_a_port_that_our_own_node_holds_passes(tmp_path: Path, peer: int):
    checks = run_checks(config(tmp_path, port=peer), lambda: ())
    assert results(checks)["reception"] is CheckResult.OK
    assert "our AE title" in message(checks, "reception")


def test_a_destination_that_would_take_nothing_fails_and_names_the_kinds(tmp_path: Path, peer: int):
    pacs = DestinationConfig(name="pacs", host="127.0.0.1", port=peer, ae_title="CSPINE")
    checks = run_checks(config(tmp_path, destinations=(pacs,)), lambda: ())
    assert results(checks)["destination pacs"] is CheckResult.FAILED
    assert "cannot receive SEG, SR" in message(checks, "destination pacs")


@drops_sockets
def test_a_destination_that_is_down_fails(tmp_path: Path):
    pacs = DestinationConfig(name="pacs", host="127.0.0.1", port=free_port(), ae_title="PACS", timeout_s=1)
    checks = run_checks(config(tmp_path, destinations=(pacs,)), lambda: ())
    assert results(checks)["destination pacs"] is CheckResult.FAILED


def test_a_model_error_is_one_failed_check(tmp_path: Path):
    def missing() -> list[Check]:
        raise PermanentError(Reason.MODEL_MISSING, "keypoints is missing")

    checks = run_checks(config(tmp_path), missing)
    assert results(checks)["models"] is CheckResult.FAILED
    assert message(checks, "models") == "keypoints is missing"
