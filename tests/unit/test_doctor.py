"""What doctor finds: each check once well and once ill, on real folders and ports."""

import os
import socket
import threading
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from node.config import Config, DestinationConfig, ReceptionConfig, RetentionConfig, WebConfig, WebhookConfig
from node.doctor import Check, CheckResult, run_checks
from node.doctor.certificates import expiry
from node.doctor.web import webhook_checks
from node.domain.errors import PermanentError, Reason
from node.web import load_credentials
from tests.support.certificates import Authority
from tests.support.external import drops_sockets, free_port
from tests.support.hearing import hearing
from tests.support.web_world import WebWorld, running_web


def config(folder: Path, *, database: str | None = None, destinations=(), **reception: object) -> Config:
    fields = {"bind_address": "127.0.0.1", "port": free_port(), "minimum_free_disk_mb": 0} | reception
    return Config(
        store=f"file:{folder / 'store'}",
        database=database or f"sqlite:{folder / 'jobs.db'}",
        reception=ReceptionConfig.model_validate(fields),
        destinations=destinations,
        web=WebConfig(port=0),
    )


def results(checks: tuple[Check, ...]) -> dict[str, CheckResult]:
    return {check.name: check.result for check in checks}


def message(checks: tuple[Check, ...], name: str) -> str:
    return next(check.message for check in checks if check.name == name)


