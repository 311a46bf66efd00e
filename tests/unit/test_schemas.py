"""What is stored is what the published schemas say, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import intervals
from support.schemas import fastjsonschema, validate, validate_run
from test_run import infos

from wsload.judge.figures.summary import summarize
from wsload.measure.interval import Interval, Totals
from wsload.results import counters
from wsload.results.run import RunInfo

DATA = Path(__file__).parent.parent / "data"


@given(infos)
def test_run_json(info: RunInfo) -> None:
    validate("run", info.to_json())


@settings(max_examples=50)
@given(st.lists(intervals(), max_size=3))
def test_summary_and_counters(recorded: list[Interval]) -> None:
    summary = summarize(Totals.of(recorded)).to_json()
    validate("summary", json.dumps(summary | {"processes": [{"name": ""}], "probe": {}}))
    for interval in recorded:
        validate("counters", counters.line(interval, 3))


@pytest.mark.parametrize("path", sorted(DATA.glob("schema-*/*/run.json")), ids=lambda path: path.parent.name)
def test_the_runs_kept_of_each_schema(path: Path) -> None:
    version = json.loads(path.read_bytes())["schema"]
    assert path.parent.parent.name == f"schema-{version}"
    validate_run(path.parent)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("run", {"schema": 3}),
        ("run", {"trust": "yes"}),
        ("run", {"weather": "fine"}),
        ("summary", {"counters": {"lost": -1}}),
        ("summary", {"names": {"buy": "sale"}}),
        ("counters", {"closes": {"x": 1}}),
        ("counters", {"histograms": -1}),
    ],
)
def test_a_schema_refuses_what_is_not_so(name: str, change: dict[str, Any]) -> None:
    good = {
        "run": json.loads(RunInfo(build="", target="", started_at=0.0).to_json()),
        "summary": summarize(Totals()).to_json(),
        "counters": json.loads(counters.line(Interval(), 0)),
    }[name]
    validate(name, good)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validate(name, good | change)
