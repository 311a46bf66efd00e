"""Names of metrics, their parts, and their order in reports."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.measure.given_names import clean, one_line
from wsload.measure.names import (
    LATENESS,
    LONGEST_NAME,
    SUFFIXES,
    Kind,
    Labels,
    for_people,
    in_order,
    leading,
    split,
)
from wsload.protocols.chat import names as chat

parts = st.sampled_from(("", *SUFFIXES))
lateness = st.sampled_from(("", *LATENESS))


@given(st.text(), parts, lateness)
def test_a_metric_of_a_name_is_told_apart_from_its_parts(name: str, part: str, late: str) -> None:
    try:
        cleaned = clean(name)
    except ValueError:
        return
    assert split(cleaned + part + late) == (cleaned, part + late)
    assert for_people(cleaned + part + late) == (not late)
    assert for_people(cleaned + part) and not for_people(cleaned + ".lagged")


@given(st.text())
def test_a_name_is_one_line_of_printable_text_and_stays_what_it_is(name: str) -> None:
    try:
        line = one_line(name)
    except ValueError:
        assert not any(character.isprintable() and not character.isspace() for character in name)
        return
    assert line.isprintable() and line == line.strip() and 0 < len(line) <= LONGEST_NAME
    assert one_line(line) == line


TENANT = "GET /api/v1/tenants/3f2b8a1e-52a4-4a54-8f5e-3d1f6f1f9f10/workspaces/{}/documents/{}/{}"


def test_long_names_that_differ_anywhere_stay_different() -> None:
    places = [("a" * 36, "b" * 36, "comments"), ("a" * 36, "b" * 36, "history"), ("c" * 36, "b" * 36, "comments"),
              ("a" * 36, "d" * 36, "comments")]  # fmt: skip
    given = [TENANT.format(*place) for place in places]
    lines = [one_line(name) for name in given]
    assert min(map(len, given)) > LONGEST_NAME and len(set(lines)) == len(given)
    assert {len(line) for line in lines} == {LONGEST_NAME}
    for name, line in zip(given, lines, strict=True):
        assert name.startswith(line.partition("…")[0]) and name.endswith(line.rpartition("…")[2])


def test_a_long_name_is_shortened_alike_in_all_processes() -> None:
    assert one_line("x" * LONGEST_NAME) == "x" * LONGEST_NAME
    name = "buy " * 100
    code = f"from wsload.measure.given_names import one_line; print(ascii(one_line({name!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ascii(one_line(name))
    assert one_line(name) == one_line(" buy\n" * 100)


@pytest.mark.parametrize(
    "name",
    ["open", "send_lag", "buy.lost", "buy.service", "x.unlagged", "late", "failures", " ", "\x00"],
)
def test_names_that_would_be_mistaken_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        clean(name)


@pytest.mark.parametrize("length", [1, 200])
@pytest.mark.parametrize("suffix", [*SUFFIXES, *LATENESS])
def test_who_is_refused_a_suffix_is_told_of_it(suffix: str, length: int) -> None:
    with pytest.raises(ValueError, match="that end with") as refused:
        clean(f"{'x' * length}{suffix}")
    assert f" {suffix}" in str(refused.value).partition("that end with")[2]


IMPORT = "from wsload import ChatUser, WebSocketUser\n"
USE = f"{IMPORT}class Chatter(ChatUser): ...\n"
COUNT = """
from wsload.measure.names import labels
from wsload.measure.recorder import Recorder
try:
    Recorder().counter("logins")
except ValueError as error:
    print(error)
print("logins" in labels().counters)
"""


@pytest.mark.parametrize(("before", "used"), [("", False), (IMPORT, False), (USE, True)])
def test_a_protocols_counters_are_taken_where_it_is_used_and_not_where_it_is_only_imported(
    before: str, used: bool
) -> None:
    done = subprocess.run([sys.executable, "-c", before + COUNT], capture_output=True, text=True, check=True)
    assert ("'logins' is reserved" in done.stdout, done.stdout.splitlines()[-1]) == (used, str(used))


def test_counters_registered_during_a_run_are_counted_beside_those_before() -> None:
    late = """
from wsload.measure.names import register
from wsload.measure.recorder import Recorder
recorder = Recorder()
recorder.count.opens += 2
register(counters={"hops": "hops"})
recorder.know_counters()
recorder.count.hops += 3
print(recorder.freeze(start_s=0, length_s=1, gauges={}).interval().counters)
"""
    done = subprocess.run([sys.executable, "-c", late], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'opens': 2, 'hops': 3}"


def test_a_protocols_words_are_only_put_to_runs_that_stored_none() -> None:
    chat.use()
    stored = Labels(counters={"sold": "books sold"})
    words = {"sold": "books sold", "rosters": "rosters", "opens": "connections opened"}
    assert {name: stored.label(name) for name in words} == words
    assert stored.meaning("open.dns") == Labels().meaning("open.dns")
    assert stored.meaning("message") != chat.METRICS["message"]
    assert Labels().label("rosters") == chat.COUNTERS["rosters"]
    assert Labels().meaning("message") == chat.METRICS["message"]


def test_each_name_comes_with_its_parts_messages_first_and_the_cores_last() -> None:
    found = ["open.tcp", "zeta", "buy.failed", "open", "buy", "message.lost", "buy.lost", "message",
             "buy.service.lagged", "buy.service", "login", "login.lost"]  # fmt: skip
    assert in_order(found) == [
        *(
            "message",
            "message.lost",
            "buy",
            "buy.service",
            "buy.service.lagged",
            "buy.lost",
            "buy.failed",
            "zeta",
        ),
        *("open", "open.tcp", "login", "login.lost"),
    ]


@pytest.mark.parametrize(
    ("counts", "kinds", "expected"),
    [
        ({}, {}, None),
        ({"open": 9}, {}, None),
        ({"a": 3, "b": 4, "b.service": 9}, {}, "b"),
        ({"a": 3, "message": 1}, {}, "message"),
        ({"a": 3, "message": 0}, {}, "a"),
        ({"tick": 99, "step": 9, "a": 3}, {"tick": Kind.VALUE, "step": Kind.STEP, "a": Kind.REQUEST}, "a"),
        ({"tick": 99, "step": 9}, {"tick": Kind.VALUE, "step": Kind.STEP}, "step"),
        ({"b": 3, "a": 3}, {}, "a"),
    ],
)
def test_which_name_stands_for_a_run(
    counts: dict[str, int], kinds: dict[str, Kind], expected: str | None
) -> None:
    assert leading(counts, kinds) == expected
