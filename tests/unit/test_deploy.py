"""The files of deploy/ are what Compose and Kubernetes accept, with options that locust has."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from wsload.load.options.table import OPTIONS

yaml = pytest.importorskip("yaml")
fastjsonschema = pytest.importorskip("fastjsonschema")

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SCHEMAS = ROOT / "tests" / "schemas"
KINDS = {
    "ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "Service": "io.k8s.api.core.v1.Service",
    "Deployment": "io.k8s.api.apps.v1.Deployment",
}
MASTER_PORT = 5557
"""Where a master of Locust listens for its workers, unless told otherwise."""


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text("utf-8")))


def validate(schema: dict[str, Any], document: dict[str, Any]) -> None:
    """Raises `JsonSchemaException`; the keywords used are the same in all the drafts since 7."""
    fastjsonschema.compile({**schema, "$schema": "http://json-schema.org/draft-07/schema#"})(document)


def compose() -> dict[str, Any]:
    return read("compose.yaml")[0]


def kubernetes(kind: str) -> dict[str, dict[str, Any]]:
    return {it["metadata"]["name"]: it for it in read("kubernetes.yaml") if it["kind"] == kind}


def container(deployment: str) -> dict[str, Any]:
    return kubernetes("Deployment")[deployment]["spec"]["template"]["spec"]["containers"][0]


def option(arguments: list[str], name: str) -> str:
    (found,) = [it.partition("=")[2] for it in arguments if it.partition("=")[0] == name]
    return found


def command_lines() -> dict[str, list[str]]:
    services = compose()["services"]
    return {
        "compose master": services["master"]["command"],
        "compose worker": services["worker"]["command"],
        "kubernetes master": container("wsload-master")["args"],
        "kubernetes worker": container("wsload-worker")["args"],
    }


@cache
def help_of(*command: str) -> str:
    environment = {**os.environ, "HOME": os.devnull, "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout


def test_compose_accepts_its_file() -> None:
    validate(json.loads((SCHEMAS / "compose.json").read_bytes()), compose())


def test_kubernetes_accepts_its_file() -> None:
    definitions = json.loads((SCHEMAS / "kubernetes.json").read_bytes())
    documents = read("kubernetes.yaml")
    assert {it["kind"] for it in documents} == set(KINDS)
    for document in documents:
        group = "apps/v1" if document["kind"] == "Deployment" else "v1"
        assert document["apiVersion"] == group
        validate({**definitions, "$ref": f"#/$defs/{KINDS[document['kind']]}"}, document)


@pytest.mark.parametrize("mistake", [{"replica": 4}, {"replicas": "four"}])
def test_the_schema_would_find_a_mistake(mistake: dict[str, Any]) -> None:
    definitions = json.loads((SCHEMAS / "kubernetes.json").read_bytes())
    worker = kubernetes("Deployment")["wsload-worker"]
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validate(
            {**definitions, "$ref": f"#/$defs/{KINDS['Deployment']}"},
            {**worker, "spec": {**worker["spec"], **mistake}},
        )


@pytest.mark.parametrize("name", command_lines())
def test_locust_has_every_option(name: str) -> None:
    # Locust prints its help before it imports a locustfile, which is what brings wsload's options.
    text = help_of("locust") + "\n".join(option for option, _ in OPTIONS)
    for argument in command_lines()[name]:
        assert re.search(rf"(?<![\w-]){argument.partition('=')[0]}(?![\w-])", text), argument


def test_wsload_serve_has_every_option() -> None:
    server = compose()["services"]["server"]
    assert server["entrypoint"][:2] == ["tini", "--"]
    text = help_of(*server["entrypoint"][2:])
    for argument in server["command"]:
        assert argument.partition("=")[0] in text.split(), argument


def test_the_parts_find_each_other_in_compose() -> None:
    services = compose()["services"]
    assert option(services["worker"]["command"], "--master-host") in services
    host, port = re.findall(r"ws://(\w+):(\d+)/", option(services["master"]["command"], "--host"))[0]
    assert option(services[host]["command"], "--port") == port
    published = {it.rpartition(":")[2] for it in services["master"]["ports"]}
    metrics = option(services["master"]["command"], "--ws-prometheus").rpartition(":")[2]
    assert published == {"8089", metrics}
    assert all(it.startswith("127.0.0.1:") for it in services["master"]["ports"])
    for service in services.values():
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_the_parts_find_each_other_in_kubernetes() -> None:
    services, deployments = kubernetes("Service"), kubernetes("Deployment")
    service = services[option(container("wsload-worker")["args"], "--master-host")]
    template = deployments["wsload-master"]["spec"]["template"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    offered = {it["containerPort"] for it in container("wsload-master")["ports"]}
    assert {it["port"] for it in service["spec"]["ports"]} == offered
    metrics = option(container("wsload-master")["args"], "--ws-prometheus").rpartition(":")[2]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == metrics
    assert {MASTER_PORT, int(metrics)} <= offered
    for name, deployment in deployments.items():
        spec = deployment["spec"]
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
        volumes = {it["name"] for it in spec["template"]["spec"]["volumes"]}
        assert {it["name"] for it in container(name)["volumeMounts"]} == volumes


def test_the_locustfile_in_the_manifest_is_python() -> None:
    (config,) = kubernetes("ConfigMap").values()
    for name, text in config["data"].items():
        assert option(container("wsload-worker")["args"], "--locustfile") == f"/locustfiles/{name}"
        compile(text, name, "exec")


def dockerfile() -> list[list[tuple[str, str]]]:
    """The stages, each its instructions with their arguments."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    stages: list[list[tuple[str, str]]] = []
    for instruction, arguments in lines:
        if instruction == "FROM":
            stages.append([])
        stages[-1].append((instruction, arguments))
    return stages


