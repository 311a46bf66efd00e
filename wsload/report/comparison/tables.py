"""The tables of a comparison; every markup renders these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from wsload.judge.compare.pairs import Side
from wsload.judge.compare.verdict import Judgement, Verdict
from wsload.report.comparison.comparison import LETTERS, ComparisonReport
from wsload.report.comparison.runs import ComparedRun
from wsload.report.tables import Column, Table
from wsload.words import change, counted, milliseconds, ms, number, percent, percent_up, rate, size, span

MOST_MORE: Final = 200
"""More pairs than that are no advice."""
_LEFT: Final = "left"
_SHOWN_FIRST: Final = ("message", "open", "login", "delivery")


def judgements_table(report: ComparisonReport) -> Table:
    """Each judged statistic: both sides, the change with its interval, the verdict."""
    comparison = report.comparison
    rows = [
        (
            each.name,
            ms(each.baseline_ns),
            ms(each.candidate_ns),
            change(each.ratio),
            f"{change(each.low)} to {change(each.high)}",
            verdict_words(each),
        )
        for each in comparison.judgements
    ]
    rows += [(each.name, "–", "–", "–", "–", f"not judged: {each.reason}") for each in comparison.unjudged]
    return Table(
        title="Verdicts",
        columns=(
            Column(title="metric", align=_LEFT),
            Column(title="A", unit="ms"),
            Column(title="B", unit="ms"),
            Column(title="change"),
            Column(title=f"{percent(1 - comparison.gate.alpha)} interval"),
            Column(title="verdict"),
        ),
        rows=tuple(rows),
    )


def verdict_words(judgement: Judgement) -> str:
    """The verdict on one statistic, for a table's cell; in brackets how many more pairs would tell."""
    match judgement.verdict:
        case Verdict.SAME:
            return f"same within {percent_up(judgement.within)}"
        case Verdict.INCONCLUSIVE if judgement.more_pairs is not None and judgement.more_pairs <= MOST_MORE:
            return f"inconclusive (+{counted(judgement.more_pairs, 'pair')})"
        case verdict:
            return str(verdict)


def gate_sentence(report: ComparisonReport) -> str:
    """What the verdicts mean, in one sentence."""
    gate = report.comparison.gate
    shift = milliseconds(gate.shift_ns)
    return (
        f"Slower: the whole interval lies above +{percent(gate.ratio)}, and the shift is above {shift}. "
        f"Same: the whole interval lies within ±{percent(gate.same_within)}, or ±{shift}. Inconclusive: "
        "neither; in brackets, about how many more pairs would tell. Together, these verdicts call something "
        f"slower or faster that is not in at most {percent(gate.alpha)} of cases (Holm’s correction)."
    )


def basis_sentence(report: ComparisonReport) -> str:
    """What the figures stand on, in one sentence."""
    pairs = len(report.comparison.pairs)
    if not pairs:
        return ""
    users = report.of(Side.BASELINE)[0].figures.conditions["users"]
    longest = max(run.summary.duration_s for run in report.runs)
    if report.comparison.within_run_only:
        return f"one run a side, of {span(longest)}, {users} users"
    return f"{pairs} pairs of runs of {span(longest)}, {users} users; A and B are medians over the runs"


def sides_table(report: ComparisonReport) -> Table:
    """Beside the latencies: what both sides were given, failed at, and used."""
    sides = [report.of(side) for side in Side]
    rows = [
        ("messages sent a second", *(_middle(runs, lambda run: run.sent_rate, rate) for runs in sides)),
        (
            "messages lost",
            *(number(sum(run.summary.counters.get("lost", 0) for run in runs)) for runs in sides),
        ),
        ("failures", *(number(sum(sum(run.summary.failures.values()) for run in runs)) for runs in sides)),
    ]
    if any(run.server for runs in sides for run in runs):
        rows += [
            (
                "server’s CPU, of one core",
                *(_middle(_served(runs), _cpu, percent) for runs in sides),
            ),
            (
                "server’s memory at most",
                *(_middle(_served(runs), _memory, size) for runs in sides),
            ),
        ]
    return Table(
        title="Beside the latencies",
        columns=(
            Column(title="", align=_LEFT),
            Column(title=report.a),
            Column(title=report.b),
        ),
        rows=tuple(rows) if all(sides) else (),
        notes=("Medians over the runs; of lost and failed, the sums.",),
    )


def _served(runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    return [run for run in runs if run.server]


def _cpu(run: ComparedRun) -> float:
    assert run.server is not None
    return run.server.cpu_share


def _memory(run: ComparedRun) -> float:
    assert run.server is not None
    return run.server.memory_peak_bytes


def _middle(
    runs: Sequence[ComparedRun], figure: Callable[[ComparedRun], float], show: Callable[[float], str]
) -> str:
    return show(median(map(figure, runs))) if runs else "–"


def runs_table(report: ComparisonReport) -> Table:
    """Every run in the order in which they were made, and whether it was used."""
    metric = shown_metric(report)
    pair_of = {name: at + 1 for at, pair in enumerate(report.comparison.pairs) for name in pair}
    return Table(
        title="Runs",
        columns=(
            Column(title="no.", align=_LEFT),
            Column(title="side", align=_LEFT),
            Column(title="run", align=_LEFT),
            Column(title=f"{metric} p50", unit="ms"),
            Column(title=f"{metric} p99", unit="ms"),
            Column(title="used", align=_LEFT),
        ),
        rows=tuple(
            (
                str(at + 1),
                LETTERS[run.side],
                run.name,
                *(
                    ms(run.figures.values[f"{metric}.{statistic}"])
                    if f"{metric}.{statistic}" in run.figures.values
                    else "–"
                    for statistic in ("p50", "p99")
                ),
                f"pair {pair_of[run.name]}" if run.name in pair_of else "no",
            )
            for at, run in enumerate(report.runs)
        ),
        notes=unused(report),
    )


def unused(report: ComparisonReport) -> tuple[str, ...]:
    """Why runs were not used, one sentence each."""
    doubts = {run.name: run.doubt for run in report.runs}
    return tuple(f"{each.name}: {doubts[each.name] or each.reason}" for each in report.comparison.excluded)


def shown_metric(report: ComparisonReport) -> str:
    """The metric that stands for a run where there is room for one only."""
    recorded = {name.rpartition(".")[0] for run in report.runs for name in run.figures.values}
    return next((metric for metric in _SHOWN_FIRST if metric in recorded), _SHOWN_FIRST[0])


def conditions_table(report: ComparisonReport) -> Table:
    """Under which conditions the runs were made, and how the servers were started."""
    found: dict[str, list[str]] = {}
    for run in report.runs:
        for name, value in run.figures.conditions.items():
            found.setdefault(name, []).append(value)
    for run in report.runs:
        if run.server:
            found.setdefault(f"server {LETTERS[run.side]}", []).append(run.server.command)
    return Table(
        title="Conditions",
        columns=(Column(title="condition", align=_LEFT), Column(title="in the runs", align=_LEFT)),
        rows=tuple((name, "; ".join(dict.fromkeys(values))) for name, values in found.items()),
    )
