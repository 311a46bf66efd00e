from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_runs import UNTRUSTED

from wsload.errors import ResultsError
from wsload.measure.names import Labels
from wsload.results.files import MAX_JSON_BYTES, read_json_file, replace_file
from wsload.results.run import CheckOutcome, CheckState, RunInfo, RunWarning
from wsload.results.trust import Standing, Trust

INFO = RunInfo(
    build="v1",
    target="ws://127.0.0.1:8000/",
    started_at=1732278960.123,
    ended_at=1732278980.0,
    options={"num_users": 50},
    versions={"locust": "2.47.0"},
    host={"cores": 2},
    trust=UNTRUSTED,
    warnings=(
        RunWarning(name="cpu", text="CPU 96 % of one core", remedy="use --processes 4", invalidates=True),
    ),
    checks=(
        CheckOutcome(
            expression="message.p99 < 50ms", state=CheckState.PASSED, wanted="< 50 ms", got="12.4 ms"
        ),
    ),
    labels=Labels(counters={"sold": "books sold"}),
)
times = st.integers(0, 4 * 10**12).map(lambda ms: ms / 1000)
texts = st.text(st.characters(exclude_categories=["Cs"]))
trusts = st.builds(
    Trust,
    standing=st.sampled_from([each for each in Standing if each is not Standing.INCOMPLETE]),
    verdict=texts,
    remedy=texts,
    tolerance_ns=st.integers(1, 10**9),
    up_to=st.dictionaries(texts, st.floats(0, 100)),
    reasons=st.dictionaries(texts, texts),
)
infos = st.builds(
    RunInfo,
    build=texts,
    target=texts,
    started_at=times,
    ended_at=st.none() | times,
    options=st.dictionaries(texts, st.none() | st.booleans() | texts | st.lists(texts)),
    versions=st.dictionaries(texts, texts),
    host=st.dictionaries(texts, st.integers(0, 2**53)),
    trust=st.none() | trusts,
    warnings=st.lists(
        st.builds(RunWarning, name=texts, text=texts, remedy=texts, invalidates=st.booleans()), max_size=2
    ).map(tuple),
    checks=st.lists(
        st.builds(
            CheckOutcome,
            expression=texts,
            state=st.sampled_from(CheckState),
            wanted=texts,
            got=texts,
            reason=texts,
        ),
        max_size=2,
    ).map(tuple),
    labels=st.builds(Labels, metrics=st.dictionaries(texts, texts), counters=st.dictionaries(texts, texts)),
)


def test_the_file_holds_the_keys_of_its_schema() -> None:
    assert json.loads(INFO.to_json()) == {
        "schema": 2,
        "build": "v1",
        "target": "ws://127.0.0.1:8000/",
        "started_at": "2024-11-22T12:36:00.123Z",
        "ended_at": "2024-11-22T12:36:20.000Z",
        "options": {"num_users": 50},
        "versions": {"locust": "2.47.0"},
        "host": {"cores": 2},
        "trust": {
            "standing": "not trusted",
            "verdict": "Not trusted: late",
            "remedy": "use --processes 4",
            "tolerance_ns": 1_000_000,
            "up_to": {},
            "reasons": {},
        },
        "window": {"from_s": 0.0, "to_s": None},
        "workload": {},
        "warnings": [
            {
                "name": "cpu",
                "text": "CPU 96 % of one core",
                "remedy": "use --processes 4",
                "invalidates": True,
            }
        ],
        "checks": [
            {
                "expression": "message.p99 < 50ms",
                "passed": True,
                "wanted": "< 50 ms",
                "got": "12.4 ms",
                "reason": "",
            }
        ],
        "labels": {"metrics": {}, "counters": {"sold": "books sold"}},
    }


@given(infos)
def test_reading_gives_what_was_written(info: RunInfo) -> None:
    assert RunInfo.from_json(info.to_json()) == info


def test_what_utf8_cannot_hold_does_not_keep_the_file_from_being_written() -> None:
    info = RunInfo(
        build="v\udcff", target="", started_at=0.0, warnings=(RunWarning(name="x", text="a \udc80 name"),)
    )
    again = RunInfo.from_json(info.to_json())
    assert (again.build, again.warnings[0].text) == ("v?", "a ? name")


def test_unknown_keys_are_ignored() -> None:
    found = json.loads(INFO.to_json()) | {"weather": "fine"}
    assert RunInfo.from_json(json.dumps(found).encode()) == INFO


def changed(**changes: object) -> bytes:
    found = json.loads(INFO.to_json()) | changes
    return json.dumps({key: value for key, value in found.items() if value != "absent"}).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (changed(schema=3), r"written by a newer wsload \(schema 3; this one reads up to 2\): upgrade"),
        (changed(schema=0), "schema 0 is unknown"),
        (changed(schema=True), "'schema' has the wrong type bool"),
        (changed(schema="absent"), "'schema' is missing"),
        (changed(build=None), "'build' has the wrong type NoneType"),
        (changed(started_at="yesterday"), "Invalid isoformat"),
        (changed(started_at="2024-11-22T12:36:00"), "no time zone"),
        (changed(trust="absent"), "'valid' is missing"),
        (changed(trust={"standing": "so-so"}), "'so-so' is not a valid Standing"),
        (changed(trust=7), "'trust' is malformed"),
        (changed(options=[]), "'options' has the wrong type list"),
        (changed(warnings=["cpu"]), "not an object where 'name'"),
        (changed(checks=[{}]), "'expression' is missing"),
        (b"[1]", "not an object where 'schema'"),
        (b"", "JSON"),
        (b'{"schema": 1, "build": "\xff"}', "utf-8|UTF-8|str"),
    ],
)
def test_what_is_no_run_is_refused_in_one_line(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        RunInfo.from_json(data)
    assert "\n" not in str(caught.value)


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_a_file_that_cannot_be_replaced_stays_and_leaves_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError, match=r"."):
        replace_file(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_files_of_any_size_are_not_swallowed(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with pytest.raises(ResultsError, match="no such file, so this is not a results directory of a run"):
        read_json_file(path)
    with path.open("wb") as file:
        file.truncate(MAX_JSON_BYTES + 1)
    with pytest.raises(ResultsError, match="larger than 8 MiB"):
        read_json_file(path)
