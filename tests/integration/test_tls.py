"""DICOM TLS in and out, with DCMTK and OpenSSL as peers."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from pydicom.uid import SegmentationStorage

from node.config import DestinationConfig, ReceptionTlsConfig, parse_config
from node.delivery import deliver_objects, echo
from node.domain.errors import ConfigError, PermanentError, Reason, TransientError
from node.domain.report import ReportKind
from node.reception.tls import reception_context
from tests.support.certificates import Authority, Certificate
from tests.support.dicom_peers import (
    RunningReceiver,
    mr_instance,
    report_object,
    running_receiver,
    running_storescp,
    write_instance,
)
from tests.support.external import drops_sockets, require_tool
from tests.support.web_pacs import running_web_pacs


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def ours(authority) -> Certificate:
    return authority.issue("node")


@pytest.fixture(scope="module")
def theirs(authority) -> Certificate:
    return authority.issue("pacs")


@pytest.fixture
def receiver(authority, ours, tmp_path) -> Iterator[RunningReceiver]:
    tls = {"certificate_file": ours.certificate, "key_file": ours.key, "ca_file": authority.own.certificate}
    with running_receiver(tmp_path / "store", ae_title="CSPINE", tls=tls, association_timeout_s=2) as running:
        yield running


def storescu(receiver: RunningReceiver, folder: Path, *options: object) -> int:
    image = write_instance(folder / "image.dcm", mr_instance())
    command = [require_tool("storescu"), "-aec", "CSPINE", *map(str, options), "127.0.0.1", str(receiver.port), str(image)]
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode


def with_certificate(certificate: Certificate, authority: Authority) -> list[object]:
    return ["+tls", certificate.key, certificate.certificate, "+cf", authority.own.certificate]


def test_a_peer_with_a_certificate_of_our_authority_stores(receiver, authority, theirs, tmp_path):
    assert storescu(receiver, tmp_path, *with_certificate(theirs, authority)) == 0
    assert len(receiver.files) == 1


@drops_sockets
def test_a_peer_without_a_certificate_of_our_authority_is_refused(receiver, authority, tmp_path):
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("stranger")
    assert storescu(receiver, tmp_path, "+tla", "+cf", authority.own.certificate) != 0
    assert storescu(receiver, tmp_path, *with_certificate(stranger, authority)) != 0
    assert storescu(receiver, tmp_path) != 0
    assert receiver.files == []


@drops_sockets
def test_peers_that_connect_and_say_nothing_hold_up_nobody(receiver, authority, theirs, tmp_path):
    with ExitStack() as silent:
        for _ in range(10):
            silent.enter_context(socket.create_connection(("127.0.0.1", receiver.port)))
        assert storescu(receiver, tmp_path, *with_certificate(theirs, authority)) == 0
    assert len(receiver.files) == 1


@drops_sockets
@pytest.mark.parametrize(("version", "is_spoken"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_nothing_older_than_tls_1_2_is_spoken(receiver, authority, theirs, version, is_spoken):
    command = [require_tool("openssl"), "s_client", "-connect", f"127.0.0.1:{receiver.port}", version]
    command += ["-cert", str(theirs.certificate), "-key", str(theirs.key), "-CAfile", str(authority.own.certificate)]
    if version == "-tls1_1":
        command += ["-cipher", "ALL:@SECLEVEL=0"]
    said = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=30).stdout.decode("utf-8", "replace")
    assert "Cipher is" in said
    assert ("Cipher is (NONE)" in said) != is_spoken


@drops_sockets
def test_a_renewed_certificate_is_used_for_the_next_connection(authority, tmp_path):
    mine = authority.issue("renewed")
    tls = {"certificate_file": mine.certificate, "key_file": mine.key}
    with running_receiver(tmp_path / "store", tls=tls, association_timeout_s=2) as receiver:
        before = ssl.get_server_certificate(("127.0.0.1", receiver.port), timeout=10)
        authority.issue("renewed")
        assert ssl.get_server_certificate(("127.0.0.1", receiver.port), timeout=10) != before
        after = ssl.get_server_certificate(("127.0.0.1", receiver.port), timeout=10)
        mine.certificate.write_text("half written")
        assert ssl.get_server_certificate(("127.0.0.1", receiver.port), timeout=10) == after


def tls_storescp(folder: Path, certificate: Certificate, authority: Authority) -> AbstractContextManager[DestinationConfig]:
    """Run DCMTK's storescp over TLS, for peers with a certificate of the authority."""
    options = ["+tls", certificate.key, certificate.certificate, "+cf", authority.own.certificate, "-pm"]
    return running_storescp(folder, [*map(str, options)])


