"""Which cores are whose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.commands.harness.builds import Build
from wsload.commands.harness.pinning import Pinning, Places, check_pin
from wsload.errors import UsageError

STARTED = Build(name="v1", url="ws://127.0.0.1:{port}", command="serve {port}")
RUNNING = Build(name="v2", url="ws://127.0.0.1:1")
TWO = {"A": STARTED, "B": STARTED}


def places(server: set[int], load: set[int]) -> Places:
    return Places(server=frozenset(server), load=frozenset(load))


def test_without_it_nothing_is_pinned() -> None:
    check_pin("", {"A": RUNNING})
    for cores in ((), (0,), (0, 1)):
        pinning = Pinning("", cores, at_once=True)
        assert pinning.places("A", 1) == Places()
        assert not list(pinning.for_people())


def test_one_at_a_time_the_server_gets_half_of_the_cores() -> None:
    pinning = Pinning("auto", (0, 1, 2, 3, 4), at_once=False)
    assert {pinning.places(letter, pair) for letter in "AB" for pair in (1, 2)} == {places({0, 1}, {2, 3, 4})}
    assert list(pinning.for_people()) == ["Cores: 0 and 1 for the server, 2 to 4 for the load generator"]


def test_side_by_side_on_two_cores_the_servers_share_one() -> None:
    pinning = Pinning("auto", (0, 1), at_once=True)
    assert {pinning.places(letter, pair) for letter in "AB" for pair in (1, 2)} == {places({0}, {1})}
    assert list(pinning.for_people()) == ["Cores: 0 for both servers, 1 for the load generator"]


def test_side_by_side_on_four_cores_each_server_has_one_and_they_change_places() -> None:
    pinning = Pinning("auto", (4, 5, 6, 7), at_once=True)
    assert [pinning.places(letter, 3) for letter in "AB"] == [places({4}, {6, 7}), places({5}, {6, 7})]
    assert [pinning.places(letter, 4) for letter in "AB"] == [places({5}, {6, 7}), places({4}, {6, 7})]
    assert list(pinning.for_people()) == [
        "Cores: 4 and 5 for the servers, alternating, 6 and 7 for the load generator"
    ]


@given(
    cores=st.lists(st.integers(0, 500), min_size=2, max_size=70, unique=True).map(sorted),
    at_once=st.booleans(),
    pair=st.integers(1, 9),
)
def test_all_cores_are_shared_out_and_both_sides_have_as_many(
    cores: list[int], at_once: bool, pair: int
) -> None:
    a, b = (Pinning("auto", cores, at_once=at_once).places(letter, pair) for letter in "AB")
    assert a.server and a.load
    assert a.server | a.load | b.server | b.load == set(cores)
    assert a.load == b.load and len(a.server) == len(b.server)
    assert not (a.server | b.server) & a.load
    assert bool(a.server & b.server) == (not at_once or len(cores) == 2)


def test_cores_are_given_by_name() -> None:
    check_pin("A=0,B=1+3,load=4-6", TWO)
    pinning = Pinning("A=0,B=1+3,load=4-6", range(8), at_once=True)
    for pair in (1, 2):
        assert pinning.places("A", pair) == places({0}, {4, 5, 6})
        assert pinning.places("B", pair) == places({1, 3}, {4, 5, 6})
    assert list(pinning.for_people()) == [
        "Cores: 0 for A's server, 1 and 3 for B's server, 4 to 6 for the load generator"
    ]
    assert Pinning("load=1", (0, 1), at_once=False).places("A", 1) == places(set(), {1})


@pytest.mark.parametrize(
    "pin",
    ["AUTO", "A", "A=", "A=x", "C=1", "A=0,A=1", "A=1-", "A=0;B=1", "load=1,,", "A=3-1", "A=99999", "a=1"],
)
def test_a_mistake_is_one_line_with_what_is_allowed(pin: str) -> None:
    with pytest.raises(UsageError, match=rf"^--pin {pin}: (use auto, or cores by name|3-1 is a descending)"):
        check_pin(pin, TWO)


def test_what_is_not_started_here_can_not_be_pinned() -> None:
    with pytest.raises(UsageError, match=r"^--pin auto: B is not started here: list cores only"):
        check_pin("auto", {"A": STARTED, "B": RUNNING})
    with pytest.raises(UsageError, match=r"^--pin B=1: no server B is started here$"):
        check_pin("B=1", {"A": STARTED, "B": RUNNING})
    with pytest.raises(UsageError, match=r"^--pin B=1: no server B is started here$"):
        check_pin("B=1", {"A": STARTED})
    check_pin("load=1", {"A": RUNNING})


def test_the_machine_must_have_the_cores() -> None:
    with pytest.raises(UsageError, match=r"^--pin A=9: there is no core 9; there are 0 to 3$"):
        Pinning("A=9", (0, 1, 2, 3), at_once=False)
    with pytest.raises(
        UsageError, match=r"^--pin auto: needs at least two cores, and only one is available$"
    ):
        Pinning("auto", (0,), at_once=False)
    with pytest.raises(UsageError, match=r"^--pin: only supported on Linux$"):
        Pinning("auto", (), at_once=False)
