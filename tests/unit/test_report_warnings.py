"""Repeated warnings collapse, and none is forgotten."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from wsload.report.warnings import MAX_ALIKE, collapsed, told_once
from wsload.results.run import RunWarning

warnings = st.builds(
    RunWarning,
    name=st.sampled_from("ab"),
    text=st.sampled_from(("one", "two")),
    remedy=st.sampled_from(("", "help")),
    invalidates=st.booleans(),
)


@given(st.lists(warnings, max_size=20))
def test_of_each_kind_few_are_shown_and_all_are_counted(given_: list[RunWarning]) -> None:
    found = collapsed(given_)
    for name in "ab":
        for bad in (True, False):
            alike = [each for each in given_ if (each.name, each.invalidates) == (name, bad)]
            shown = [each.text for each in found if (each.name, each.invalidates) == (name, bad)]
            assert len(shown) == min(len(alike), MAX_ALIKE)
            counts = [int(more[1]) for text in shown if (more := re.match(r"… and (\d+) more", text))]
            assert len(shown) - len(counts) + sum(counts) == len(alike)


def test_what_helps_against_several_in_a_row_is_said_once() -> None:
    lines = [RunWarning(name="slow", text=f"task {number}", remedy="don't block") for number in range(19)]
    assert [(each.text, each.remedy) for each in collapsed(lines)] == [
        ("task 0", ""),
        ("task 1", ""),
        ("… and 17 more like this", "don't block"),
    ]


def test_what_is_told_of_several_runs_is_told_once_but_for_its_figures() -> None:
    told = [("a", "late: 1.5 ms"), ("b", "not valid"), ("c", "late: 12,000 ms"), ("d", "late: 3 ms")]
    assert told_once(told) == [("a and 2 more runs", "are", "late: 1.5 ms"), ("b", "is", "not valid")]
    assert told_once([]) == []
