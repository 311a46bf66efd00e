"""The table of a search's steps."""

from __future__ import annotations

from wsload.judge.capacity.search import Outcome
from wsload.judge.capacity.step import StepFigures
from wsload.report.capacity.capacity import CapacityReport, SearchedSide
from wsload.report.tables import NOT_TRUSTED, NOTHING, Column, Table
from wsload.words import ms, number, percent, rate, size


def steps_table(report: CapacityReport) -> Table:
    """Every step in the order in which they were made."""
    two = len(report.sides) > 1
    steps = [(side, step) for side in report.sides for step in side.steps]
    steps.sort(key=lambda each: each[1].number)
    served = any(step.cpu_share is not None for _, step in steps)
    return Table(
        title="Steps",
        columns=(
            Column(title="step"),
            *((Column(title="side", align="left"),) if two else ()),
            Column(title="offered", unit="users" if report.plan.whole else "/s"),
            Column(title="answered", unit="/s"),
            Column(title="p50", unit="ms"),
            Column(title="p99", unit="ms"),
            Column(title="p99.9", unit="ms"),
            Column(title="lost"),
            *((Column(title="CPU", unit="peak"), Column(title="memory")) if served else ()),
            Column(title="verdict", align="left"),
        ),
        notes=(f"{NOT_TRUSTED}.",) if any(_doubted(step) for _, step in steps) else (),
        rows=tuple(_row(side, step, two=two, served=served, whole=report.plan.whole) for side, step in steps),
    )


def percentiles(step: StepFigures) -> tuple[tuple[float, int | None], ...]:
    """Those of a step that are shown, with their values in ns."""
    return (50, step.p50_ns), (99, step.p99_ns), (99.9, step.p99_9_ns)


def _doubted(step: StepFigures) -> bool:
    return any(value is not None and not step.trusts(percentile) for percentile, value in percentiles(step))


def _row(side: SearchedSide, step: StepFigures, *, two: bool, served: bool, whole: bool) -> tuple[str, ...]:
    cpu = NOTHING if step.cpu_share is None else percent(round(step.cpu_share, 2))
    memory = NOTHING if step.memory_bytes is None else size(step.memory_bytes)
    return (
        str(step.number),
        *((side.letter,) if two else ()),
        number(round(step.rate)) if whole else rate(step.rate),
        rate(step.achieved),
        *(
            NOTHING if value is None else ms(value) if step.trusts(percentile) else f"({ms(value)})"
            for percentile, value in percentiles(step)
        ),
        number(step.lost),
        *((cpu, memory) if served else ()),
        f"{step.outcome}: {step.reason}" if step.outcome is Outcome.FAILS else str(step.outcome),
    )
