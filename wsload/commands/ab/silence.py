"""Builds that answer nothing at all: they are broken, and a repeated run would only hide that."""

from __future__ import annotations

from collections.abc import Mapping

from wsload.commands.ab.plan import ExperimentPlan, Slot
from wsload.commands.harness.load import Load
from wsload.measure.keys import split_key
from wsload.measure.names import OWN_FAULTS
from wsload.results.reader import StoredRun
from wsload.results.trust import Standing
from wsload.words import build_name, listed


def silence(plan: ExperimentPlan, loads: Mapping[Slot, Load]) -> str:
    """Which builds answered nothing in these runs, and why, in one sentence; empty if that can't be said of any.

    It can't where the load generator may have been at fault on one of two sides: its own failures alone are recorded
    there, or none at all while the other side's run is of no use either. Such runs may be repeated.
    """
    silent = {
        slot: load.run for slot, load in loads.items() if load.run is not None and _answerless(load.run)
    }
    usable = any(not load.problem for load in loads.values())
    clear = len(silent) == len(loads) or any(_failed(run, otherwise=usable) for run in silent.values())
    if not silent or not clear:
        return ""
    names = [build_name(slot.letter, plan.build_in(slot).name) for slot in silent]
    reasons = dict.fromkeys(run.info.trust.verdict for run in silent.values() if run.info.trust is not None)
    return f"the load got no answer from {listed(names)}: {'; '.join(reasons)}"


def _answerless(run: StoredRun) -> bool:
    return run.info.trust is not None and run.info.trust.standing in (Standing.NOTHING, Standing.FAILED)


def _failed(run: StoredRun, *, otherwise: bool) -> bool:
    """Whether anything failed that is not the load generator's own fault; ``otherwise`` if no failure was recorded."""
    failures = (run.summary() or {}).get("failures", {})
    return any(split_key(key)[1] not in OWN_FAULTS for key in failures) if failures else otherwise
