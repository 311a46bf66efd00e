"""Watching real runs from outside: Prometheus, JSON lines, OpenTelemetry."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from support.locust_run import CHAT, Finished, LocustRun
from support.waiting import until

prometheus_parser = pytest.importorskip("prometheus_client.parser")

HEADLESS = ["-f", CHAT, "--headless", "--only-summary", "-u", "10", "-r", "10", "--ws-allow-invalid"]


def scrape(url: str) -> dict[str, float]:
    """The samples by name, with the labels ``name`` and ``le`` as ``sample{buy,+Inf}``."""
    answer = requests.get(url, timeout=10)
    assert answer.ok, answer.text
    found = {}
    for family in prometheus_parser.text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = [sample.labels[label] for label in ("name", "le") if label in sample.labels]
            found[f"{sample.name}{{{','.join(labels)}}}"] = sample.value
    return found


@pytest.mark.parametrize("processes", [[], ["--processes", "2"]], ids=["one process", "master"])
def test_prometheus_scrapes_a_run_from_the_process_that_owns_it(
    start_locust: Callable[..., LocustRun], processes: list[str]
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        master_port = str(probe.getsockname()[1])
    ports = [
        "--master-bind-host",
        "127.0.0.1",
        "--master-bind-port",
        master_port,
        "--master-port",
        master_port,
    ]
    run = start_locust(*HEADLESS, *processes, *(ports if processes else []), "--ws-prometheus", "0")
    url = run.wait_for(r"Prometheus metrics at (http://127\.0\.0\.1:\d+/metrics)")[1]
    count = "wsload_request_seconds_count{message}"
    until(lambda: scrape(url).get(count, 0) > 5)
    before = scrape(url)
    until(lambda: scrape(url)[count] > before[count])
    found = scrape(url)
    assert found["wsload_request_seconds_bucket{message,+Inf}"] == found[count]
    assert 0 < found["wsload_request_seconds_sum{message}"] < 60 * found[count]
    assert found["wsload_request_service_seconds_count{message}"] == found[count]
    assert found["wsload_users{}"] == found["wsload_connections{}"] == 10
    assert found["wsload_open_seconds_count{}"] == found["wsload_logins_total{}"] == 10
    assert found["wsload_sent_total{}"] >= found[count]
    os.kill(run.pid, signal.SIGTERM)
    assert run.finish().count("message") >= found[count]


def test_a_port_in_use_is_one_line_before_any_user_starts(run_locust: Callable[..., Finished]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = run_locust(*HEADLESS, "-t", "5s", "--ws-prometheus", str(port))
    assert finished.returncode == 2
    last = finished.stderr.strip().splitlines()[-1]
    assert last.startswith(f"locust: error: argument --ws-prometheus: can't listen on 127.0.0.1:{port}")
    assert finished.directories == ()


@pytest.mark.parametrize("value", ["http://x", "70000", "localhost:", ":"])
def test_an_address_that_is_none_is_refused(run_locust: Callable[..., Finished], value: str) -> None:
    finished = run_locust(*HEADLESS, "--ws-prometheus", value)
    assert finished.returncode == 2
    assert f"argument --ws-prometheus: {value!r}" in finished.stderr


def test_without_the_extra_it_is_named(run_locust: Callable[..., Finished], tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError\n")
    finished = run_locust(*HEADLESS, "--ws-prometheus", "0", env={"PYTHONPATH": str(tmp_path)})
    assert finished.returncode == 2
    assert "pip install 'wsload[prometheus]'" in finished.stderr.strip().splitlines()[-1]


def test_standard_output_is_json_lines_and_nothing_else(run_locust: Callable[..., Finished]) -> None:
    finished = run_locust(*HEADLESS, "-t", "3s", "--ws-json-progress", "--ws-check", "lost < 1")
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["second"] * (len(lines) - 1) + ["end"]
    assert len(lines) - 1 == len(finished.counts)
    assert {(line["schema"], line["run"]) for line in lines} == {(1, finished.directory.name)}
    assert max(line["users"] for line in lines[:-1]) == 10
    end = lines[-1]
    assert end["messages"] == finished.count("message") > 0
    assert (end["standing"], end["verdict"]) == (
        finished.run["trust"]["standing"],
        finished.run["trust"]["verdict"],
    )
    assert end["checks"] == finished.run["checks"]
    assert Path(end["results"]).name == finished.directory.name
    assert "Results: results/" in finished.stderr


def test_opentelemetry_gets_the_runs_figures_beside_locusts_own(run_locust: Callable[..., Finished]) -> None:
    pytest.importorskip("opentelemetry.sdk.metrics")
    to_stdout = {
        "OTEL_METRICS_EXPORTER": "console",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }
    finished = run_locust(*HEADLESS, "-t", "3s", "--otel", env=to_stdout)
    exports = [
        json.JSONDecoder().raw_decode(finished.stdout, place.start())[0]
        for place in re.finditer(r'^\{\n +"resource_metrics"', finished.stdout, re.MULTILINE)
    ]
    points = {
        metric["name"]: metric["data"]["data_points"]
        for resource in exports[-1]["resource_metrics"]
        for scope in resource["scope_metrics"]
        for metric in scope["metrics"]
    }
    assert points["wsload.logins"][0]["value"] == 10
    message = {"metric": "message", "name": "message", "kind": "request", "part": "time"}
    assert {**message, "percentile": 50.0} in [point["attributes"] for point in points["wsload.latency"]]
    values = {tuple(sorted(point["attributes"].items())): point["value"] for point in points["wsload.values"]}
    assert values[tuple(sorted(message.items()))] == finished.count("message")
    durations = {point["attributes"]["name"]: point["count"] for point in points["locust.client.duration"]}
    assert durations["message"] == finished.count("message") > 0
