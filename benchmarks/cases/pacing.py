"""Pacing in an open workload: how late wsload sends at 1,000 and 10,000 messages per second.

The figures are those that every run reports (``send_lag``), over the steady seconds, with 100 users and an echo server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.figures import Place, Sample
from benchmarks.locust_command import Locust
from benchmarks.processes import Failed
from benchmarks.world import World
from wsload.measure.interval import Totals
from wsload.results.reader import open_run

CASE: Final = "pacing"
WSLOAD: Final = "wsload"
RATES: Final = (1_000, 10_000)
USERS: Final = 100
SECONDS: Final = 4
RAMP: Final = 2
"""Intervals until all users have arrived: they arrive over a second, which usually spans two intervals."""
PERCENTILES: Final = (50.0, 99.0, 100.0)


def place(rate: int, measure: str, unit: str) -> Place:
    return Place(case=CASE, setting=f"{rate:,} messages/s", subject=WSLOAD, measure=measure, unit=unit)


def measure(world: World, number: int) -> Iterator[Sample]:
    """One round."""
    for rate in RATES:
        options = ("--ws-rate", rate, "-t", f"{SECONDS}s", "--ws-allow-invalid")
        with Locust(
            "locust_wsload", *options, users=USERS, url=world.echo.url, directory=world.directory
        ) as client:
            run = open_run(client.finish(timeout_s=SECONDS + 30))
        steady = Totals.of(list(run.intervals())[RAMP:-1])
        lag = steady.histograms.get("send_lag")
        if lag is None:
            raise Failed("nothing was sent in the steady seconds")
        p50, p99, most = lag.percentiles(PERCENTILES)
        for name, unit, value in (
            ("send lag p50", "µs", p50 / 1000),
            ("send lag p99", "µs", p99 / 1000),
            ("send lag max", "µs", most / 1000),
            ("achieved", "/s", lag.total / steady.duration_s),
            ("CPU", "% of a core", steady.counters["cpu_ns"] / steady.duration_s / 1e7),
        ):
            yield Sample(place=place(rate, name, unit), round=number, value=value)