def test_a_sound_node_passes_and_is_told_that_nothing_is_delivered(tmp_path: Path):
    (tmp_path / "store").mkdir(mode=0o700)
    checks = run_checks(config(tmp_path), lambda: [Check("models", CheckResult.OK, "three")])
    assert results(checks) == {
        "store": CheckResult.OK,
        "disk": CheckResult.OK,
        "growth": CheckResult.OK,
        "database": CheckResult.OK,
        "clock": CheckResult.OK,
        "reception": CheckResult.OK,
        "peers": CheckResult.OK,
        "web": CheckResult.OK,
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
    pacs = DestinationConfig(name="pacs", host="127.0.0.1", port=peer, ae_title="CSPINE", storage_commitment=True)
    found = [
        check for check in run_checks(config(tmp_path, destinations=(pacs,)), lambda: ()) if check.name == "destination pacs"
    ]
    assert [check.result for check in found] == [CheckResult.FAILED, CheckResult.WARNING]
    assert "cannot receive SEG, SR" in found[0].message
    assert "offers no storage commitment" in found[1].message


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


EVERYWHERE = "::"


@pytest.mark.parametrize(
    ("reception", "result"),
    [
        ({"bind_address": EVERYWHERE}, CheckResult.WARNING),
        ({"bind_address": EVERYWHERE, "allowed_networks": ("10.0.0.0/8",)}, CheckResult.OK),
        ({"bind_address": EVERYWHERE, "allowed_calling_ae_titles": ("MRI1",)}, CheckResult.OK),
        ({}, CheckResult.OK),
    ],
    ids=["all", "networks", "titles", "loopback"],
)
def test_a_node_that_admits_everybody_is_named(tmp_path: Path, reception: dict[str, object], result: CheckResult):
    assert results(run_checks(config(tmp_path, **reception), lambda: ()))["peers"] is result


def test_a_store_that_others_may_read_is_named(tmp_path: Path):
    (tmp_path / "store").mkdir(mode=0o755)
    checks = run_checks(config(tmp_path), lambda: ())
    assert results(checks)["store"] is CheckResult.WARNING
    assert "chmod 700" in message(checks, "store")


def test_a_disk_that_fills_up_is_foreseen(tmp_path: Path):
    path = tmp_path / "store" / "studies" / "1.2" / "1.3" / "1.4.dcm"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(10**12)  # a hole: takes no space
    checks = run_checks(config(tmp_path), lambda: ())
    assert results(checks)["growth"] is CheckResult.WARNING
    assert "142857 MB a day" in message(checks, "growth")
    os.utime(path, (0, 0))
    assert message(run_checks(config(tmp_path), lambda: ()), "growth") == "0 MB a day over the last 7 days"


def test_retention_that_begins_after_the_watermark_is_named(tmp_path: Path):
    base = config(tmp_path, minimum_free_disk_mb=1)
    checks = run_checks(base.model_copy(update={"retention": RetentionConfig(minimum_free_disk_mb=1)}), lambda: ())
    assert "too late" in message(checks, "disk")


@pytest.mark.parametrize(
    ("days", "result"), [(31, CheckResult.OK), (29, CheckResult.WARNING), (0.5, CheckResult.WARNING), (-1, CheckResult.FAILED)]
)
def test_a_certificate_is_renewed_in_time(days: float, result: CheckResult):
    assert expiry("c", 1e9 + days * 86400, "c.pem", 1e9).result is result


def test_certificates_in_files_are_read(tmp_path: Path):
    authority = Authority(tmp_path)
    own = authority.issue("node")
    tls = {"certificate_file": own.certificate, "key_file": own.key, "ca_file": authority.own.certificate}
    checks = run_checks(config(tmp_path, tls=tls), lambda: ())
    assert results(checks)["reception certificate"] is results(checks)["reception authorities"] is CheckResult.WARNING
    assert "in 2 days: renew it" in message(checks, "reception certificate")
    other = authority.issue("other")
    checks = run_checks(config(tmp_path, tls=tls | {"key_file": other.key}), lambda: ())
    assert results(checks)["reception certificate"] is CheckResult.FAILED
    own.certificate.write_text("nothing")
    checks = run_checks(config(tmp_path, tls=tls | {"ca_file": own.certificate}), lambda: ())
    assert results(checks)["reception certificate"] is results(checks)["reception authorities"] is CheckResult.FAILED


def of_web(folder: Path, web: WebConfig, environment: dict[str, str] | None = None) -> dict[str, Check]:
    sound = config(folder).model_copy(update={"web": web})
    found = run_checks(sound, lambda: (), lambda: load_credentials(web, environment or {}))
    return {check.name: check for check in found if check.name.startswith("web")}


def test_pages_beyond_loopback_need_a_password_and_tls(tmp_path: Path):
    open_to_all = WebConfig(host="0.0.0.0", port=0)  # noqa: S104 - looked at, not bound
    assert of_web(tmp_path, open_to_all)["web"].result is CheckResult.FAILED
    missing = open_to_all.model_copy(update={"password_file": tmp_path / "none"})
    assert "password_file" in of_web(tmp_path, missing)["web"].message
    with_password = {"CSPINE_WEB_PASSWORD": "long enough for a test"}
    found = of_web(tmp_path, open_to_all, with_password)
    assert {name: one.result for name, one in found.items()} == {"web": CheckResult.OK, "web access": CheckResult.WARNING}
    behind_proxy = open_to_all.model_copy(update={"secure_cookie": True})
    assert set(of_web(tmp_path, behind_proxy, with_password)) == {"web"}


def test_the_port_of_the_pages_is_free_ours_or_taken(tmp_path: Path):
    assert "is free" in of_web(tmp_path, WebConfig(port=free_port()))["web"].message
    with hearing() as other:
        taken = of_web(tmp_path, WebConfig(port=other.port))["web"]
        assert (taken.result, "choose another web.port" in taken.message) == (CheckResult.FAILED, True)
    world = WebWorld(tmp_path)
    with running_web(world.config) as port:
        assert "web role runs" in of_web(tmp_path, WebConfig(port=port))["web"].message
    assert of_web(tmp_path, WebConfig(enabled=False))["web"].message == "switched off"


def test_webhooks_are_looked_at_and_not_told(tmp_path: Path):
    with hearing() as heard:
        hook = WebhookConfig(name="ris", url=heard.url)
        look = lambda one: [*webhook_checks(Config(webhooks=(one,)))]  # noqa: E731
        assert [check.result for check in look(hook)] == [CheckResult.WARNING, CheckResult.OK]
        (unread,) = look(hook.model_copy(update={"secret_file": tmp_path / "none"}))
        assert (unread.result, "secret_file" in unread.message) == (CheckResult.FAILED, True)
        assert heard.messages == []
    silent = look(hook)
    assert "does not answer" in silent[-1].message
