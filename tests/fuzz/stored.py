"""The JSON files that commands store, with any of their values replaced: bytes changed at random seldom stay JSON."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from wsload.commands.ab.experiment import Experiment, Outcome
from wsload.commands.ab.plan import ExperimentPlan
from wsload.commands.capacity import record
from wsload.commands.capacity.plan import CapacityPlan, Search
from wsload.commands.harness.builds import Build
from wsload.errors import ResultsError, UsageError
from wsload.judge.capacity.search import SearchPlan
from wsload.judge.compare.verdict import Gate
from wsload.results.run import CheckOutcome, CheckState, RunInfo, RunWarning
from wsload.results.server_figures import SERVER, Sample, ServerFigures, read_server
from wsload.results.trust import Standing, Trust
from wsload.results.window import Window
from wsload.words import when

VALUES: Final = (
    b"1e999", b"-1e999", b"1e308", b"9" * 400, b"1" + b"0" * 5000, b"Infinity", b"NaN", b"-1", b"0", b"0.5", b"true",
    b"null", b'""', b'"x"', b'"\\ud800"', b'"1e999"', b'"' + b"9" * 400 + b'"',
    b"[]", b"{}", b"[1e999]", b"[" * 2000 + b"]" * 2000,
)  # fmt: skip
_MARK: Final = "\x00here"
RUN: Final = RunInfo(
    build="v1", target="ws://h", started_at=1.7e9, ended_at=1.8e9, options={"users": 5},
    window=Window(from_s=1.0, to_s=2.0),
    trust=Trust(standing=Standing.PARTLY, verdict="partly", up_to={"buy": 99.9}, reasons={"buy": "late"}),
    warnings=(RunWarning(name="cpu", text="busy"),),
    checks=(CheckOutcome(expression="lost < 1", state=CheckState.PASSED, wanted="< 1", got="0"),),
).to_json()  # fmt: skip
A, B = (Build(name=name, url="ws://127.0.0.1:{port}", command="serve {port}") for name in "AB")
PLAN: Final = ExperimentPlan(
    a=A, b=B, locustfile="chat.py", users=20, spawn_rate=5.5, run_time_s=10.0, warm_up_s=2.0, pairs=2,
    gate=Gate(scatter=(("p99", 0.1),)),
)  # fmt: skip
EXPERIMENT: Final = Experiment(
    plan=PLAN, created_at=1.7e9, more=(2,), done=(Outcome(slot=1, run="a", valid=True, repeated=("late",)),),
).to_json()  # fmt: skip
CAPACITY: Final = record.to_json(
    Search(
        plan=CapacityPlan(
            a=A, b=B, locustfile="chat.py", checks=("message.p99 < 50ms",), users=20, run_time_s=10.0,
            warm_up_s=2.0, search=SearchPlan(low=10.0, high=1000.0),
        ),
        created_at=1.7e9,
    )
)  # fmt: skip
FIGURES: Final = ServerFigures(
    command="serve", url="ws://h", exit_code=1, cpu_s=1.0, cpu_share=0.5, memory_peak_bytes=9, processes=2, every_s=1.0,
    samples=(Sample(at_s=1.0, cpu_share=0.5, memory_bytes=9),),
).to_json()  # fmt: skip


def changed(seed: bytes) -> Callable[[random.Random], bytes]:
    """What makes the document with one or two of its values replaced."""

    def make(rng: random.Random) -> bytes:
        document = json.loads(seed)
        for _ in range(rng.choice((1, 1, 2))):
            inside, key = rng.choice(list(_places(document)))
            inside[key] = _MARK + str(rng.randrange(len(VALUES)))
        data = json.dumps(document).encode()
        for number, value in reversed(
            tuple(enumerate(VALUES))
        ):  # so that 1 is not taken for the beginning of 10
            data = data.replace(json.dumps(f"{_MARK}{number}").encode(), value)
        return data

    return make


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in list(document.items()) if isinstance(document, dict) else list(enumerate(document)):
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)


def experiment(data: bytes) -> None:
    try:
        found = Experiment.from_json(data)
    except (ValueError, UsageError):
        return
    when(found.created_at)
    assert Experiment.from_json(found.to_json()).to_json() == found.to_json()


def capacity(data: bytes) -> None:
    try:
        found = record.from_json(data)
    except (ValueError, UsageError):
        return
    when(found.created_at)
    assert record.to_json(record.from_json(record.to_json(found))) == record.to_json(found)


def server(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / SERVER
        path.write_bytes(data)
        try:
            found = read_server(Path(directory))
        except ResultsError:
            return
        assert found is not None
        path.write_bytes(found.to_json())
        assert read_server(Path(directory)) == found
