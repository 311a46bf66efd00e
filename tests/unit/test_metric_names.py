"""Names of metrics, their parts, and their order in reports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.measure.names import (
    LATENESS,
    LONGEST_NAME,
    SUFFIXES,
    Kind,
    clean,
    for_people,
    in_order,
    leading,
    one_line,
    split,
)

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


@pytest.mark.parametrize("name", ["open", "send_lag", "buy.lost", "buy.service", "buy.unlagged", " ", "\x00"])
def test_names_that_would_be_mistaken_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        clean(name)


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
