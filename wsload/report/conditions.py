"""The tables besides the figures: checks, interruptions, phases of opening, and a run's conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from wsload.judge.figures.interruptions import Interruption
from wsload.judge.figures.shape import Opening
from wsload.judge.figures.summary import Summary
from wsload.report.tables import FEW, NOTHING, Column, Table, percentile_ms
from wsload.results.run import CheckOutcome, RunInfo
from wsload.results.trust import ALL
from wsload.words import clock, counted, milliseconds, ms, number, percent, size, span

_LONGEST: Final = 300
_LEFT: Final = "left"


def facts(info: RunInfo, summary: Summary) -> tuple[str, ...]:
    """The run's length, size and workload, in a few words each."""
    found = [f"{span(summary.duration_s)} long"]
    if not info.window.whole:
        end = "the end" if info.window.to_s is None else clock(info.window.to_s)
        found.append(f"measured from {clock(info.window.from_s)} to {end}")
    if users := summary.peaks.get("users"):
        found.append(counted(users, "user"))
    if total := info.options.get("ws_rate"):
        found.append(f"open workload, {shown(total)}/s")
    if profile := info.workload.get("profile"):
        found.append(f"open workload, {shown(profile)}")
    if info.partner:
        found.append(f"at the same time as {info.partner[:_LONGEST]}")
    return tuple(found)


def checks_table(checks: tuple[CheckOutcome, ...]) -> Table:
    """The result of each check."""
    return Table(
        title="Checks",
        columns=tuple(Column(title=title, align=_LEFT) for title in ("", "check", "wanted", "got")),
        rows=tuple((check.state, check.expression, check.wanted, check.explained) for check in checks),
    )


def interruptions_table(found: tuple[Interruption, ...]) -> Table:
    """When connections were lost, and whether users reconnected."""
    return Table(
        title="Interruptions",
        columns=(
            Column(title="from", align=_LEFT),
            Column(title="to", align=_LEFT),
            Column(title="connections lost"),
            Column(title="attempts refused"),
            Column(title="reconnected"),
        ),
        rows=tuple(
            (
                clock(each.start_s),
                clock(each.end_s),
                number(each.lost),
                number(each.refused),
                number(each.reconnected),
            )
            for each in found
        ),
        notes=(
            "Times since the start of the run. This is what a server's restart looks like to its clients.",
        ),
    )


def phases_table(opening: Opening, summary: Summary) -> Table:
    """How the mean time to open divides into phases, and each phase's percentiles."""
    whole_ns = sum(opening.phases.values())
    rows = []
    for metric, part_ns in opening.phases.items():
        found = summary.metrics[metric]
        percentiles = (
            percentile_ms(each, found.count, found.percentiles[each]) for each in (50.0, 90.0, 99.0)
        )
        rows.append((metric, percent(part_ns / whole_ns), ms(part_ns), *percentiles, ms(found.max_ns)))
    notes = ["The bar shows means, because they add up; percentiles don’t."]
    if any(NOTHING in row for row in rows):
        notes.append(FEW)
    if opening.waiting_ns > 0:
        notes.append(
            f"Besides these phases, open includes {milliseconds(opening.waiting_ns)} on average for late starts "
            "and waiting between attempts."
        )
    return Table(
        title="Opening a connection",
        columns=(
            Column(title="phase", align=_LEFT),
            Column(title="share"),
            *(Column(title=title, unit="ms") for title in ("mean", "p50", "p90", "p99", "max")),
        ),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def processes_table(stored: Mapping[str, Any]) -> Table:
    """The processes that made the load, each with its own figures, from summary.json."""
    found = stored.get("processes")
    rows = []
    for process in found if isinstance(found, list) else ():
        if not isinstance(process, dict):
            continue
        name = str(process.get("leading") or "message")
        times, lag = (_figures(process, metric) for metric in (name, "send_lag"))
        cpu = process.get("cpu_peak")
        rows.append(
            (
                str(process.get("name") or "this process")[:_LONGEST],
                percent(cpu) if isinstance(cpu, int | float) else "",
                name[:_LONGEST] if any(times) else "",
                *times,
                lag[-1],
                _level(process.get("trusted_up_to")) if any(times) else "",
            )
        )
    columns = (
        Column(title="process", align=_LEFT),
        Column(title="CPU peak"),
        Column(title="busiest", align=_LEFT),
        Column(title="p50", unit="ms"),
        Column(title="p99", unit="ms"),
        Column(title="send lag p99", unit="ms"),
        Column(title="trusted up to", align=_LEFT),
    )
    filled = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    return Table(
        title="Load generators",
        columns=tuple(columns[place] for place in filled),
        rows=tuple(tuple(row[place] for place in filled) for row in rows),
    )


def _level(rung: object) -> str:
    """A level of trust, for people; empty where it is not known."""
    if not isinstance(rung, int | float):
        return ""
    return "the maximum" if rung >= ALL else f"p{rung:g}" if rung else "NOT TRUSTED"


def _figures(process: Mapping[str, Any], metric: str) -> tuple[str, str]:
    """p50 and p99 in ms, empty if there are none."""
    found = process.get(metric)
    if not isinstance(found, dict) or not isinstance(count := found.get("count"), int):
        return "", ""
    values = {50.0: found.get("p50_ns"), 99.0: found.get("p99_ns")}
    p50, p99 = (
        percentile_ms(each, count, value) if isinstance(value, int) else "" for each, value in values.items()
    )
    return p50, p99


def workload_table(info: RunInfo) -> Table:
    """What load it was."""
    found = {name.replace("_", " "): value for name, value in info.workload.items() if name != "user_classes"}
    classes = info.workload.get("user_classes")
    for name, about in (classes if isinstance(classes, dict) else {}).items():
        parts = about.items() if isinstance(about, dict) else ()
        found[name] = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in parts if value)
    return _pairs("Workload", ("workload", ""), found)


def options_table(info: RunInfo) -> Table:
    """The options that are set."""
    return _pairs(
        "Options",
        ("option", "value"),
        {
            _option(name): value
            for name, value in info.options.items()
            if value is not None and value is not False and value not in ("", [])
        },
    )


def _option(name: str) -> str:
    name = {"num_users": "users"}.get(name, name)
    return f"--{name.replace('_', '-')}"


def versions_table(info: RunInfo) -> Table:
    """The software that made the load."""
    return _pairs("Versions", ("package", "version"), info.versions)


def machine_table(info: RunInfo) -> Table:
    """The machine that made the load."""
    host = dict(info.host)
    memory = host.pop("memory_bytes", None)
    if isinstance(memory, int):
        host["memory"] = size(memory, binary=True)
    return _pairs("Machine", ("load generator", ""), host)


def _pairs(title: str, heads: tuple[str, str], found: Mapping[str, object]) -> Table:
    return Table(
        title=title,
        columns=tuple(Column(title=head, align=_LEFT) for head in heads),
        rows=tuple((str(name)[:_LONGEST], shown(value)) for name, value in found.items()),
    )


def shown(value: object) -> str:
    """A JSON value for people, cut to a length that fits a table."""
    if isinstance(value, list):
        text = ", ".join(map(shown, value))
    elif isinstance(value, dict):
        text = ", ".join(f"{name} {shown(each)}" for name, each in value.items())
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
