"""The selftest's results for a terminal: the table, what went wrong, and one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsload.commands.selftest.judging import Verdict
from wsload.commands.selftest.truth import Comparison
from wsload.words import change, milliseconds, ms, number, percent

_HEADS = (
    ("formula", "ms"),
    ("truth", "ms"),
    ("wsload", "ms"),
    ("error", "ms"),
    ("error", "%"),
    ("allowed", "ms"),
)


def results_view(verdicts: Sequence[Verdict]) -> Group:
    """The table of every setting, and below it what there is to say about each."""
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    grid.add_column("setting\n  percentile")
    for title, unit in _HEADS:
        grid.add_column(f"{title}\n{unit}", justify="right", no_wrap=True)
    parts: list[RenderableType] = []
    for verdict in verdicts:
        _add_rows(grid, verdict)
        parts += [Text(f"{verdict.setting.name}: {line}", style=style) for line, style in _notes(verdict)]
    return Group(grid, "", *parts)


def _add_rows(grid: Table, verdict: Verdict) -> None:
    if not verdict.comparisons:
        return
    grid.add_row(Text(verdict.setting.name, style="bold"))
    for each in verdict.comparisons:
        metric = "" if each.metric == "message" else f"{each.metric.removeprefix('message.')} "
        cells = (
            f"  {metric}p{each.percentile:g}",
            "" if each.formula_ns is None else ms(each.formula_ns),
            ms(each.truth_ns),
            ms(each.read_ns),
            f"{'+' if each.error_ns > 0 else ''}{ms(each.error_ns)}",
            change(1 + each.error).removesuffix(" %"),
            f"±{ms(each.tolerance_ns)}",
        )
        grid.add_row(*map(Text, cells), style="" if each.within else "bold red")


def _notes(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Sentences about a setting, with their style."""
    for reason in verdict.repeated:
        yield f"repeated, since wsload said so itself: {reason}", "yellow"
    for warning in verdict.warnings:
        yield f"not valid: {warning}", "red" if verdict.comparisons else "yellow"
    for control in verdict.controls:
        if not control.within:
            yield (
                f"the load did not come as the formula wants it: p99 of what was ordered is "
                f"{milliseconds(control.read_ns)} instead of {milliseconds(control.truth_ns)}",
                "red",
            )
    wrong = [fact for fact in verdict.facts if not fact.holds]
    for fact in wrong:
        yield f"{fact.what}: {number(fact.read)} by wsload, {number(fact.truth)} in truth", "bold red"
    if not wrong and verdict.setting.judged == "counts":
        found = ", ".join(f"{number(fact.truth)} {fact.what}" for fact in verdict.facts if fact.truth)
        yield f"counted exactly: {found}", "green"


def sentence(verdicts: Sequence[Verdict], timer_kind: str) -> str:
    """How far the figures can be trusted, in one plain sentence."""
    lag = max(verdict.send_lag_p99_ns for verdict in verdicts)
    late = f"posts went out at most {milliseconds(lag)} late at p99 ({timer_kind})"
    if not all(verdict.counted for verdict in verdicts):
        return f"Don't trust wsload here: it did not count what the server did; {late}."
    stalls = _worst(verdicts, "stalls")
    delays = _worst(verdicts, "delays")
    p99 = percent(abs(stalls.error)) if stalls is not None else "nothing"
    single = milliseconds(abs(delays.error_ns)) if delays is not None else "nothing"
    if all(verdict.passed for verdict in verdicts):
        return (
            f"The figures can be trusted on this machine: every p99 under stalls was within {p99} of the "
            f"truth, every percentile of known delays within {single}, every count exact; {late}."
        )
    return (
        f"The figures can't be trusted on this machine, as busy as it is now: p99 under stalls "
        f"was {p99} off, known delays {single}, though every count was exact; {late}."
    )


def _worst(verdicts: Iterable[Verdict], judged: str) -> Comparison | None:
    """The comparison that is the furthest off: of stalls at p99, as a share; of delays in time."""
    found = [each for verdict in verdicts if verdict.setting.judged == judged for each in verdict.comparisons]
    if judged == "stalls":
        found = [each for each in found if each.percentile == 99 and each.metric == "message"]
        return max(found, key=lambda each: abs(each.error), default=None)
    return max(found, key=lambda each: abs(each.error_ns), default=None)
