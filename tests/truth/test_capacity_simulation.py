"""The search for a capacity against simulated servers whose capacity is known.

The quick part takes a tenth of the servers; ``make simulation`` takes all of them, and holds the documentation to them.
"""

from __future__ import annotations

import os
from functools import cache

import pytest

from benchmarks.capacity.__main__ import COMPARED, FOOT, HEAD, LESS, PAGE
from benchmarks.capacity.judging import PLAN, SERVERS, Contrasted, Searched, contrasted, searched
from benchmarks.capacity.worlds import WORLDS, World

pytestmark = pytest.mark.xdist_group("capacity")  # the rates are computed once, in one process
slow = pytest.mark.skipif("WSLOAD_SIMULATION" not in os.environ, reason="make simulation runs it: minutes")

QUICK = 120
COVERED = 0.95
CHANCE = {QUICK: 0.06, SERVERS: 0.0}
"""What may be missing from a share by chance: three standard deviations of 95 % of so many. All of them are held to
what is promised, as their seed is fixed."""
TOLERANCE = 0.025
"""What another version of numpy, with other random numbers, may change in a share."""

sizes = pytest.mark.parametrize("servers", [QUICK, pytest.param(SERVERS, marks=slow)])
worlds = pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
compared = pytest.mark.parametrize("world", COMPARED, ids=lambda world: world.name)


@cache
def found(world: World, servers: int) -> Searched:
    return searched(world, servers)


@cache
def pairs(world: World, less: float, servers: int) -> Contrasted:
    return contrasted(world, less, servers)


@sizes
@worlds
def test_the_interval_covers_the_capacity(world: World, servers: int) -> None:
    assert found(world, servers).covered >= COVERED - CHANCE[servers]


@sizes
@worlds
def test_no_search_takes_more_steps_than_it_may(world: World, servers: int) -> None:
    assert found(world, servers).most_steps <= PLAN.most_steps == 14


@sizes
def test_a_sharp_border_is_found_as_precisely_as_asked_and_a_blurred_one_most_often(servers: int) -> None:
    sharp, *blurred = WORLDS[:6]
    assert found(sharp, servers).precise >= 0.95 - CHANCE[servers]
    assert found(sharp, servers).within >= 0.99 - CHANCE[servers]
    for world in blurred:
        assert found(world, servers).precise >= 0.75 - CHANCE[servers]
        assert found(world, servers).within >= 0.95 - CHANCE[servers]


@sizes
@compared
def test_equal_servers_are_hardly_ever_called_different(world: World, servers: int) -> None:
    equal = pairs(world, 0.0, servers)
    assert equal.less + equal.more <= 0.05 + CHANCE[servers]


@sizes
@compared
def test_a_server_that_holds_less_is_hardly_ever_called_better(world: World, servers: int) -> None:
    less = pairs(world, 0.2, servers)
    assert less.more + less.not_less <= 0.01 + CHANCE[servers] / 2
    assert less.less >= 0.85 - CHANCE[servers]


@sizes
def test_twenty_percent_less_is_found_where_the_border_is_sharp(servers: int) -> None:
    assert pairs(COMPARED[0], 0.2, servers).less >= 0.99 - CHANCE[servers] / 3


@slow
def test_the_tables_in_the_documentation_are_what_the_rules_give() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(HEAD) and text.endswith(FOOT)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    shown = {row[0]: row[1:] for row in rows if row[0] not in ("server", "servers") and "/s" not in row[1]}
    for world in COMPARED:
        same, *less = (pairs(world, each, SERVERS) for each in LESS)
        cells = [same.less + same.more, same.not_less, same.covered]
        for each in less:
            cells += [each.less, each.more, each.covered]
        # The second table has the same names: its rows are the last ones.
        assert _shares(shown.pop(world.name)) == pytest.approx(cells, abs=TOLERANCE), world.name
    for row in rows[1 : len(WORLDS) + 1]:
        of = found(next(world for world in WORLDS if world.name == row[0]), SERVERS)
        assert _shares([row[1], row[4], row[5]]) == pytest.approx(
            [of.covered, of.precise, of.within], abs=TOLERANCE
        )


def _shares(cells: list[str]) -> list[float]:
    return [float(cell.removesuffix(" %")) / 100 for cell in cells]
