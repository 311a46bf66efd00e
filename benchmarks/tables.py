"""The figures as tables for a terminal, and as JSON with the machine they come from."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from rich.table import Table

from benchmarks.figures import Figure, Outcome
from wsload.results.machine import describe_host, versions

PEERS: Final = ("picows", "websocket-client", "gevent")


def figure_tables(figures: Sequence[Figure]) -> list[Table]:
    """A table for each case; a row for each figure: median, spread, ratio to the yardstick."""
    tables: dict[str, Table] = {}
    for figure in figures:
        place = figure.place
        if place.case not in tables:
            tables[place.case] = _table(place.case, "setting", "whose", "what", "median", "±", "ratio")
        tables[place.case].add_row(
            place.setting,
            place.subject,
            place.measure,
            f"{number(figure.median)} {place.unit}",
            f"{figure.spread:.0%}" if len(figure.values) > 1 else "",
            f"{figure.ratio:.2f}" if figure.ratio is not None else "",
        )
    return list(tables.values())


def goal_table(outcomes: Sequence[Outcome]) -> Table:
    """A row for each goal: the result and the limit."""
    table = _table("goals", "goal", "found", "limit", "", "reach", "")
    for outcome in outcomes:
        goal = outcome.goal
        sign = "≥" if goal.least else "≤"
        table.add_row(
            goal.text,
            number(outcome.value) if outcome.value is not None else "not measured",
            f"{sign} {number(goal.limit)}",
            _verdict(outcome.met),
            f"{sign} {number(goal.reach)}" if goal.reach is not None else "",
            _verdict(outcome.reached),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in ("median", "±", "ratio", "found") else "left")
    return table


def _verdict(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "NO"


def number(value: float) -> str:
    """With about three digits: 0.62, 11.3, 2,871."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def machine() -> dict[str, Any]:
    """This machine and its software, as far as they affect the figures."""
    packages = dict(versions())
    for peer in PEERS:
        try:
            packages[peer] = version(peer)
        except PackageNotFoundError:
            continue
    return {**describe_host(), "versions": packages, "load_average": os.getloadavg()}


def to_json(
    figures: Sequence[Figure], outcomes: Sequence[Outcome], skipped: dict[str, str], host: dict[str, Any]
) -> dict[str, Any]:
    """Everything, to compare machines or versions."""
    return {
        "schema": 1,
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": host,
        "figures": [figure.to_json() for figure in figures],
        "goals": [
            {
                "goal": outcome.goal.text,
                "found": outcome.value,
                "limit": outcome.goal.limit,
                "met": outcome.met,
                "reach": outcome.goal.reach,
                "reached": outcome.reached,
            }
            for outcome in outcomes
        ],
        "skipped": skipped,
    }
