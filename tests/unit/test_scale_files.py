"""The files for several machines name commands, ports, paths and fields that the product has."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from node.cli.program import program
from node.config import Config, parse_config

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.scale.yaml").read_text(encoding="utf-8"))
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((DOCKER / "kubernetes.yaml").read_text(encoding="utf-8")))
PODS = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in OBJECTS if "template" in one.get("spec", {})}
SERVICES = {name: service for name, service in COMPOSE["services"].items() if name != "database"}
# What service.py leaves a role beyond its own grace before it is killed.
_MARGIN_S = 15


@pytest.fixture(scope="module")
def config() -> Config:
    return parse_config((DOCKER / "scale.yaml").read_text(encoding="utf-8"))


def commands() -> list[list[str]]:
    return [service["command"] for service in SERVICES.values()] + [pod["containers"][0]["args"] for pod in PODS.values()]


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_each_command_is_one_of_the_node(arguments: list[str]):
    with program.make_context("cspine-node", list(arguments)) as context:
        command = program.get_command(context, arguments[0])
        assert command is not None
        command.make_context(arguments[0], list(arguments[1:]), parent=context)


def test_all_roles_run_in_both():
    roles = {"receive", "work", "web"}
    assert {service["command"][0] for service in SERVICES.values()} == roles
    assert {pod["containers"][0]["args"][0] for pod in PODS.values()} == roles


def test_both_have_the_same_configuration(config: Config):
    (text,) = (one["data"]["config.yaml"] for one in OBJECTS if one["kind"] == "ConfigMap")
    assert parse_config(text) == config
    assert config.store == "file:///data/store"


def test_ports_are_those_of_the_configuration(config: Config):
    expected = {"receive": config.reception.port, "web": config.web.port}
    for service in SERVICES.values():
        inner = {int(port.rpartition(":")[2]) for port in service.get("ports", ())}
        assert inner == {port for role, port in expected.items() if role == service["command"][0]}
    for pod in PODS.values():
        container = pod["containers"][0]
        inner = {port["containerPort"] for port in container.get("ports", ())}
        assert inner == {port for role, port in expected.items() if role == container["args"][0]}
    published = {port["port"] for one in OBJECTS if one["kind"] == "Service" for port in one["spec"].get("ports", ())}
    assert published == set(expected.values())


def test_secrets_and_the_shared_folder_are_mounted_where_the_configuration_says(config: Config):
    wanted = {"receive": {config.database_file}, "work": {config.database_file}}
    wanted["web"] = {config.database_file, config.web.password_file, config.web.token_file}
    for service in SERVICES.values():
        assert {Path("/run/secrets") / name for name in service["secrets"]} == wanted[service["command"][0]]
        assert any(volume.endswith(":/data") for volume in service["volumes"])
    assert set(COMPOSE["secrets"]) == {path.name for path in wanted["web"] if path} | {"postgres_password"}
    for pod in PODS.values():
        mounted = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        assert mounted > {"/data", "/etc/cspine", "/run/secrets"}


def test_running_work_has_time_to_finish(config: Config):
    need_s = config.jobs.shutdown_grace_s + _MARGIN_S
    for service in SERVICES.values():
        assert service["command"][0] == "web" or int(service["stop_grace_period"].removesuffix("s")) >= need_s
    for pod in PODS.values():
        assert pod["containers"][0]["args"][0] == "web" or pod["terminationGracePeriodSeconds"] >= need_s


def test_probes_ask_what_the_product_answers():
    routes = (ROOT / "node" / "web" / "application.py").read_text(encoding="utf-8")
    containers = [pod["containers"][0] for pod in PODS.values()]
    probes = [one[kind] for one in containers for kind in ("readinessProbe", "livenessProbe") if kind in one]
    paths = {probe["httpGet"]["path"] for probe in probes if "httpGet" in probe}
    assert paths == {"/health/ready", "/health/live"}
    assert all(f'Route("{path}"' in routes for path in paths)
    assert "/health/live" in str(SERVICES["web"]["healthcheck"]["test"])


def test_a_pacs_keeps_to_one_receiver_and_a_worker_keeps_its_name():
    (service,) = (one for one in OBJECTS if one["kind"] == "Service" and one["metadata"]["name"] == "cspine-receiver")
    assert service["spec"]["sessionAffinity"] == "ClientIP"
    kinds = {one["metadata"]["name"]: one["kind"] for one in OBJECTS}
    assert any(kind == "StatefulSet" for kind in kinds.values())
    (workers,) = (one for one in OBJECTS if one["kind"] == "StatefulSet")
    assert workers["spec"]["template"]["spec"]["containers"][0]["args"][0] == "work"
