"""wsload's figures beside the truth: a server that does what was ordered, and its own account of it.

``pytest -n0 -s tests/truth/test_ground_truth.py`` prints the tables; a failed test always does. A run
that wsload itself calls late is repeated, twice at most (see `run_setting`); no tolerance ever grows. Where
the system allows it the runs have real-time priority, since what is tested is the measuring, not how
the machine divides itself between this and its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.console import Console
from support.undisturbed import undisturbed

from wsload.commands.cli.selftest import selftest
from wsload.commands.selftest.judging import SettingResult, run_setting
from wsload.commands.selftest.settings import SETTINGS, Setting
from wsload.commands.selftest.showing import results_view

pytestmark = pytest.mark.xdist_group("timing")

MIN_POSTS = 300
"""Fewer would mean that hardly anything ran."""


@pytest.fixture(autouse=True)
def in_peace() -> Iterator[None]:
    """The processes that the test starts have the machine to themselves."""
    with undisturbed():
        yield


def show(result: SettingResult) -> None:
    """Prints the table, which pytest keeps for a failure."""
    Console(width=110, color_system=None).print(results_view([result]))


def fact(result: SettingResult, what: str) -> int:
    """What the server counted."""
    (found,) = [fact.truth for fact in result.counts if fact.what == what]
    return found


@pytest.mark.parametrize("setting", [each for each in SETTINGS if not each.quick], ids=lambda each: each.name)
def test_the_figures_are_true(setting: Setting) -> None:
    result = run_setting(setting)
    show(result)
    assert result.passed
    assert result.percentiles
    assert fact(result, "answered") >= MIN_POSTS
    if setting.judged != "delays":
        assert fact(result, "out of order") == 0, "a stall, or the same delay for all, keeps the order"


def test_the_command_says_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert selftest(quick=True) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    print(said)
    assert "The figures can be trusted on this machine" in said
    for setting in SETTINGS:
        assert (setting.name in said) == setting.quick
    assert "counted exactly" in said


def test_every_kind_of_load_is_among_the_settings() -> None:
    stalls = [each for each in SETTINGS if each.judged == "stalls"]
    assert {(each.stalls, each.rate, each.poisson) for each in stalls} == {
        (each.stalls, each.rate, poisson) for each in stalls for poisson in (False, True)
    }
    assert len({each.stalls for each in stalls}) == 3
    assert {each.judged for each in SETTINGS} == {"stalls", "delays", "pipeline", "counts"}
    for judged in ("stalls", "delays", "counts"):
        assert any(each.quick for each in SETTINGS if each.judged == judged)
