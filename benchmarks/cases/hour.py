"""An hour of synthetic results: 3,600 seconds of four workers, merged, written, read and summarized."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from benchmarks.figures import Place, Sample
from benchmarks.processes import Process, python
from benchmarks.world import World

CASE: Final = "an hour of results"
SECONDS: Final = 3_600
WORKERS: Final = 4


def place(measure: str, unit: str) -> Place:
    setting = f"{SECONDS:,} s, {WORKERS} workers"
    return Place(case=CASE, setting=setting, subject="wsload", measure=measure, unit=unit)


def measure(world: World, number: int) -> Iterator[Sample]:
    """Only once, because it always takes the same time."""
    if number:
        return
    out = world.directory / "hour.json"
    command = python("benchmarks.results_hour", world.directory / "hour", SECONDS, WORKERS, out)
    with Process(*command, directory=world.directory, name="results_hour") as process:
        if process.wait(timeout_s=180):
            process.check()
    for name, unit, value in json.loads(out.read_text()):
        yield Sample(place=place(name, unit), round=number, value=value)
