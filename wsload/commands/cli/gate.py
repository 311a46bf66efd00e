"""The gate's options, which ``wsload compare`` and ``wsload ab`` share, and how their text is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wsload.errors import UsageError
from wsload.words import duration_ns, share

if TYPE_CHECKING:
    from wsload.judge.compare.verdict import Gate

MinRatio = Annotated[
    str | None,
    typer.Option(
        metavar="PERCENT",
        help="Slower means slower by more than this, with the whole interval. Default: 3%.",
        show_default=False,
    ),
]
MinShift = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="… and by more than this: 3 % of 0.2 ms are of no interest. Default: 100us.",
        show_default=False,
    ),
]
SameWithin = Annotated[
    str | None,
    typer.Option(
        metavar="PERCENT",
        help="The same means shown to differ by less than this. Default: 10%.",
        show_default=False,
    ),
]
Judged = Annotated[
    list[str] | None,
    typer.Option(
        "--judge",
        metavar="METRIC",
        help="Judge only this, repeatable: a metric (message) or a statistic of it (message.p99). Default: "
        "p50, p95 and p99 of open, login, message and delivery.",
    ),
]


def gate_of(
    before: Gate,
    min_ratio: str | None,
    min_shift: str | None,
    same_within: str | None,
    judged: Sequence[str] | None,
) -> Gate:
    """The gate with what the options change in it; raises `UsageError` naming the one that is wrong."""
    changes: dict[str, Any] = {}
    if min_ratio is not None:
        changes["ratio"] = percent("--min-ratio", min_ratio)
    if min_shift is not None:
        changes["shift_ns"] = round(duration_s("--min-shift", min_shift) * 1e9)
    if same_within is not None:
        changes["same_within"] = percent("--same-within", same_within)
    if judged:
        changes["judged"] = _judged(judged)
    return replace(before, **changes)


def _judged(names: Sequence[str]) -> tuple[str, ...]:
    from wsload.judge.compare.verdict import JUDGEABLE

    metrics = {statistic: statistic.rpartition(".")[0] for statistic in JUDGEABLE}
    for name in names:
        if name not in JUDGEABLE and name not in metrics.values():
            raise UsageError(f"--judge {name!r}: can't be judged; choose from {', '.join(JUDGEABLE)}")
    return tuple(each for each in JUDGEABLE if each in names or metrics[each] in names)


def percent(option: str, text: str) -> float:
    """``3%`` as 0.03; raises `UsageError`."""
    try:
        return share(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None


def duration_s(option: str, text: str) -> float:
    """``100us`` or ``1.5m`` in seconds; raises `UsageError`."""
    try:
        return duration_ns(text) / 1e9
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None
