"""The cells of a trial, judged; and how often a trial is repeated."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from support.truth.expectations import Entry, expected, mispaired
from support.truth.judging import Cell, Difference, differences
from support.truth.kinds import PROVABLE
from support.truth.trial import CHECKED, Trial, run_trial
from wsload.judge.figures.samples import of_all
from wsload.judge.run.trust import trusted
from wsload.measure.interval import Totals
from wsload.measure.names import split
from wsload.results.trust import ALL, NONE

REPEATS: Final = 4
"""How often a trial is repeated at most in which the load generator itself says that it was late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of a behaviour."""

    cells: tuple[Cell, ...]
    returncode: int
    """Of the locust command."""
    checked_is_marked: bool
    """Whether the run does not vouch for the figure that had a check."""


def prove(behaviour: str) -> Proof:
    """Runs a behaviour and judges it.

    Again, `REPEATS` times at most, when a cell that has to be right is marked: the load generator was late by its own
    account, as it is on a busy machine. A figure that is wrong and vouched for is never given another chance.
    """
    for _ in range(REPEATS):
        proof = judge(run_trial(behaviour))
        held_up = any(cell.kind in PROVABLE and cell.verdict == "marked" for cell in proof.cells)
        if not held_up or any(cell.verdict == "WRONG" for cell in proof.cells):
            return proof
    return judge(run_trial(behaviour))


def judge(trial: Trial) -> Proof:
    """Each cell of the trial."""
    by_cell: dict[str, list[Entry]] = defaultdict(list)
    for attempt in trial.attempts:
        by_cell[attempt["cell"]].append(attempt)
    cells = tuple(_judged(trial, name, attempts) for name, attempts in sorted(by_cell.items()))
    assert trial.info.trust is not None
    return Proof(
        cells=cells,
        returncode=trial.returncode,
        checked_is_marked=trial.info.trust.up_to.get(CHECKED) == NONE or not _median_is_trusted(trial.totals),
    )


def _median_is_trusted(totals: Totals) -> bool:
    """Whether the run vouches for p50 of the cell that had a check, where the lost rank above the answered."""
    answered = totals.histograms[CHECKED].total
    return trusted(CHECKED, min(50 * of_all(CHECKED, totals.histograms).total / answered, ALL), totals)


def _judged(trial: Trial, name: str, attempts: list[Entry]) -> Cell:
    trust = trial.info.trust
    assert trust is not None, "the run has no end"
    kind, workload = name.split(" ")
    found = [
        difference
        for each in expected(attempts, trial.account, trial.pushes[name])
        for difference in differences(each, trial.totals)
    ]
    if wrong := mispaired(attempts, trial.account):
        found.append(Difference(metric=name, text=f"{name}: {wrong} got another request's answer"))
    excused = [difference for difference in found if difference.excused(trust)]
    reasons = {trust.reasons.get(split(each.metric)[0], "the load generator was late") for each in excused}
    return Cell(
        behaviour=trial.behaviour,
        kind=kind,
        workload=workload,
        requests=len(attempts),
        wrong=tuple(each.text for each in found if each not in excused),
        marked=tuple(each.text for each in excused),
        reasons=tuple(sorted(reasons)),
    )
