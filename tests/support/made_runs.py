"""Results directories of runs made up second by second, written as a real one is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from wsload.judge.figures.summary import summarize
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.results.run import CheckOutcome, RunWarning
from wsload.results.trust import Standing, Trust
from wsload.results.writer import RUN, SUMMARY, RunWriter

STARTED_AT = 1_732_278_960.0
"""2024-11-22 12:36:00 UTC."""
MS = 1_000_000
TRUSTED = Trust(standing=Standing.TRUSTED, verdict="Trusted up to the maximum (message)")
UNTRUSTED = Trust(standing=Standing.UNTRUSTED, verdict="Not trusted: late", remedy="use --processes 4")


def second(at: int, latencies_ms: Iterable[float] = (), **parts: Mapping[object, object]) -> Interval:
    """The interval of a run's second: ``message`` latencies, and any other field of an interval."""
    values = [round(value * MS) for value in latencies_ms]
    histograms = {"message": Histogram.of(values)} if values else {}
    return Interval(start_s=STARTED_AT + at, length_s=1.0, **{"histograms": histograms, **parts})


def make_run(
    results: Path,
    intervals: Iterable[Interval],
    *,
    build: str = "v1",
    target: str = "ws://127.0.0.1:8000/",
    options: Mapping[str, object] | None = None,
    started_at: float = STARTED_AT,
    trust: Trust | None = TRUSTED,
    warnings: tuple[RunWarning, ...] = (),
    checks: tuple[CheckOutcome, ...] = (),
) -> Path:
    """A run's directory; ``trust=None`` leaves it as a killed run does."""
    writer = RunWriter.create(
        results, build=build, target=target, options=options or {}, started_at=started_at
    )
    for interval in intervals:
        writer.append(interval)
    begun = (writer.path / RUN).read_bytes()
    writer.finish(
        summarize(writer.totals).to_json(),
        ended_at=started_at + writer.totals.duration_s,
        trust=trust or TRUSTED,
        warnings=warnings,
        checks=checks,
    )
    if trust is None:
        (writer.path / RUN).write_bytes(begun)
        (writer.path / SUMMARY).unlink()
    return writer.path
