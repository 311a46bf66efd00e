"""Runs as they are stored, with figures made to measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from support.made_runs import TRUSTED, UNTRUSTED
from wsload.judge.figures.summary import summarize
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.names import Kind
from wsload.results.run import RunWarning
from wsload.results.server_figures import Sample, ServerFigures
from wsload.results.writer import RunWriter

START_S = 1732278960.0
OPTIONS = {"num_users": 20, "spawn_rate": 20, "run_time": 12, "ws_rate": "", "ws_drain": "2s"}
SERVED = ServerFigures(
    command="node server.js --port {port}",
    url="ws://127.0.0.1:20001",
    exit_code=None,
    cpu_s=3.5,
    cpu_share=0.35,
    memory_peak_bytes=55_000_000,
    processes=2,
    every_s=1.0,
    samples=(Sample(at_s=1.0, cpu_share=0.3, memory_bytes=50_000_000),),
)
LATE = RunWarning(name="send-lag", text="sends were late: p99 12 ms", invalidates=True)


def store_run(
    results: Path,
    build: str,
    *,
    at: int = 0,
    factor: float = 1.0,
    valid: bool | None = True,
    seconds: int = 12,
    options: Mapping[str, object] = OPTIONS,
    metrics: tuple[str, ...] = ("open", "login", "message"),
    requests: tuple[str, ...] = ("message",),
    per_second: int = 200,
    lost: int = 0,
    refused: int = 0,
) -> Path:
    """A run of 2 to 6 ms messages, ``factor`` times as slow; ``at`` is its place in the order.

    Each second it loses ``lost`` of its messages, and ``refused`` openings fail. ``valid`` None is a run
    that was killed.
    """
    rng = np.random.default_rng([at, len(build)])
    scatter = np.exp(0.004 * rng.normal())
    began = START_S + 60 * at
    writer = RunWriter.create(
        results, build=build, target="ws://127.0.0.1:8000/", options=options, started_at=began
    )
    for second in range(seconds):
        values = 2e6 * factor * scatter * (1 + rng.exponential(0.4, size=(len(metrics), per_second)))
        writer.append(
            Interval(
                start_s=began + second,
                length_s=1.0,
                histograms={
                    metric: Histogram.of(found.astype(np.int64).tolist())
                    for metric, found in zip(metrics, values, strict=True)
                }
                | ({"message.lost": Histogram.of([1_000_000] * lost)} if lost else {}),
                counters={"sent": per_second, "lost": lost, "cpu_ns": 200_000_000},
                gauges={"users": 20},
                failures={
                    key: count
                    for key, count in ((("message", "connection lost"), lost), (("open", "refused"), refused))
                    if count
                },
                names=dict.fromkeys(requests, Kind.REQUEST) if second == 0 else {},
            )
        )
    if valid is None:
        writer.close()
        return writer.path
    warnings = [] if valid else [LATE]
    summary = summarize(writer.totals).to_json()
    writer.finish(
        summary,
        ended_at=began + seconds,
        trust=TRUSTED if valid else replace(UNTRUSTED, verdict=f"Not trusted: {LATE.text}"),
        warnings=warnings,
    )
    return writer.path


def store_sides(
    results: Path, *, slower: float = 1.0, pairs: int = 4, bad: tuple[int, ...] = (), **candidates: int
) -> tuple[list[Path], list[Path]]:
    """Runs of v1 and v2 in the order A B B A…; those whose places are in ``bad`` are not valid.

    ``candidates`` are settings of `store_run` for v2 alone.
    """
    sides: tuple[list[Path], list[Path]] = ([], [])
    for at, letter in enumerate(("ABBA" * pairs)[: 2 * pairs]):
        candidate = letter == "B"
        path = store_run(
            results,
            "v2" if candidate else "v1",
            at=at,
            factor=slower if candidate else 1.0,
            valid=at not in bad,
            **(candidates if candidate else {}),
        )
        sides[candidate].append(path)
    return sides
