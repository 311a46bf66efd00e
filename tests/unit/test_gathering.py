"""What several processes named, gathered so that a run has at most so many names."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import intervals

from wsload.judge.run.trust import doubt_of
from wsload.measure import name_limit
from wsload.measure.gathering import RunNames
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.keys import join_key
from wsload.measure.names import (
    GATHERED,
    LATE_IN,
    MAX_KINDS,
    OTHER,
    OTHER_KINDS,
    OWN,
    OWN_FAULTS,
    Kind,
    split,
)

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


@pytest.mark.parametrize("late", ["late one", "shop: buy"])
def test_what_is_said_later_of_a_gathered_name_goes_with_it(late: str) -> None:
    """In a second without an answer, or any other value of that name."""
    run = RunNames()
    run.admit(named(*(f"item {number}" for number in range(LIMIT))))
    run.admit(named(late))
    found = run.admit(
        Interval(
            length_s=1.0,
            counters={f"{late}.unpaired": 1, join_key(late, "in doubt"): 1},
            failures={(late, "timeout"): 2, (OTHER, "timeout"): 1, ("open", "timeout"): 4},
            details={(late, "timeout"): "no answer"},
        )
    )
    assert found.counters == {"other.unpaired": 1, "other: in doubt": 1}
    assert found.failures == {(OTHER, "timeout"): 3, ("open", "timeout"): 4}
    assert found.details == {(OTHER, "timeout"): "no answer"}
    assert doubt_of(OTHER, Totals.of([found])).endswith("in doubt")


def test_a_counter_of_the_user_class_that_resembles_a_doubt_is_its_own() -> None:
    own = {"late one: sold": 2, "late.or.early": 1}
    assert RunNames().admit(Interval(length_s=1.0, counters=own)).counters == own


def test_kinds_of_failure_are_limited_over_all_processes_but_for_the_load_generator_s_own() -> None:
    run = RunNames()
    own = {("buy", kind): 1 for kind in (*OWN_FAULTS, OTHER_KINDS)}
    for worker in range(3):
        orders = {("buy", f"worker {worker}, order {number}"): 1 for number in range(MAX_KINDS)}
        told = dict.fromkeys((*orders, *own), "the server said no")
        before = Interval(length_s=1.0, failures={**orders, **own}, details=told)
        found = run.admit(before)
        if worker == 0:
            assert found is before
        else:
            assert found.failures == {**own, ("buy", OTHER_KINDS): MAX_KINDS + 1}
            assert found.details.keys() == own.keys()
        assert run.admit(found) is found


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
