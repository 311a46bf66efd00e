"""What Locust's own table is fed with."""

from __future__ import annotations

from typing import Any

from locust.env import Environment

from wsload.load.locust.statistics import TYPE, StatisticsFeed
from wsload.measure.names import Kind
from wsload.measure.recorder import Recorder


class Direct:
    """A bridge without threads."""

    def to_listeners(self, function: Any, *arguments: Any) -> None:
        function(*arguments)


def test_every_name_is_a_row_of_its_own_beside_open_login_and_close() -> None:
    environment = Environment()
    environment.create_local_runner()
    recorder = Recorder(StatisticsFeed(Direct(), environment))  # type: ignore[arg-type]
    for name, kind in (("buy a book", Kind.REQUEST), ("check out", Kind.STEP), ("tick", Kind.VALUE)):
        figures = recorder.declare(name, kind)
        for metric in (figures.name, figures.service, figures.lost, figures.failed, figures.lagged):
            recorder.values[metric].extend([2_000_000, 4_000_000])
    for metric in ("open", "open.tcp", "login", "close", "ping", "send_lag"):
        recorder.values[metric].append(1_000_000)
    recorder.failed("buy a book", "sold out", 3_000_000)
    recorder.freeze(start_s=0, length_s=1, gauges={})
    entries = environment.stats.entries
    counts = {name: entry.num_requests for (name, kind), entry in entries.items() if kind == TYPE}
    assert counts == {"buy a book": 3, "check out": 2, "tick": 2, "open": 1, "login": 1, "close": 1}
    assert entries["buy a book", TYPE].num_failures == 1
    assert entries["tick", TYPE].avg_response_time == 3.0
