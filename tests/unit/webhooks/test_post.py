import base64
import hashlib
import hmac
import time
from pathlib import Path

import pytest

from node.config import WebhookConfig
from node.domain.errors import ConfigError, NodeError, Reason, TransientError
from node.webhooks import post, read_secret
from tests.support.certificates import Authority
from tests.support.hearing import Hearing, hearing

SECRET = "a secret of the hospital, long"  # noqa: S105 - of this test


@pytest.fixture
def heard():
    with hearing() as heard:
        yield heard


def webhook(heard: Hearing, **changes: object) -> WebhookConfig:
    return WebhookConfig.model_validate({"name": "ris", "url": heard.url, "timeout_s": 5, **changes})


@pytest.mark.parametrize("text", [SECRET, "whsec_" + base64.b64encode(SECRET.encode()).decode()])
def test_a_message_is_signed_as_standard_webhooks_say(heard: Hearing, tmp_path: Path, text: str):
    secret = tmp_path / "secret"
    secret.write_text(text + "\n", encoding="utf-8")
    post(webhook(heard, secret_file=secret), "e1", '{"a": "é"}', 1700000000.9)
    ((path, headers, body),) = heard.messages
    expected = hmac.new(SECRET.encode(), b"e1.1700000000." + body.encode(), hashlib.sha256).digest()
    assert (path, body) == ("/told?by=node", '{"a": "é"}')
    assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("e1", "1700000000")
    assert headers["Host"] == f"127.0.0.1:{heard.port}"


def test_a_redirect_is_not_followed(heard: Hearing):
    heard.status, heard.answer = 307, {"Location": heard.url}
    with pytest.raises(TransientError, match="answered 307; redirects are not followed"):
        post(webhook(heard), "e1", "{}", time.time())
    assert len(heard.messages) == 1


@pytest.mark.parametrize("status", [400, 410, 503])
def test_what_is_not_taken_is_tried_again(heard: Hearing, status: int):
    heard.status = status
    with pytest.raises(TransientError, match=f"answered {status}") as raised:
        post(webhook(heard), "e1", "{}", time.time())
    assert raised.value.reason is Reason.PEER_REJECTED


def test_an_address_that_drips_its_answer_is_left_in_time(heard: Hearing):
    heard.drips = True
    begun = time.monotonic()
    with pytest.raises(TransientError) as raised:
        post(webhook(heard, timeout_s=0.3), "e1", "{}", time.time())
    assert raised.value.reason is Reason.PEER_UNREACHABLE
    assert time.monotonic() - begun < 4


def test_nobody_there_and_a_peer_without_tls_are_told(heard: Hearing):
    for url in ("http://127.0.0.1:1/", heard.url.replace("http:", "https:")):
        with pytest.raises(TransientError, match="webhook ris cannot be reached"):
            post(webhook(heard, url=url), "e1", "{}", time.time())
    assert heard.messages == []


def test_a_private_authority_is_trusted_where_it_is_named_and_nowhere_else(tmp_path: Path):
    authority = Authority(tmp_path)
    with hearing(authority.issue("ris")) as heard:
        post(webhook(heard, ca_file=authority.own.certificate), "e1", '{"a": 1}', time.time())
        assert [(path, body) for path, _, body in heard.messages] == [("/told?by=node", '{"a": 1}')]
        with pytest.raises(TransientError, match=r"TLS failed: .*certificate.*check url and ca_file") as raised:
            post(webhook(heard), "e1", "{}", time.time())
    with hearing(authority.issue("ris", host="elsewhere.example")) as other:
        with pytest.raises(TransientError, match=r"TLS failed: .*127\.0\.0\.1"):
            post(webhook(other, ca_file=authority.own.certificate), "e1", "{}", time.time())
        assert other.messages == []
    assert raised.value.reason is Reason.PEER_UNREACHABLE
    with pytest.raises(ConfigError, match=r"ca_file .* cannot be used"):
        post(webhook(other, ca_file=authority.own.key), "e1", "{}", time.time())


@pytest.mark.parametrize("text", ["short", "whsec_no base64 at all, and long enough", "whsec_" + "YWJj"])
def test_a_weak_secret_is_refused_and_not_quoted(tmp_path: Path, text: str):
    path = tmp_path / "secret"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        read_secret(path)
    assert "secret_file" in str(raised.value)
    assert text not in str(raised.value)


def test_a_missing_secret_sends_nothing(heard: Hearing, tmp_path: Path):
    with pytest.raises(NodeError, match="No such file"):
        post(webhook(heard, secret_file=tmp_path / "none"), "e1", "{}", time.time())
    assert heard.messages == []


@pytest.mark.parametrize(
    "url", ["http://ris.example/", "ftp://ris.example/", "https://me:pw@ris.example/", "https://", "https://a b/", "http://[::1"]
)
def test_other_addresses_are_refused(url: str):
    with pytest.raises(ValueError, match="url"):
        WebhookConfig(name="ris", url=url)


@pytest.mark.parametrize("url", ["https://ris.example/x", "http://localhost:1/", "http://[::1]:8/"])
def test_https_and_loopback_are_allowed(url: str):
    assert WebhookConfig(name="ris", url=url).url == url


def test_plain_http_elsewhere_must_be_asked_for():
    assert WebhookConfig(name="ris", url="http://ris.example/", allow_plain_http=True)
