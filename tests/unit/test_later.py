"""What is found out after a window about the answers in it."""

from __future__ import annotations

import pytest

from wsload.measure.interval import Interval
from wsload.measure.keys import join_key
from wsload.measure.later import Later

OF_A_COLON = {"shop: buy.unpaired": 1, join_key("shop: buy", "why"): 1}


@pytest.mark.parametrize(
    ("counters", "found"),
    [
        ({}, {}),
        ({"buy.unpaired": 2, "requests": 9}, {"buy.unpaired": 2}),
        ({"buy.overlapped": 1, "buy: why": 1, "buy": 3}, {"buy.overlapped": 1, "buy: why": 1}),
        (OF_A_COLON, OF_A_COLON),
        ({"buy.unpaired": 0, "buy: an own counter": 1}, {}),
        ({"buy.late": 1, "buy.duplicates": 1, "unpaired": 1}, {}),
        ({"sell.unpaired": 1, "sell: why": 1}, {}),
    ],
)
def test_counters_of_a_doubt_about_known_names_are_found_and_no_others(
    counters: dict[str, int], found: dict[str, int]
) -> None:
    later = Later()
    later.add(Interval(counters=counters))
    assert later.doubts({"buy", "shop: buy", "buy.service"}) == found


def test_counters_of_several_intervals_add_up() -> None:
    later = Later()
    for counters in ({"buy.unpaired": 1}, {"buy: why": 2}, {"buy.unpaired": 3}):
        later.add(Interval(counters=counters))
    assert later.doubts({"buy"}) == {"buy.unpaired": 4, "buy: why": 2}
    assert later.doubts(()) == {}