def secured(destination: DestinationConfig, **tls: object) -> DestinationConfig:
    return DestinationConfig.model_validate(destination.model_dump() | {"tls": tls})


@drops_sockets
def test_results_go_out_over_tls_with_our_certificate(authority, ours, theirs, tmp_path):
    with tls_storescp(tmp_path / "pacs", theirs, authority) as plain:
        out = secured(plain, ca_file=authority.own.certificate, certificate_file=ours.certificate, key_file=ours.key)
        receipt = deliver_objects(out, "CSPINE", [report_object(tmp_path / "seg.dcm", ReportKind.SEG, SegmentationStorage)])
        assert receipt.is_complete
        assert len(list((tmp_path / "pacs").iterdir())) == 1
        with pytest.raises(TransientError):
            echo(plain, "CSPINE")


@drops_sockets
def test_a_peer_that_cannot_be_verified_gets_nothing_and_the_reason_is_said(authority, ours, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    elsewhere = authority.issue("elsewhere", "pacs.hospital.example")
    mine = {"certificate_file": ours.certificate, "key_file": ours.key}
    with tls_storescp(tmp_path / "pacs", elsewhere, authority) as plain:
        for tls, said in (
            ({"ca_file": other.own.certificate}, "self-signed certificate in certificate chain"),
            ({"ca_file": authority.own.certificate}, "IP address mismatch"),
        ):
            with pytest.raises(TransientError) as raised:
                echo(secured(plain, **mine, **tls), "CSPINE")
            assert raised.value.reason is Reason.PEER_UNREACHABLE
            assert said in raised.value.message
        assert echo(secured(plain, **mine, ca_file=authority.own.certificate, check_host_name=False), "CSPINE")


def test_files_that_cannot_be_used_are_named(authority, ours, theirs, tmp_path):
    with pytest.raises(ConfigError, match=r"reception\.tls"):
        reception_context(ReceptionTlsConfig(certificate_file=ours.certificate, key_file=theirs.key), 1.0)
    with pytest.raises(ConfigError, match=r"reception\.tls"):
        reception_context(ReceptionTlsConfig(certificate_file=tmp_path / "absent", key_file=ours.key), 1.0)
    peer = DestinationConfig(name="pacs", host="127.0.0.1", port=1, ae_title="PACS")
    with pytest.raises(PermanentError, match="pacs: the files of tls cannot be used"):
        echo(secured(peer, ca_file=tmp_path / "absent"), "CSPINE")


def test_a_certificate_needs_its_key_in_the_configuration():
    text = "destinations:\n- {name: p, host: h, port: 1, ae_title: P, tls: {certificate_file: a.pem}}\n"
    with pytest.raises(ConfigError, match="belong together"):
        parse_config(text)


@drops_sockets
@pytest.mark.parametrize("is_known", [True, False])
def test_a_dicomweb_service_must_have_a_certificate_of_its_authority(authority, theirs, tmp_path: Path, is_known: bool):
    known = authority if is_known else Authority(tmp_path, "stranger")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(theirs.certificate, theirs.key)
    with running_web_pacs(lambda _body: (200, b"[]"), context) as pacs:
        service = {"url": f"https://127.0.0.1:{pacs.port}/dicom-web"}
        fields = {"name": "pacs", "dicomweb": service, "tls": {"ca_file": known.own.certificate}, "timeout_s": 5}
        destination = DestinationConfig.model_validate(fields)
        if is_known:
            assert echo(destination, "CSPINE").ms > 0
            return
        with pytest.raises(TransientError) as refused:
            echo(destination, "CSPINE")
        assert pacs.requests == []
    assert refused.value.reason is Reason.PEER_UNREACHABLE
    assert "TLS failed" in refused.value.message
