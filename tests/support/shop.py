"""A run of a shop: requests, steps, values and counters with names of every kind, recorded as a user class does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from support.made_runs import MS, STARTED_AT
from wsload.measure.given_names import one_line
from wsload.measure.interval import Interval
from wsload.measure.names import Kind
from wsload.measure.recorder import Recorder

BUY = "buy a book"
LONG = "subscribe to " + "every single topic of the catalogue, " * 3
LONG_STORED = one_line(LONG)
EVIL = "<img src=x onerror='alert(1)'>|`*\"%20,;Tag=x\\"
UNICODE = "Größe 尺寸 🙂 №"
STEP = "check out"
VALUE = "tick"
REQUESTS = (BUY, LONG_STORED, EVIL, UNICODE)
NAMES = (*REQUESTS, STEP, VALUE)
COUNTERS = {"books sold": 40, "gaps in the feed": 0}


def shop_seconds(count: int = 4) -> Iterator[Interval]:
    """So many seconds of it; each has 200 answers of `BUY`, 4 lost and 2 refused."""
    recorder = Recorder()
    buy = recorder.declare(BUY, Kind.REQUEST)
    others = [recorder.declare(name, Kind.REQUEST) for name in (LONG, EVIL, UNICODE)]
    step, tick = recorder.declare(STEP, Kind.STEP), recorder.declare(VALUE, Kind.VALUE)
    for at in range(count):
        values = recorder.values
        for number in range(200):
            values[buy.name].append((2 + number % 10) * MS)
            values[buy.service].append((1 + number % 10) * MS)
        values[buy.lost] += [500 * MS] * 4
        values[buy.failed] += [MS // 2] * 2
        for each in others:
            values[each.name] += [7 * MS] * 5
            values[each.service] += [6 * MS] * 5
        values[step.name] += [40 * MS] * 10
        values[step.failed].append(90 * MS)
        values[tick.name] += [20 * MS] * 50
        values["open"] += [3 * MS] * 10
        values["send_lag"] += [MS // 10] * 200
        for kind, number in (("timeout", 4), ("sold out", 2)):
            for _ in range(number):
                recorder.failed(buy.name, kind, 500 * MS)
        recorder.failed(step.name, "sold out", 90 * MS)
        recorder.add(f"{buy.name}.late", 3)
        recorder.count.requests += 221
        recorder.count.sent += 230
        recorder.count.lost += 4
        recorder.count.refused += 2
        recorder.count.opens += 10
        for counter, number in COUNTERS.items():
            recorder.add(recorder.counter(counter), number // count)
        gauges = {"users": 10, "connections": 10, "in_flight": 1}
        snapshot = recorder.freeze(start_s=STARTED_AT + at, length_s=1.0, gauges=gauges)
        yield replace(snapshot.interval(), start_s=STARTED_AT + at)
