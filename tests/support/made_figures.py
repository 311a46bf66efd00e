"""Runs of a comparison as values, with percentiles made to measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wsload.judge.compare.outcomes import Outcomes
from wsload.judge.compare.pairs import RunFigures, Side
from wsload.measure.histogram import Histogram

MS = 1_000_000
ATTEMPTS = 2_000
METRICS = ("message", "open", "login")
STATISTICS = tuple(f"{metric}.p{percentile}" for metric in METRICS for percentile in (50, 99))
"""What is judged by default of runs that have `METRICS`."""
SCATTER = (0.98, 1.01, 1.03, 0.99, 1.0, 1.02, 0.97, 1.01)
"""Factors by which runs of one build differ here."""


def outcomes(
    p50_ms: float, p99_ms: float | None = None, *, answered: int = ATTEMPTS, lost: int = 0, failed: int = 0
) -> Outcomes:
    """Answers of which more than half take ``p50_ms``, and the slowest 2 % ``p99_ms``."""
    slow = round(0.02 * answered)
    p99_ms = 2 * p50_ms if p99_ms is None else p99_ms
    histogram = Histogram.of([round(p50_ms * MS)] * (answered - slow) + [round(p99_ms * MS)] * slow)
    return Outcomes.of(histogram, lost=lost, failed=failed)


def made(
    order: str,
    figure: Callable[[str, str], float] = lambda letter, name: 20,
    *,
    metrics: Sequence[str] = METRICS,
    requests: Sequence[str] = ("message",),
    invalid: Sequence[str] = (),
    drift: float = 0.0,
    scatter: Sequence[float] = SCATTER,
    lost: Callable[[str, int], int] = lambda letter, at: 0,
    failed: Callable[[str, int], int] = lambda letter, at: 0,
    answered: int = ATTEMPTS,
    trusted: Callable[[str, int], Mapping[str, float]] = lambda letter, at: {},
) -> list[RunFigures]:
    """Runs in this order; ``figure(letter, statistic)`` is the build's true value in ms.

    ``lost`` and ``failed`` say, by letter and place, how many attempts at the first request a run lost or
    had refused; ``trusted`` what it vouches for.
    """
    runs = []
    for at, letter in enumerate(order):
        name = f"{letter}{order[: at + 1].count(letter)}"
        factor = scatter[at % len(scatter)] * (1 + drift) ** at
        runs.append(
            RunFigures(
                name=name,
                side=Side.BASELINE if letter == "A" else Side.CANDIDATE,
                started_s=1.7e9 + at,
                outcomes={
                    metric: outcomes(
                        figure(letter, f"{metric}.p50") * factor,
                        figure(letter, f"{metric}.p99") * factor * 2,
                        answered=answered,
                        lost=lost(letter, at) if metric == metrics[0] else 0,
                        failed=failed(letter, at) if metric == metrics[0] else 0,
                    )
                    for metric in metrics
                },
                requests=frozenset(requests) & frozenset(metrics),
                trusted=trusted(letter, at),
                valid=name not in invalid,
            )
        )
    return runs


def slower_by(percent: float, *slow: str) -> Callable[[str, str], float]:
    """B is slower by so much in these statistics, or in all."""
    return lambda letter, name: 20 * (1 + percent / 100 * (letter == "B" and (not slow or name in slow)))
