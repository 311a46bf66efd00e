"""The options of the gate, shared by ``wsload compare`` and ``wsload ab``."""

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
        help="Slower: the lower bound of the change must be above this. Default: 3%.",
        show_default=False,
    ),
]
MinShift = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Slower: the change as measured must also be above this, since 3 % of 0.2 ms hardly matters. "
        "Default: 50us.",
        show_default=False,
    ),
]
SameWithin = Annotated[
    str | None,
    typer.Option(
        metavar="PERCENT",
        help="Not slower: the upper bound must be at most this, or at most --min-shift. Default: 10%.",
        show_default=False,
    ),
]
FailuresWithin = Annotated[
    str | None,
    typer.Option(
        metavar="PERCENT",
        help="Not failing more: the upper bound of the increase in lost or failed attempts, in percentage points, must "
        "be at most this. Default: 0.1%.",
        show_default=False,
    ),
]
Judged = Annotated[
    list[str] | None,
    typer.Option(
        "--judge",
        metavar="NAME[.pNN]",
        help="Judge only this (repeatable): p50 and p99 of a metric (message), or one percentile (message.p95, "
        "'log in.p99'). Default: all requests and steps, open and login; inconclusive if no request or step can be "
        "judged. Losses and failures are always judged.",
        show_default=False,
    ),
]
Scatter = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]PERCENT",
        help="With one run per side: the standard deviation between runs of one build, such as 5%; repeatable, "
        "for a percentile or a statistic (p99=25%, message.p50=4%).",
        show_default=False,
    ),
]


def gate_of(
    before: Gate,
    *,
    min_ratio: str | None = None,
    min_shift: str | None = None,
    same_within: str | None = None,
    failures_within: str | None = None,
    judged: Sequence[str] | None = None,
    scatter: Sequence[str] | None = None,
) -> Gate:
    """The gate as changed by the options; raises `UsageError` naming the option."""
    changes: dict[str, Any] = {}
    if min_ratio is not None:
        changes["ratio"] = percent("--min-ratio", min_ratio)
    if min_shift is not None:
        changes["shift_ns"] = round(duration_s("--min-shift", min_shift) * 1e9)
    if same_within is not None:
        changes["same_within"] = percent("--same-within", same_within)
    if failures_within is not None:
        changes["failures_within"] = percent("--failures-within", failures_within)
    if judged:
        changes["judged"] = tuple(dict.fromkeys(name.strip() for name in judged))
    if scatter:
        changes["scatter"] = tuple(_scatter(text) for text in scatter)
    return replace(before, **changes)


def _scatter(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    return name.strip(), percent("--scatter", value)


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
