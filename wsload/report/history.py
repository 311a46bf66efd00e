"""Many runs: the table of ``wsload list``, and the page with latencies build by build."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from wsload.judge.run.history import BuildLine, RunLine, builds, followed
from wsload.report.page import page
from wsload.report.tables import NOTHING, Column, Table
from wsload.results.run import CheckState
from wsload.results.trust import Standing
from wsload.words import ms, number, printable, rate, when

HISTORY: Final = "history.html"
MAX_COLUMNS: Final = 6
"""How many metrics the table of builds has; the chart has them all."""
_TRUSTED: Final = {Standing.TRUSTED: "yes", Standing.PARTLY: "partly"}

_LEFT: Final = "left"


def runs_table(lines: Sequence[RunLine], *, brief: bool = False) -> Table:
    """One row per run, in the order given; the figures are those of the name that stands for the run.

    ``brief`` leaves out what the run's name begins and ends with: when it was, and its build.
    """
    requests = {line.request for line in lines if line.request} or {"message"}
    one = requests.pop() if len(requests) == 1 else None
    columns: dict[Column, Callable[[RunLine], str]] = {
        Column(title="run", align=_LEFT): lambda line: printable(line.name),
        Column(title="when (UTC)", align=_LEFT): lambda line: when(line.started_at)[:16],
        Column(title="build", align=_LEFT): lambda line: printable(line.build),
        Column(title="users"): lambda line: NOTHING if line.users is None else number(line.users),
        Column(title="rate", unit="/s"): lambda line: NOTHING if line.rate is None else rate(line.rate),
        Column(title="name", align=_LEFT): lambda line: printable(line.request or NOTHING),
        Column(title="p50", unit="ms"): lambda line: _ms(line.p50_ns, line.request),
        Column(title="p99", unit="ms"): lambda line: _ms(line.p99_ns, line.request),
        Column(title="checks", align=_LEFT): _checks,
        Column(title="trusted", align=_LEFT): lambda line: (
            _TRUSTED.get(line.standing) or line.standing.upper()
        ),
    }
    left_out = {"when (UTC)", "build"} if brief else set()
    left_out |= {"name"} if one else set()
    shown = {column: cell for column, cell in columns.items() if column.title not in left_out}
    return Table(
        title="Runs",
        columns=tuple(shown),
        rows=tuple(tuple(cell(line) for cell in shown.values()) for line in lines),
        notes=(f"rate, p50 and p99 are those of {printable(one)}",) if one else (),
    )


def _checks(line: RunLine) -> str:
    total = sum(line.checks.values())
    for state in (CheckState.FAILED, CheckState.UNJUDGED):
        if found := line.checks.get(state):
            return f"{found} of {total} {state.upper()}"
    return f"{total} passed" if total else NOTHING


def _ms(figures: Mapping[str, float], metric: str | None) -> str:
    return ms(figures[metric]) if metric is not None and metric in figures else NOTHING


def builds_table(found: Sequence[BuildLine]) -> Table:
    """One row per build: the medians over its runs that can be trusted."""
    metrics = followed(each.p50_ns for each in found)[:MAX_COLUMNS]
    columns = [
        Column(title=f"{metric} {percentile}", unit="ms")
        for metric in metrics
        for percentile in ("p50", "p99")
    ]
    return Table(
        title="Builds",
        columns=(
            Column(title="build", align=_LEFT),
            Column(title="first run", align=_LEFT),
            Column(title="trusted runs"),
            *columns,
        ),
        rows=tuple(
            (
                each.build,
                when(each.runs[0].started_at)[:10],
                f"{each.trusted} of {len(each.runs)}",
                *(_ms(figures, metric) for metric in metrics for figures in (each.p50_ns, each.p99_ns)),
            )
            for each in found
        ),
        notes=(
            "Medians over the fully or partly trusted runs. "
            "To judge whether a build is slower, use wsload compare.",
        ),
    )


def history_page(
    lines: Sequence[RunLine], problems: Sequence[str], reports: Mapping[str, str] | None = None
) -> bytes:
    """The page, in UTF-8; ``problems`` names the runs that could not be read, one sentence each.

    ``reports`` are the addresses of runs' own pages, by the runs' names.
    """
    found = builds(lines)
    newest_first = sorted(lines, key=lambda line: (line.started_at, line.name), reverse=True)
    return page(
        "history.html",
        scripts=("history.js",),
        data={
            "builds": [_build_data(each) for each in found],
            "metrics": followed(line.p50_ns for line in lines),
        },
        runs=runs_table(newest_first),
        links=reports or {},
        builds=builds_table(found),
        problems=problems,
    )


def _build_data(build: BuildLine) -> dict[str, object]:
    """The data that ``history.js`` draws for a build; times in ms."""
    return {
        "build": build.build,
        "p50": _in_ms(build.p50_ns),
        "p99": _in_ms(build.p99_ns),
        "runs": [
            {
                "when": when(run.started_at),
                "trusted": run.standing.trusted,
                "standing": run.standing,
                "p50": _in_ms(run.p50_ns),
                "p99": _in_ms(run.p99_ns),
            }
            for run in build.runs
        ],
    }


def _in_ms(figures: Mapping[str, float]) -> dict[str, float]:
    return {metric: value / 1e6 for metric, value in figures.items()}
