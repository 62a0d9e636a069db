import pytest

from node.config import WebConfig
from node.domain.errors import ConfigError
from node.web.password import hash_password, is_loopback, load_credentials

PASSWORD = "correct horse battery"  # noqa: S105 - a test's
TOKEN = "t" * 32


def test_a_hash_fits_its_password_only_and_does_not_hold_it():
    hashed = hash_password(PASSWORD)
    assert hashed.fits(PASSWORD)
    assert not hashed.fits(PASSWORD + " ")
    assert PASSWORD not in str(hashed)
    assert str(hashed) != str(hash_password(PASSWORD))


@pytest.mark.parametrize("is_hashed", [True, False])
def test_a_file_holds_the_password_or_its_hash(tmp_path, is_hashed):
    path = tmp_path / "password"
    path.write_text(f"{hash_password(PASSWORD) if is_hashed else PASSWORD}\n")
    credentials = load_credentials(WebConfig(password_file=path, host="10.0.0.5"), {})
    assert credentials.password is not None
    assert credentials.password.fits(PASSWORD)


def test_the_environment_goes_before_the_file(tmp_path):
    path = tmp_path / "password"
    path.write_text("something else that is long")
    credentials = load_credentials(WebConfig(password_file=path), {"CSPINE_WEB_PASSWORD": PASSWORD, "CSPINE_WEB_TOKEN": TOKEN})
    assert credentials.password is not None
    assert credentials.password.fits(PASSWORD)
    assert credentials.fits_token(TOKEN)
    assert not credentials.fits_token(TOKEN + "t")


@pytest.mark.parametrize("host", ["192.168.1.2", "::", "10.0.0.5", "node.hospital.example"])
def test_another_address_than_loopback_needs_a_password(host):
    with pytest.raises(ConfigError, match=r"set web\.password_file"):
        load_credentials(WebConfig(host=host), {})


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"CSPINE_WEB_PASSWORD": "short"}, "at least 12"),
        ({"CSPINE_WEB_PASSWORD": " "}, "empty"),
        ({"CSPINE_WEB_TOKEN": "short"}, "at least 32"),
        ({"CSPINE_WEB_PASSWORD": "scrypt:1:2"}, "not a whole hash"),
        ({"CSPINE_WEB_PASSWORD": "scrypt:3:8:1:AAAA:AAAA"}, "not a whole hash"),
    ],
)
def test_a_secret_that_cannot_be_used_refuses_to_start(environment, said):
    with pytest.raises(ConfigError, match=said):
        load_credentials(WebConfig(), environment)


def test_a_file_that_is_not_there_refuses_to_start(tmp_path):
    with pytest.raises(ConfigError, match=r"web\.token_file: cannot read"):
        load_credentials(WebConfig(token_file=tmp_path / "none"), {})


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True)])
def test_loopback_addresses(host, expected):
    assert is_loopback(host) is expected
    assert is_loopback("localhost")
    assert not is_loopback("localhost.evil.example")
    assert not is_loopback("127.0.0.1.evil.example")
