"""What ``--fault`` orders, and that it is given: exactly, never early, the same for the same seed."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.errors import UsageError
from wsload.server.faults import GARBAGE, Action, FaultPlan, Faults, parse_faults

MS = 1_000_000
S = 1_000 * MS

shares = st.floats(0, 1 / 3)
plans = st.builds(
    FaultPlan,
    delay_ns=st.integers(1, S),
    exponential=st.booleans(),
    drop=shares,
    duplicate=shares,
    reorder=shares,
    garbage=st.floats(0, 1),
    refuse=st.floats(0, 1),
)
arrivals = st.lists(st.integers(0, 10 * S), min_size=1, max_size=50)


@pytest.mark.parametrize(
    ("specifications", "plan"),
    [
        ([], FaultPlan()),
        (["stall=200ms/2s"], FaultPlan(stall_ns=200 * MS, period_ns=2 * S)),
        (["delay=5ms"], FaultPlan(delay_ns=5 * MS)),
        (["delay=exp:1.5ms"], FaultPlan(delay_ns=1_500_000, exponential=True)),
        (["late=2%@20ms"], FaultPlan(late=0.02, late_ns=20 * MS)),
        (["delay=250us"], FaultPlan(delay_ns=250_000)),
        (["delay=250µs"], FaultPlan(delay_ns=250_000)),
        (["capacity=500/s"], FaultPlan(service_ns=2 * MS)),
        (["capacity=exp:0.5/s"], FaultPlan(service_ns=2 * S, exponential_service=True)),
        (["drop=0.1%", "duplicate=1%"], FaultPlan(drop=0.001, duplicate=0.01)),
        (["reorder=100%", "garbage=2%"], FaultPlan(reorder=1.0, garbage=0.02)),
        (["refuse=10%", "slow-handshake=1m"], FaultPlan(refuse=0.1, slow_handshake_ns=60 * S)),
        (
            ["close=1011@30s", "close=1006@0s", "close=4999@1m"],
            FaultPlan(closes=((30 * S, 1011), (0, 1006), (60 * S, 4999))),
        ),
    ],
)
def test_specifications_make_a_plan(specifications: list[str], plan: FaultPlan) -> None:
    assert parse_faults(specifications) == plan


@pytest.mark.parametrize(
    ("specifications", "complaint"),
    [
        (["dely=5ms"], "'dely=5ms': no such fault; use one of stall="),
        ([""], "'': no such fault"),
        (["delay"], "'delay': a duration is a number with us, ms, s, m or h"),
        (["late=2%"], "late replies are SHARE@DELAY, such as 2%@20ms"),
        (["late=101%@1ms"], "a share is at most 100%"),
        (["late=2%@0ms"], "above 0"),
        (["delay=5"], "'delay=5': a duration is"),
        (["delay=-5ms"], "'delay=-5ms': a duration is"),
        (["delay=0ms"], "above 0"),
        (["delay=exp:"], "'delay=exp:': a duration is"),
        (["delay=norm:5ms"], "a duration is a number"),
        *(
            (
                [f"capacity={wrong}"],
                f"'capacity={wrong}': a capacity is posts a second, 0.1/s to 1,000,000/s, such as 500/s",
            )
            for wrong in ("500", "0/s", "-5/s", "2e6/s", "nan/s", "/s", "500/s/s", "norm:5/s", "exp:")
        ),
        (["stall=200ms"], "a stall is LENGTH/PERIOD"),
        (["stall=2s/200ms"], r"the stall \(2s\) must be shorter than its period \(200ms\)"),
        (["stall=2s/2s"], "shorter"),
        (["stall=0s/2s"], "above 0"),
        (["drop=0.1"], "a share is a number with %, such as 3%"),
        (["drop=101%"], "at most 100%"),
        (["drop=nan%"], "a share is a number"),
        (["drop=1%", "drop=2%"], "'drop=2%': drop is given twice"),
        (["drop=50%", "duplicate=30%", "reorder=30%"], "more than 100%"),
        (["close=1011"], "a close is CODE@TIME"),
        (["close=1005@1s"], "'1005' can't be sent"),
        (["close=x@1s"], "'x' can't be sent"),
        (["close=¹@1s"], "can't be sent"),
        (["close=1011@soon"], "a duration is a number"),
    ],
)
def test_a_mistyped_specification_is_one_line_that_quotes_it(
    specifications: list[str], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        parse_faults(specifications)
    assert "\n" not in str(caught.value)


@given(plans, st.integers(), arrivals)
def test_the_same_seed_decides_the_same(plan: FaultPlan, seed: int, times: list[int]) -> None:
    first, second = Faults(plan, seed=seed), Faults(plan, seed=seed)
    assert [first.post(time) for time in times] == [second.post(time) for time in times]
    assert [first.refuses() for _ in times] == [second.refuses() for _ in times]


@given(plans, st.integers(), arrivals)
def test_another_fault_ordered_too_strikes_no_one_else(plan: FaultPlan, seed: int, times: list[int]) -> None:
    alone = FaultPlan(drop=plan.drop, duplicate=plan.duplicate, reorder=plan.reorder)
    among, apart = Faults(plan, seed=seed), Faults(alone, seed=seed)
    fates = []
    for time in times:
        among.refuses()
        fates.append((among.post(time).action, apart.post(time).action))
    assert all(ours is theirs for ours, theirs in fates)


@given(plans, st.integers(), arrivals)
def test_no_reply_is_due_before_its_delay_is_over(plan: FaultPlan, seed: int, times: list[int]) -> None:
    faults = Faults(plan, seed=seed)
    for time in times:
        waited = faults.post(time).due_ns - time
        assert waited >= 1 if plan.exponential else waited == plan.delay_ns


@given(st.integers(1, S), st.integers(1, S), st.integers(0, S), st.integers(0, 10 * S), arrivals)
def test_nothing_is_due_within_a_stall(
    stall: int, apart: int, delay: int, origin: int, times: list[int]
) -> None:
    period = stall + apart
    faults = Faults(FaultPlan(stall_ns=stall, period_ns=period, delay_ns=delay), seed=1)
    faults.post(origin)
    for time in times:
        due = faults.post(origin + time).due_ns
        ready = origin + time + delay
        # The last S of every P is the stall; its end is the beginning of the next period.
        assert (due - origin) % period < apart
        if (ready - origin) % period < apart:
            assert due == ready
        else:
            assert 0 < due - ready <= stall
            assert (due - origin) % period == 0


def test_stalls_are_counted_from_the_first_post() -> None:
    faults = Faults(parse_faults(["stall=200ms/2s"]), seed=1)
    assert faults.stall_origin_ns is None
    assert faults.post(5 * S).due_ns == 5 * S
    assert faults.stall_origin_ns == 5 * S
    assert faults.post(5 * S + 1_799 * MS).due_ns == 5 * S + 1_799 * MS
    assert faults.post(5 * S + 1_800 * MS).due_ns == 7 * S
    assert faults.post(7 * S).due_ns == 7 * S


@given(st.integers(1, S), arrivals)
def test_with_a_capacity_each_post_waits_for_those_before_it(service: int, times: list[int]) -> None:
    faults = Faults(FaultPlan(service_ns=service, delay_ns=7), seed=1)
    free = 0
    for time in sorted(times):
        free = max(free, time) + service
        assert faults.post(time).due_ns == free + 7


def test_a_random_service_makes_a_queue_whose_times_are_those_of_an_m_m_1() -> None:
    # In an M/M/1 queue the time from arrival to answer is exponential with the rate μ − λ (Kleinrock 1975, 3.2).
    faults, gaps = Faults(parse_faults(["capacity=exp:500/s"]), seed=1), random.Random(1)
    now, times = 0, []
    for _ in range(200_000):
        now += math.ceil(gaps.expovariate(400 / S))
        times.append(faults.post(now).due_ns - now)
    assert sum(times) / len(times) == pytest.approx(S / 100, rel=0.1)
    assert sorted(times)[int(0.99 * len(times))] == pytest.approx(math.log(100) * S / 100, rel=0.1)


def test_shares_are_what_was_ordered() -> None:
    faults = Faults(
        parse_faults(["drop=10%", "duplicate=20%", "reorder=30%", "garbage=25%", "refuse=40%"]), seed=1
    )
    many = 20_000
    verdicts = [faults.post(0) for _ in range(many)]
    fates = Counter(verdict.action for verdict in verdicts)
    refused = sum(faults.refuses() for _ in range(many))
    garbage = sum(verdict.garbage is not None for verdict in verdicts)
    for got, share in (
        (fates[Action.DROP], 0.1),
        (fates[Action.DUPLICATE], 0.2),
        (fates[Action.REORDER], 0.3),
        (garbage, 0.25),
        (refused, 0.4),
    ):
        # Five standard deviations of a binomial count; the seed is fixed, so it holds or it does not.
        assert abs(got - many * share) < 5 * math.sqrt(many * share * (1 - share))


def test_an_exponential_delay_has_its_mean_and_its_tail() -> None:
    faults = Faults(parse_faults(["delay=exp:5ms"]), seed=1)
    waits = sorted(faults.post(0).due_ns for _ in range(20_000))
    assert sum(waits) / len(waits) == pytest.approx(5 * MS, rel=0.05)
    assert waits[int(0.99 * len(waits))] == pytest.approx(-math.log(0.01) * 5 * MS, rel=0.1)


def test_late_replies_are_a_share_and_come_later_by_the_delay() -> None:
    faults = Faults(parse_faults(["delay=2ms", "late=2%@20ms"]), seed=1)
    waits = [faults.post(0).due_ns for _ in range(20_000)]
    assert set(waits) == {2 * MS, 22 * MS}
    assert waits.count(22 * MS) / len(waits) == pytest.approx(0.02, rel=0.15)


def test_zero_and_all_are_never_and_always() -> None:
    none = Faults(parse_faults(["drop=0%", "refuse=0%", "garbage=0%"]), seed=3)
    every = Faults(parse_faults(["drop=100%", "refuse=100%"]), seed=3)
    for _ in range(1_000):
        assert none.post(0).action is Action.ECHO
        assert none.post(0).garbage is None
        assert not none.refuses()
        assert every.post(0).action is Action.DROP
        assert every.refuses()


def test_garbage_of_every_kind_comes_in_turn() -> None:
    faults = Faults(parse_faults(["garbage=100%"]), seed=1)
    kinds = [faults.post(0).garbage for _ in range(2 * len(GARBAGE))]
    assert kinds == [*range(len(GARBAGE)), *range(len(GARBAGE))]
