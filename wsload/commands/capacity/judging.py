"""What a search found, by the plan's own rule."""

from __future__ import annotations

from pathlib import Path

from wsload.commands.capacity.plan import CapacityPlan, Search
from wsload.judge.capacity.comparison import contrast
from wsload.judge.capacity.search import look
from wsload.report.capacity.capacity import CapacityReport, SearchedSide
from wsload.words import counted, rate, span


def report_of(path: Path, search: Search) -> CapacityReport:
    """The report of a search, finished or not."""
    plan = search.plan
    both = [[step.step for step in search.of(side)] for side in plan.sides]
    found = contrast(plan.search, *both) if len(both) > 1 else None
    looks = [look(plan.search, steps) for steps in both]
    return CapacityReport(
        path=path,
        started_s=search.created_at,
        plan=plan.search,
        checks=plan.checks,
        load=load_of(plan),
        sides=tuple(
            SearchedSide(
                letter=side.letter,
                name=plan.build(side).name,
                how=plan.build(side).command or plan.build(side).url,
                look=each,
                steps=search.of(side),
            )
            for side, each in zip(plan.sides, looks, strict=True)
        ),
        contrast=found,
    )


def load_of(plan: CapacityPlan) -> str:
    """``50 users, each step measured for 10 s after 2 s of warm-up``."""
    measured = f"each step measured for {span(plan.run_time_s)}"
    warm_up = f" after {span(plan.warm_up_s)} of warm-up" if plan.warm_up_s else ""
    if not plan.search.whole:
        return f"{counted(plan.users, 'user')}, {measured}{warm_up}"
    each = f"{rate(plan.rate_per_user)}/s of each user" if plan.rate_per_user else "users at their own pace"
    return f"{each}, {measured}{warm_up}"