def test_the_dockerfile_copies_what_is_there_and_all_that_the_build_needs() -> None:
    copied = {
        name
        for stage in dockerfile()
        for instruction, arguments in stage
        if instruction == "COPY" and "--from" not in arguments
        for name in arguments.split()[:-1]
    }
    assert {"pyproject.toml", "README.md", "LICENSE", "wsload", "locustfiles"} == copied
    assert all((ROOT / name).exists() for name in copied)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert ignored[0] == "*" and {f"!{name}" for name in copied} <= set(ignored)


def test_the_image_is_small_runs_as_nobody_and_passes_signals_on() -> None:
    build, final = dockerfile()
    assert build[0] == ("FROM", "python:3.13-slim AS build") and final[0] == ("FROM", "python:3.13-slim")
    runs = [arguments for instruction, arguments in final if instruction == "RUN"]
    assert "pip" not in " ".join(runs), "what builds stays in the first stage"
    assert "--no-install-recommends tini" in runs[0] and "rm -rf /var/lib/apt/lists/*" in runs[0]
    assert final[-2:] == [("USER", "load"), ("ENTRYPOINT", '["tini", "--", "locust"]')]
    assert "useradd --create-home --uid 10001 load" in runs[0]
    (place,) = {
        arguments.split()[-1] for name, arguments in final if name == "COPY" and "--from=build" in arguments
    }
    assert f"-m venv {place}" in next(arguments for name, arguments in build if name == "RUN")
    assert next(arguments for name, arguments in final if name == "ENV").startswith(f"PATH={place}/bin:")
    for name in ("wsload-master", "wsload-worker"):
        pod = kubernetes("Deployment")[name]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsUser"] == 10001


def test_grafana_finds_the_dashboard() -> None:
    (provider,) = read("grafana/provisioning.yaml")[0]["providers"]
    assert provider["type"] == "file"
    assert json.loads((DEPLOY / "grafana" / "wsload.json").read_bytes())["uid"] == "wsload"
