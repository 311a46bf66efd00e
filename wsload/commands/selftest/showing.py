"""The selftest's results in the terminal: a table, what went wrong, and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsload.commands.selftest.judging import SettingResult
from wsload.commands.selftest.truth import PercentileCheck
from wsload.words import change, milliseconds, ms, number, percent

_HEADS = (
    ("formula", "ms"),
    ("truth", "ms"),
    ("wsload", "ms"),
    ("error", "ms"),
    ("error", "%"),
    ("allowed", "ms"),
)


def results_view(results: Sequence[SettingResult]) -> Group:
    """The table of all settings, and below it the remarks about each."""
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    grid.add_column("setting\n  percentile")
    for title, unit in _HEADS:
        grid.add_column(f"{title}\n{unit}", justify="right", no_wrap=True)
    parts: list[RenderableType] = []
    for result in results:
        _add_rows(grid, result)
        parts += [Text(f"{result.setting.name}: {line}", style=style) for line, style in _notes(result)]
    return Group(grid, "", *parts)


def _add_rows(grid: Table, result: SettingResult) -> None:
    if not result.percentiles:
        return
    grid.add_row(Text(result.setting.name, style="bold"))
    for each in result.percentiles:
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


def _notes(result: SettingResult) -> Iterator[tuple[str, str]]:
    """Remarks about a setting, with their style."""
    for reason in result.repeated:
        yield f"repeated, because wsload itself warned: {reason}", "yellow"
    for warning in result.warnings:
        yield f"not valid: {warning}", "red" if result.percentiles else "yellow"
    for control in result.controls:
        if not control.within:
            yield (
                f"the load did not arrive as scheduled: p99 of the injected delays is "
                f"{milliseconds(control.read_ns)} instead of {milliseconds(control.truth_ns)}",
                "red",
            )
    wrong = [each for each in result.counts if not each.exact]
    for each in wrong:
        yield f"{each.what}: wsload counted {number(each.read)}, the server {number(each.truth)}", "bold red"
    if not wrong and result.setting.judged == "counts":
        found = ", ".join(f"{number(each.truth)} {each.what}" for each in result.counts if each.truth)
        yield f"counted exactly: {found}", "green"


def sentence(results: Sequence[SettingResult], timer_kind: str) -> str:
    """How far the figures can be trusted, in one sentence."""
    lag = max(result.send_lag_p99_ns for result in results)
    late = f"posts went out at most {milliseconds(lag)} late at p99 ({timer_kind})"
    if not all(result.counted for result in results):
        return f"Don't trust wsload here: its counts differ from the server's; {late}."
    stalls = _worst(results, "stalls")
    delays = _worst(results, "delays")
    p99 = percent(abs(stalls.error)) if stalls is not None else "nothing"
    single = milliseconds(abs(delays.error_ns)) if delays is not None else "nothing"
    if all(result.passed for result in results):
        return (
            f"The figures can be trusted on this machine: every p99 under stalls was within {p99} of the "
            f"truth, every percentile of known delays within {single}, every count exact; {late}."
        )
    return (
        f"The figures can't be trusted on this machine, as busy as it is now: p99 under stalls was off by "
        f"{p99}, known delays by {single}, though every count was exact; {late}."
    )


def _worst(results: Iterable[SettingResult], judged: str) -> PercentileCheck | None:
    """The percentile with the largest error: for stalls that of p99, relative; for delays in ns."""
    found = [each for result in results if result.setting.judged == judged for each in result.percentiles]
    if judged == "stalls":
        found = [each for each in found if each.percentile == 99 and each.metric == "message"]
        return max(found, key=lambda each: abs(each.error), default=None)
    return max(found, key=lambda each: abs(each.error_ns), default=None)
