"""What is installed: the wheel without the checkout, the unit of systemd, the images as text, and the rule of Orthanc."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest
import yaml

from node.cli.program import program
from node.config import load_config
from tests.support.dicom_peers import Uids, mr_instance, running_receiver, write_instance
from tests.support.external import drops_sockets, require_tool, wait_until
from tests.support.orthanc import running_orthanc

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
STAGES = re.findall(r"^FROM \S+ AS (\S+)$", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)


def stage(name: str) -> str:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    return text.partition(f" AS {name}\n")[2].partition("\nFROM ")[0]


def test_the_wheel_runs_without_the_checkout_and_carries_its_models(tmp_path: Path):
    wheel, target = tmp_path / "wheel", tmp_path / "installed"
    run = [sys.executable, "-m"]
    subprocess.run([*run, "hatchling", "build", "-t", "wheel", "-d", str(wheel)], cwd=ROOT, check=True, capture_output=True)
    (built,) = wheel.iterdir()
    names = zipfile.ZipFile(built).namelist()
    weights = {
        str(path.relative_to(ROOT / "models"))
        for path in (ROOT / "models").glob("*/model.*")
        if path.suffix in (".onnx", ".yaml")
    }
    assert {name.removeprefix("node/_models/") for name in names if name.startswith("node/_models/")} >= weights
    assert [name for name in names if name.endswith(".safetensors")] == []
    pip = [*run, "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(built)]
    subprocess.run(pip, check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert Path(command("-c", "import node; print(node.__file__)").strip()).is_relative_to(target)
    assert command("-m", "node", "models", "verify").count("verified") == 3
    assert command("-m", "node", "config", "show", "--default") == (ROOT / "config.yaml").read_text(encoding="utf-8")


def test_systemd_accepts_the_unit(tmp_path: Path):
    unit = (DOCKER / "cspine-node.service").read_text(encoding="utf-8")
    assert "ExecStart=/opt/cspine/bin/cspine-node serve" in unit
    (tmp_path / "cspine-node.service").write_text(unit.replace("/opt/cspine/bin/cspine-node", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        [require_tool("systemd-analyze"), "verify", str(tmp_path / "cspine-node.service")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_image_passes_hadolint():
    program_path = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [str(program_path), str(DOCKER / "Dockerfile")], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_each_target_runs_without_root_and_says_when_it_is_ill(target: str):
    text = stage(target)
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert "/health/live" in text
    assert "--mode 700 /data" in text
    assert STAGES[-1] == "cpu", "the default target"


def test_images_are_built_from_locked_packages():
    locks = {path.name: path.read_text(encoding="utf-8") for path in DOCKER.glob("*.lock")}
    assert set(locks) == {"cpu.lock", "cuda.lock", "build.lock"}
    assert "onnxruntime==" in locks["cpu.lock"]
    assert "onnxruntime-gpu==" in locks["cuda.lock"]
    main = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name, lock in locks.items():
        pinned = re.findall(r"^([a-z0-9.-]+==\S+)", lock, re.MULTILINE)
        assert len(re.findall(r"--hash=sha256:", lock)) >= len(pinned)
        assert "http" not in lock
        assert {pin for pin in pinned if pin not in main and "onnxruntime-gpu" not in pin} == set(), name


def test_the_site_of_compose_is_sound():
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert set(services) == {"node", "pacs", "prometheus", "grafana"}
    assert all(":" in one["image"] and not one["image"].endswith(":latest") for one in services.values())
    node = services["node"]
    assert node["read_only"]
    assert node["cap_drop"] == ["ALL"]
    mounted = [one.partition(":")[0] for service in services.values() for one in service["volumes"]]
    assert [one for one in mounted if one.startswith("./") and not (DOCKER / one).is_file()] == []
    assert all(
        one.startswith("127.0.0.1:")
        for service in services.values()
        for one in service["ports"]
        if one[-4:] not in ("1112", "4242")
    )
    config = load_config(DOCKER / "node.yaml")
    assert config.store == "file:/data/store"
    assert config.database == "sqlite:/data/jobs.db"
    (pacs,) = config.destinations
    assert f'"{config.reception.ae_title}"' in services["pacs"]["environment"]["ORTHANC__DICOM_MODALITIES"]
    assert pacs.ae_title == services["pacs"]["environment"]["ORTHANC__DICOM_AET"]
    assert yaml.safe_load((DOCKER / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][0]["static_configs"]


@drops_sockets
def test_the_rule_of_orthanc_routes_the_neck_and_leaves_the_knee(tmp_path: Path):
    with running_receiver(tmp_path / "store") as receiver:
        rule = {"LuaScripts": [str(DOCKER / "autorouting.lua")], "StableAge": 1}
        with running_orthanc(tmp_path / "orthanc", receiver.port, changes=rule) as orthanc:
            for name, text in (("knee", "MR KNEE"), ("neck", "MR CERVICAL SPINE")):
                instance = mr_instance(Uids.new())
                instance.StudyDescription = text
                path = write_instance(tmp_path / f"{name}.dcm", instance)
                orthanc._request("/instances", path.read_bytes())
            wait_until(lambda: bool(receiver.files), "the study of the neck arrives", deadline_s=30)
            assert receiver.completed.get(timeout=20) == instance.StudyInstanceUID
            wait_until(lambda: orthanc.bytes_of("/jobs") != b"[]", "Orthanc has sent")
    assert [path.stem for path in receiver.files] == [instance.SOPInstanceUID]


def commands_of(path: Path) -> list[list[str]]:
    """Return the commands of the node in the code of a document."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    found = [call for block in blocks for call in re.findall(r"cspine-node (\w[^\n|&>;)]*)", block)]
    return [shlex.split(call.partition("#")[0]) for call in found]


@pytest.mark.parametrize("document", ["README.md", "docker/README.md"])
def test_every_command_that_a_document_names_exists_with_its_options(document: str):
    commands = commands_of(ROOT / document)
    assert len(commands) > 3
    for arguments in commands:
        group: click.Command = program
        context = click.Context(program)
        words = [word for word in arguments if not word.startswith("-")]
        while isinstance(group, click.Group):
            found = group.get_command(context, words.pop(0))
            assert found is not None, arguments
            group = found
        known = {name for parameter in group.params for name in parameter.opts}
        assert {word for word in arguments if word.startswith("-")} <= known, arguments
