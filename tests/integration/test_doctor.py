"""Doctor against a real PACS, a database server, a peer behind TLS, and the models of the package."""

from pathlib import Path

from node.config import Config, DestinationConfig
from node.doctor import Check, CheckResult, model_checks, run_checks
from tests.support.certificates import Authority
from tests.support.dicom_peers import running_receiver
from tests.support.external import drops_sockets, free_port
from tests.support.orthanc import running_orthanc
from tests.support.postgres import running_postgres

MODELS = Path(__file__).parents[2] / "models"
KINDS = ("SEG", "SR", "PR", "KO", "SC", "SR_VOLUMES")


def config(folder: Path, *destinations: DestinationConfig, database: str = "") -> Config:
    reception = {"bind_address": "127.0.0.1", "port": free_port(), "minimum_free_disk_mb": 0}
    database = database or f"sqlite:{folder / 'jobs.db'}"
    fields = {"store": f"file:{folder / 'store'}", "database": database, "reception": reception, "destinations": destinations}
    return Config.model_validate(fields)


def of_destination(checks: tuple[Check, ...]) -> list[Check]:
    return [check for check in checks if check.name.startswith("destination")]


@drops_sockets
def test_orthanc_takes_every_class_and_offers_storage_commitment(tmp_path: Path):
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        pacs = orthanc.destination(objects=KINDS, storage_commitment=True)
        (check,) = of_destination(run_checks(config(tmp_path, pacs), lambda: ()))
        wrong = orthanc.destination(ae_title="WRONG")
        (rejected,) = of_destination(run_checks(config(tmp_path, wrong), lambda: ()))
    assert check.result is CheckResult.OK, check.message
    assert "Segmentation Storage" in check.message
    assert "Comprehensive 3D SR Storage" in check.message
    assert "; offers storage commitment" in check.message
    assert "refuses" not in check.message
    assert rejected.result is CheckResult.FAILED
    assert "rejected" in rejected.message


@drops_sockets
def test_a_peer_whose_certificate_ends_is_named(tmp_path: Path):
    authority = Authority(tmp_path)
    own = authority.issue("peer")
    with running_receiver(tmp_path / "peer", tls={"certificate_file": own.certificate, "key_file": own.key}) as receiver:
        peer = receiver.destination(tls={"ca_file": authority.own.certificate})
        checks = of_destination(run_checks(config(tmp_path, peer), lambda: ()))
    ends = [check for check in checks if check.message.startswith("its certificate ends on")]
    assert [check.result for check in ends] == [CheckResult.WARNING]


def test_a_database_server_is_asked_for_its_time_and_its_password_is_not_shown(tmp_path: Path):
    with running_postgres() as server:
        database = server.new_database().replace("@", ":geheim@")
        checks = run_checks(config(tmp_path, database=database), lambda: ())
    found = {check.name: check for check in checks}
    assert found["database"].result is CheckResult.WARNING
    assert "database_file" in found["database"].message
    assert found["clock"].result is CheckResult.OK
    assert "from the database server" in found["clock"].message
    assert "geheim" not in str(checks)


def test_the_models_of_the_package_see_the_drawn_neck():
    shadow = {"enabled": True, "models_dir": MODELS, "threads": 2}
    checks = {check.name: check for check in model_checks(Config.model_validate({"shadow": shadow}))}
    assert checks["self-test"].result is CheckResult.OK, checks["self-test"].message
    assert checks["execution"].result is CheckResult.OK
    assert {"model keypoints", "model sagittal-segmentation", "model axial-segmentation"} <= set(checks)
    assert checks["shadow self-test"].result is CheckResult.OK, checks["shadow self-test"].message
    assert {f"shadow {name}" for name in checks if not name.startswith("shadow")} <= set(checks)


def test_a_fault_of_the_shadow_models_does_not_hide_the_first(tmp_path: Path):
    checks = model_checks(Config.model_validate({"shadow": {"enabled": True, "models_dir": tmp_path}}))
    assert [check.result for check in checks if check.name == "self-test"] == [CheckResult.OK]
    (failed,) = [check for check in checks if check.result is CheckResult.FAILED]
    assert failed.name == "shadow models"
    assert "'sagittal-segmentation' has no readable model.yaml" in failed.message
