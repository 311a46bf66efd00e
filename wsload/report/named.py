"""A section for each name that the user classes gave: its times, outcomes and failures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from wsload.judge.figures.summary import Summary
from wsload.measure.keys import split_key
from wsload.measure.names import COUNTED, FAILED, LOST, OWN, SERVICE, Kind, split
from wsload.report.tables import Table, metrics_table
from wsload.results.trust import Trust
from wsload.words import number, percent

_PARTS: Final = {
    "": "response time",
    SERVICE: "service time",
    LOST: "age when lost",
    FAILED: "time to failure",
}
_WORDS: Final = {Kind.REQUEST: "answered", Kind.STEP: "done", Kind.VALUE: "recorded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One request, step or value."""

    name: str
    kind: Kind
    about: str
    """How many were answered, lost and failed, in one line."""
    times: Table
    """A row per part: response time, service time, and so on."""
    more: tuple[str, ...]
    """Its kinds of failure, and its own counters, with their numbers."""


def sections(summary: Summary, trust: Trust | None = None) -> tuple[Section, ...]:
    """A section for each name, in the order of the metrics; for those without values too."""
    measured = (split(metric)[0] for metric in summary.metrics)
    names = dict.fromkeys(name for name in measured if name not in OWN or name in summary.names)
    return tuple(_section(name, summary, trust) for name in names | dict.fromkeys(summary.names))


def _section(name: str, summary: Summary, trust: Trust | None) -> Section:
    kind = summary.kind(name)
    counts = {part: found.count for part in _PARTS if (found := summary.metrics.get(name + part))}
    answered, lost, failed = (counts.get(part, 0) for part in ("", LOST, FAILED))
    whole = answered + lost + failed
    times = metrics_table(summary, trust, rows={name + part: word for part, word in _parts(kind).items()})
    about = [f"{number(answered)} {_WORDS[kind]}"]
    about += [
        f"{number(count)} {word} ({percent(count / whole)})"
        for count, word in ((lost, "lost"), (failed, "failed"))
        if count
    ]
    return Section(
        name=name,
        kind=kind,
        about=", ".join(about),
        times=replace(times, notes=()),  # they are below the table of all metrics
        more=(
            *(f"{how}: {number(count)}" for (what, how), count in summary.failures.items() if what == name),
            *(
                f"{rest}: {number(count)}"
                for counter, count in summary.counters.items()
                if (rest := _own(counter, name)) and count
            ),
        ),
    )


def _parts(kind: Kind) -> dict[str, str]:
    whole = {Kind.REQUEST: "response time", Kind.STEP: "the whole step", Kind.VALUE: "as recorded"}[kind]
    return {**_PARTS, "": whole}


def _own(counter: str, name: str) -> str:
    """What a counter counts of this name: ``late`` of ``buy.late``; empty for all others."""
    if counter.startswith(f"{name}."):
        return counter.removeprefix(f"{name}.")
    what, said = split_key(counter)
    return said if what == name and not counter.endswith(COUNTED) else ""
