"""What several processes named, gathered so that a run has at most so many names."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import intervals

from wsload.measure import name_limit
from wsload.measure.gathering import RunNames
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.names import GATHERED, LATE_IN, OTHER, OWN, Kind, split

LIMIT = 5
some_names = st.sampled_from([f"item {number}" for number in range(12)] + [OTHER, "message"])
parts = st.sampled_from(("", ".service", ".lost", ".failed"))
busy = st.builds(
    Interval,
    start_s=st.just(1.0),
    length_s=st.just(1.0),
    histograms=st.dictionaries(
        st.tuples(some_names, parts).map("".join) | st.sampled_from(("open", "login.lost")),
        st.lists(st.integers(0, 10**6), min_size=1, max_size=3).map(Histogram.of),
        max_size=8,
    ),
    counters=st.dictionaries(
        st.tuples(some_names, st.sampled_from((".late", ": in doubt", ""))).map("".join)
        | st.sampled_from(("sent", "lost")),
        st.integers(1, 9),
        max_size=8,
    ),
    failures=st.dictionaries(
        st.tuples(some_names | st.just("open"), st.sampled_from(("timeout", "refused"))), st.integers(1, 9)
    ),
    names=st.dictionaries(some_names, st.sampled_from(Kind), max_size=8),
)


@pytest.fixture(autouse=True, scope="module")
def limit() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(name_limit, "MAX_NAMES", LIMIT)
        yield


@given(st.lists(intervals(), max_size=3))
def test_below_the_limit_nothing_changes(parts: list[Interval]) -> None:
    run = RunNames()
    assert all(run.admit(part) is part for part in parts)


@given(st.lists(busy, max_size=4))
def test_nothing_is_lost_and_no_name_is_beyond_the_limit(parts: list[Interval]) -> None:
    run = RunNames()
    admitted = [run.admit(part) for part in parts]
    bases = {split(metric)[0] for part in admitted for metric in part.histograms} - OWN - {OTHER}
    assert len(bases | {name for part in admitted for name in part.names} - {OTHER}) <= LIMIT
    for before, after in zip(parts, admitted, strict=True):
        assert by_part(before) == by_part(after)
        assert sum(before.failures.values()) == sum(after.failures.values())
        counted = Counter(after.counters)
        del counted[GATHERED]
        assert sum(before.counters.values()) == counted.total()
        assert (after.counters.get("sent"), after.counters.get("lost")) == (
            before.counters.get("sent"),
            before.counters.get("lost"),
        )


def by_part(interval: Interval) -> Counter[str]:
    return sum(
        (Counter({split(metric)[1]: found.total}) for metric, found in interval.histograms.items()), Counter()
    )


def test_what_was_admitted_stays_and_what_came_too_late_is_counted_once() -> None:
    run = RunNames()
    first = run.admit(named(*(f"item {number}" for number in range(LIMIT))))
    assert GATHERED not in first.counters
    second = run.admit(named("item 0", "late one", "another"))
    assert second.histograms.keys() == {"item 0", OTHER}
    assert second.histograms[OTHER].total == 2
    assert second.counters == {GATHERED: 2}
    again = run.admit(named("late one"))
    assert (again.histograms.keys(), again.counters) == ({OTHER}, {})


def test_the_counters_of_a_gathered_name_go_with_it() -> None:
    run = RunNames()
    run.admit(named(*(f"item {number}" for number in range(LIMIT))))
    counters = {"late one.late": 2, "late one: in doubt": 1, "item 0.late": 3, "sold": 4}
    found = run.admit(Interval(length_s=1.0, counters=counters, names={"late one": Kind.REQUEST}))
    assert found.counters == {"other.late": 2, "other: in doubt": 1, "item 0.late": 3, "sold": 4, GATHERED: 1}


def test_places_of_lateness_take_no_counter_s_place() -> None:
    """A user class may have more late lines than a run may have names."""
    run = RunNames()
    late = {f"{LATE_IN}shop.py:{line}": 1 for line in range(LIMIT + 3)}
    found = run.admit(Interval(length_s=1.0, counters=late)).counters
    assert sum(found.values()) == LIMIT + 3 and found[f"{LATE_IN}other places"] == 3
    assert all(name.startswith(LATE_IN) for name in found), "nobody is warned of too many names"
    own = {f"own {number}": number for number in range(LIMIT)}
    assert run.admit(Interval(length_s=1.0, counters=own)).counters == own


def named(*found: str) -> Interval:
    return Interval(
        length_s=1.0,
        histograms={name: Histogram.of([1]) for name in found},
        names=dict.fromkeys(found, Kind.REQUEST),
    )
