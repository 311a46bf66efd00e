"""Which run stands against which, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.compare.pairs import (
    Basis,
    Excluded,
    RunFigures,
    Side,
    design,
    differing_conditions,
    pair_up,
)

SIDES = {"A": Side.BASELINE, "B": Side.CANDIDATE}


def made(order: str, *, invalid: tuple[str, ...] = ()) -> list[RunFigures]:
    """Runs in this order, named A1, B1, B2 …"""
    runs = []
    for at, letter in enumerate(order):
        name = f"{letter}{order[: at + 1].count(letter)}"
        runs.append(
            RunFigures(name=name, side=SIDES[letter], started_s=1.7e9 + 60 * at, valid=name not in invalid)
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


def used(order: str, *, invalid: tuple[str, ...] = (), stated: bool = False) -> tuple[Basis, str, str] | None:
    found = design(made(order, invalid=invalid), stated=stated)
    if found is None:
        return None
    return found.basis, *(" ".join(run.name for run in side) for side in (found.baseline, found.candidate))


@pytest.mark.parametrize(
    ("order", "invalid", "found"),
    [
        ("ABBA", (), (Basis.PAIRS, "A1 A2", "B1 B2")),
        ("ABBAAA", (), (Basis.PAIRS, "A1 A2", "B1 B2")),
        ("ABBAAAA", (), (Basis.RUNS, "A1 A2 A3 A4 A5", "B1 B2")),
        ("ABBA", ("B1",), (Basis.RUNS, "A1 A2", "B2")),
        ("AAAB", (), (Basis.RUNS, "A1 A2 A3", "B1")),
        ("AABB", ("A1", "B2"), (Basis.NONE, "A2", "B1")),
        ("AB", (), (Basis.NONE, "A1", "B1")),
        ("AB", ("B1",), None),
        ("", (), None),
    ],
)
def test_what_the_runs_allow(
    order: str, invalid: tuple[str, ...], found: tuple[Basis, str, str] | None
) -> None:
    assert used(order, invalid=invalid) == found


def test_unpaired_runs_that_are_not_valid_are_named() -> None:
    found = design(made("ABBA", invalid=("B1",)))
    assert found is not None
    assert found.excluded == (Excluded(name="B1", reason="not valid"),)


def test_no_scatter_is_taken_for_stated_unless_it_is() -> None:
    found = design(made("AB"))
    assert found is not None and found.basis is Basis.NONE


def test_a_stated_scatter_is_for_one_run_a_side_alone() -> None:
    assert used("AB", stated=True) == (Basis.STATED, "A1", "B1")
    assert used("ABBA", stated=True) == (Basis.PAIRS, "A1 A2", "B1 B2")


def test_of_unpaired_runs_the_distance_in_the_order_is_kept() -> None:
    found = design(made("AAAAAB"))
    assert found is not None
    assert found.offset == 3.0
    assert found.pairs == ()


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
    def run(name: str, side: Side = Side.BASELINE, **conditions: str) -> RunFigures:
        return RunFigures(name=name, side=side, started_s=0.0, conditions=conditions)

    assert differing_conditions([run("a", users="50"), run("b", users="50")]) == ()
    assert differing_conditions(
        [run("a", users="50", rate="9"), run("b", users="100", rate="9"), run("c", rate="9")]
    ) == ("the runs differ in users: 50 in a; 100 in b; not known in c",)
    sides = [run(str(at), side, load=f"{side} load") for at in range(9) for side in Side]
    assert differing_conditions(sides) == (
        "the runs differ in load: baseline load in the baseline; candidate load in the candidate",
    )
    many = [run(str(at), users="50" if at else "9") for at in range(6)]
    assert differing_conditions(many) == ("the runs differ in users: 9 in 0; 50 in 1, 2, 3 and 2 more",)


def test_an_experiments_runs_are_paired_by_their_slots_even_if_the_clock_was_set_back() -> None:
    order = made("ABBAAB")
    runs = [
        replace(run, slot=at + 1, started_s=run.started_s - (3600 if at else 0))
        for at, run in enumerate(order)
    ]
    assert names(runs) == [("A1", "B1"), ("A2", "B2"), ("A3", "B3")]
    assert pair_up(runs).offset == pair_up(order).offset
    assert names([replace(run, slot=0) for run in runs]) == [("A2", "B1"), ("A3", "B2"), ("A1", "B3")]
