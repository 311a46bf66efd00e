"""The latest keys are known, the oldest forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.load.users.matching.recent import REMEMBERED, Recent


@given(st.lists(st.integers(0, 3 * REMEMBERED), max_size=6 * REMEMBERED))
def test_the_latest_keys_are_known_by_their_last_name_and_their_number_is_bounded(keys: list[int]) -> None:
    recent = Recent()
    for place, key in enumerate(keys):
        recent.add(key, str(place))
        assert recent[key] == str(place)
        assert len(recent) < 2 * REMEMBERED
    last = {key: str(place) for place, key in enumerate(keys)}
    latest = keys[-REMEMBERED:]
    assert all(key in recent and recent[key] == last[key] for key in latest)


def test_a_key_taken_out_is_not_known_whichever_generation_held_it() -> None:
    recent = Recent()
    for key in range(REMEMBERED):
        recent.add(key, "old")
    recent.add(0, "new")
    assert (recent.pop(0), recent.pop(1)) == ("new", "old")
    assert 0 not in recent and 1 not in recent
    with pytest.raises(KeyError):
        recent.pop(0)
