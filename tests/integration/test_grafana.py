"""Grafana's dashboard asks for metrics and labels that a real run has."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from support.locust_run import ROOT, LocustRun
from support.waiting import until

pytest.importorskip("prometheus_client")

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "wsload.json").read_bytes())
MIXED = """
from wsload import ChatUser, WebSocketUser, constant_rate, embedded_server, task

embedded_server()


class Chatter(ChatUser):
    wait_time = constant_rate(5)

    @task
    async def post(self) -> None:
        with self.measure("posting"):
            self.record("age", seconds=0.001)
            await self.say("hello")


class Mistaken(WebSocketUser):
    subprotocols = ("json",)
    wait_time = constant_rate(1)

    @task
    async def fail(self) -> None:
        raise AssertionError("on purpose")
"""


def expressions() -> Iterator[tuple[str, str]]:
    """Every query and its legend."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"], ""


def test_its_metrics_and_labels_exist(start_locust: Callable[..., LocustRun], tmp_path: Any) -> None:
    (tmp_path / "mixed.py").write_text(MIXED, "utf-8")
    run = start_locust(
        "-f", "mixed.py", "--headless", "--only-summary", "-u", "4", "-r", "4", "--ws-prometheus", "0"
    )
    url = run.wait_for(r"Prometheus metrics at (http://127\.0\.0\.1:\d+/metrics)")[1]
    until(lambda: "wsload_failures_total{" in requests.get(url, timeout=10).text)
    until(lambda: 'wsload_value_seconds_count{name="age"}' in requests.get(url, timeout=10).text)
    text = requests.get(url, timeout=10).text
    os.kill(run.pid, signal.SIGTERM)
    run.finish()
    labels: dict[str, set[str]] = {}
    for name, inner in re.findall(r"^(wsload_\w+)(?:\{(.*)\})? ", text, re.MULTILINE):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', inner))
    labels["wsload_closes_total"] = {"code"}  # without a sample until the end
    assert "# TYPE wsload_closes_total counter" in text
    asked = 0
    for expression, legend in expressions():
        metrics = set(re.findall(r"\bwsload_\w+", expression))
        assert metrics and metrics <= labels.keys(), expression
        wanted = {label for inner in re.findall(r"by \(([^)]+)\)", expression) for label in inner.split(", ")}
        wanted |= set(re.findall(r"\{\{(\w+)\}\}", legend))
        wanted |= {
            label
            for inner in re.findall(r"\{([^{}]+)\}", expression)
            for label in re.findall(r"(\w+)[=!]", inner)
        }
        for metric in metrics:
            assert wanted - {"instance"} <= labels[metric], expression  # instance is Prometheus's own
        asked += 1
    assert asked > 20


def test_its_panels_do_not_overlap_and_have_their_own_numbers() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert all(x < 24 for x, _ in cells)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels), "any Prometheus will do"
