"""The web role as the command starts it, alone and inside ``serve``."""

import json
import re
import socket
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from node.cli.web import web
from node.config import WebConfig
from node.web.password import load_credentials
from tests.support.external import wait_until
from tests.support.live_node import LiveNode

PASSWORD = "correct horse battery"  # noqa: S105 - a test's


def test_the_printed_hash_is_a_password_file(tmp_path: Path):
    done = CliRunner().invoke(web, ["--hash-password"], input=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0
    path = tmp_path / "password"
    path.write_text(done.stdout, encoding="utf-8")
    assert PASSWORD not in done.output
    credentials = load_credentials(WebConfig(password_file=path), {})
    assert credentials.password is not None
    assert credentials.password.fits(PASSWORD)


@pytest.mark.parametrize("role", ["web", "serve"])
def test_it_refuses_to_start_where_others_could_look_in(tmp_path: Path, role: str):
    node = LiveNode(tmp_path, changes={"web": {"enabled": True, "host": "::", "port": 0}})
    done = node.run(role)
    assert done.returncode == 1
    assert "set web.password_file" in done.stderr


def test_a_taken_port_is_tried_again_later(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        node = LiveNode(tmp_path, changes={"web": {"port": other.getsockname()[1]}})
        done = node.run("web")
    assert done.returncode == 75
    assert "choose another web.port" in done.stderr


def test_serve_starts_it_beside_the_other_roles(tmp_path: Path):
    node = LiveNode(tmp_path, changes={"web": {"enabled": True, "port": 0}})
    with node.running():
        wait_until(lambda: "web ready on port" in node.text(), f"the web role is ready, see {node.log}", 60)
        (port,) = re.findall(r"web ready on port (\d+)", node.text())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10) as answer:
            assert json.load(answer)["status"] == "ready"
