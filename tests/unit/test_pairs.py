"""Which run stands against which, and what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.compare.pairs import RunFigures, Side, closest, compared, figures_of, pair_up, unlike
from wsload.measure.histogram import Histogram

SIDES = {"A": Side.BASELINE, "B": Side.CANDIDATE}


def made(order: str, *, invalid: tuple[str, ...] = ()) -> list[RunFigures]:
    """Runs in this order, named A1, B1, B2 …"""
    runs = []
    for at, letter in enumerate(order):
        name = f"{letter}{order[: at + 1].count(letter)}"
        runs.append(
            RunFigures(
                name=name, side=SIDES[letter], started_s=1.7e9 + 60 * at, values={}, valid=name not in invalid
            )
        )
    return runs


def names(runs: list[RunFigures]) -> list[tuple[str, str]]:
    return [(a.name, b.name) for a, b in pair_up(runs).pairs]


@pytest.mark.parametrize(
    ("order", "offset"),
    [("ABBA", 0.0), ("ABBAABBA", 0.0), ("ABAB", 1.0), ("BABA", -1.0), ("ABBAAB", 1 / 3), ("AAABBB", 3.0)],
)
def test_the_ith_stands_against_the_ith_and_the_balance_is_measured(order: str, offset: float) -> None:
    runs = made(order)
    assert names(runs) == [(f"A{i + 1}", f"B{i + 1}") for i in range(len(order) // 2)]
    assert pair_up(runs).offset == pytest.approx(offset)


def test_a_run_that_is_not_valid_takes_its_partner_with_it_and_shifts_nobody() -> None:
    pairing = pair_up(made("ABBAABBA", invalid=("B2",)))
    assert [(a.name, b.name) for a, b in pairing.pairs] == [("A1", "B1"), ("A3", "B3"), ("A4", "B4")]
    assert {each.name: each.reason for each in pairing.excluded} == {
        "A2": "its partner B2 is not valid",
        "B2": "not valid",
    }


def test_runs_without_a_partner_are_named() -> None:
    pairing = pair_up(made("ABBAAA", invalid=("A4",)))
    assert {each.name: each.reason for each in pairing.excluded} == {
        "A3": "no run of the other side to pair it with",
        "A4": "not valid",
    }


def test_the_closest_valid_runs_are_found_across_pairs() -> None:
    runs = made("AABB", invalid=("A1", "B2"))
    assert not pair_up(runs).pairs
    found = closest(runs)
    assert found is not None
    assert [run.name for run in found] == ["A2", "B1"]
    assert closest(made("AB", invalid=("B1",))) is None


@given(st.permutations(made("ABBAABBAAB", invalid=("A2", "B4"))))
def test_the_order_of_the_list_does_not_matter(runs: list[RunFigures]) -> None:
    assert pair_up(runs) == pair_up(made("ABBAABBAAB", invalid=("A2", "B4")))


@given(st.text("AB", max_size=12), st.sets(st.integers(0, 11)))
def test_every_run_is_in_one_pair_or_excluded_with_a_reason(order: str, bad: set[int]) -> None:
    names = [run.name for run in made(order)]
    pairing = pair_up(made(order, invalid=tuple(names[at] for at in bad if at < len(names))))
    placed = [run.name for pair in pairing.pairs for run in pair] + [each.name for each in pairing.excluded]
    assert sorted(placed) == sorted(names)
    assert all(each.reason for each in pairing.excluded)


def test_conditions_that_differ_are_named_with_their_runs() -> None:
    def run(name: str, **conditions: str) -> RunFigures:
        return RunFigures(name=name, side=Side.BASELINE, started_s=0.0, values={}, conditions=conditions)

    assert unlike([run("a", users="50"), run("b", users="50")]) == ()
    assert unlike([run("a", users="50", rate="9"), run("b", users="100", rate="9"), run("c", rate="9")]) == (
        "the runs differ in users: 50 in a; 100 in b; not known in c",
    )


def test_lost_messages_count_with_their_age() -> None:
    histograms = {
        "message": Histogram.of([1_000_000] * 98),
        "message.lost": Histogram.of([10_000_000_000] * 2),
        "open": Histogram.of([2_000_000]),
        "ping": Histogram.of([50_000]),
    }
    figures = figures_of(histograms)
    assert set(figures) == {f"{metric}.p{p}" for metric in ("message", "open") for p in (50, 95, 99)}
    assert figures["message.p50"] == pytest.approx(1_000_000, rel=1e-3)
    assert figures["message.p99"] == pytest.approx(10_000_000_000, rel=1e-3)
    assert compared(histograms, "message").total == 100
    assert compared(histograms, "delivery") == Histogram()
