"""The stored runs of a comparison: read once, by side, with the conditions that must be alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from wsload.errors import ResultsError, UsageError
from wsload.judge.compare.outcomes import outcomes_of
from wsload.judge.compare.pairs import Place, RunFigures, Side
from wsload.judge.figures.summary import Summary, summarize
from wsload.judge.run.rejudge import process_figures_of, rejudge
from wsload.judge.run.standing import unusable
from wsload.measure.interval import Totals
from wsload.measure.names import Kind
from wsload.report.comparison.seconds import BySecond, Second
from wsload.report.conditions import shown
from wsload.results.reader import StoredRun, open_run
from wsload.results.run import RunInfo
from wsload.results.server_figures import ServerFigures, read_server
from wsload.results.window import Stretch
from wsload.words import counted, size

NOT_GIVEN: Final = "not given"
_MAY_DIFFER: Final = frozenset(
    {
        *("host", "ws_url", "ws_build", "ws_results", "ws_run_id", "ws_run_version", "ws_user_classes"),
        *("ws_beside", "ws_beside_build", "ws_beside_results"),
        *("ws_check", "ws_checks", "ws_allow_invalid", "ws_ca_file", "ws_client_cert"),
        *("ws_prometheus", "ws_json_progress"),
    }
)
"""Options for the target, or for what is done with the figures, as opposed to how the load is made."""
_CLIENT: Final = ("wsload", "locust", "websockets", "uvloop")
"""Packages whose versions affect latencies."""
_OF_THE_CODE: Final = frozenset({"commit", "dirty"})
"""Parts of a recorded workload that say where its locustfile comes from; what matters is the file itself."""
_CALLED: Final = {
    "kind": "workload",
    "user_classes": "user classes",
    "locustfile": "locustfile (SHA-256)",
    "ping_s": "ping interval, s",
}
"""What the parts of a recorded workload are called here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A stored run, as a comparison shows it."""

    figures: RunFigures
    """What is judged."""
    path: Path
    info: RunInfo
    doubt: str
    """Why nothing of the run is used, in one sentence; empty if something is."""
    summary: Summary
    server: ServerFigures | None
    """The server's CPU and memory, if ``wsload ab`` started it."""
    seconds: Mapping[str, tuple[Second, ...]] = field(default_factory=dict)
    """Of a run that has a partner: how each metric went."""

    @property
    def name(self) -> str:
        return self.figures.name

    @property
    def side(self) -> Side:
        return self.figures.side

    @property
    def sent_rate(self) -> float:
        """Messages sent per second, as long as any were to be sent: not while the last answers were waited for."""
        duration_s = self.summary.duration_s
        run_time_s = self.info.options.get("run_time")
        if isinstance(run_time_s, int | float) and (sending_s := run_time_s - self.info.window.from_s) > 0:
            duration_s = min(duration_s, sending_s)
        return self.summary.counters.get("sent", 0) / duration_s if duration_s else 0.0


def read_runs(
    baseline: Sequence[Path],
    candidate: Sequence[Path],
    *,
    force: bool = False,
    places: Mapping[Path, Place] | None = None,
    stretch: Stretch | None = None,
) -> tuple[ComparedRun, ...]:
    """The runs of both sides in the order in which they were made.

    A run of which nothing is trusted, that has no end or is damaged has a ``doubt`` and is not used; with ``force`` it
    is used as far as it can be read, and so are percentiles that are not trusted. ``places`` gives each run's place
    in an experiment; ``stretch`` is another part of each run than its own window: then it is judged anew.

    Raises `UsageError` for a run that is named twice, and `ResultsError` for one that can't be read.
    """
    sides = dict.fromkeys(baseline, Side.BASELINE) | dict.fromkeys(candidate, Side.CANDIDATE)
    names = _names([*baseline, *candidate])
    found = [
        _read(
            open_run(path), name, side, force=force, place=(places or {}).get(path, Place()), stretch=stretch
        )
        for (path, side), name in zip(sides.items(), names, strict=True)
    ]
    conditions = conditions_of([(run.info, run.summary) for run in found])
    alike = [
        replace(run, figures=replace(run.figures, conditions=each))
        for run, each in zip(found, conditions, strict=True)
    ]
    return tuple(sorted(alike, key=lambda run: run.figures.order))


def _names(paths: Sequence[Path]) -> list[str]:
    """The directories' names, or whole paths where names are ambiguous."""
    whole = [path.resolve() for path in paths]
    for path, again in zip(whole, paths, strict=True):
        if whole.count(path) > 1:
            raise UsageError(f"the run {again} is named twice: a comparison takes each run once")
    names = [path.name for path in whole]
    return [name if names.count(name) == 1 else str(path) for name, path in zip(names, paths, strict=True)]


def _read(
    run: StoredRun, name: str, side: Side, *, force: bool, place: Place, stretch: Stretch | None
) -> ComparedRun:
    watch, info, server, damage = process_figures_of(run), run.info, None, ""
    length_s = info.options.get("run_time")  # the same for both sides of a pair
    by_second = BySecond(length_s if isinstance(length_s, int | float) else 0.0)
    try:
        for interval in run.measured(stretch, watch.before):
            watch.add(interval)
            if info.partner:
                by_second.add(interval)
        server = read_server(run.path)
    except ResultsError as error:
        if not (unusable(info, run.problems) or force):  # a run that is used must be complete
            raise
        damage = f"damaged: {error}"
    totals = watch.totals
    if stretch is not None and info.trust is not None:
        info = replace(info, window=run.window(stretch))
        info = replace(info, trust=rejudge(info, watch).trust)
    doubt = unusable(info, run.problems) or damage
    return ComparedRun(
        figures=RunFigures(
            name=name,
            side=side,
            started_s=info.started_at,
            outcomes=outcomes_of(totals),
            requests=_requests(totals),
            trusted={} if force else _trust(info),
            valid=force or not doubt,
            slot=place.slot,
            stage=place.stage,
        ),
        path=run.path,
        info=info,
        doubt=doubt,
        summary=summarize(totals),
        server=server,
        seconds=by_second.finish(),
    )


def _requests(totals: Totals) -> frozenset[str]:
    return frozenset(name for name, kind in totals.names.items() if kind is not Kind.VALUE)


def _trust(info: RunInfo) -> dict[str, float]:
    return dict(info.trust.up_to) if info.trust is not None else {}


def conditions_of(runs: Sequence[tuple[RunInfo, Summary]]) -> list[dict[str, str]]:
    """What must be alike, by name, for each run: the workload, how it was made, by what, and on which machine.

    An option that only some runs were given is ``not given`` in the others. The workload counts only if all runs
    recorded theirs.
    """
    recorded = all(info.workload for info, _ in runs)
    found = [_conditions(info, summary) | (_workload(info) if recorded else {}) for info, summary in runs]
    names = sorted({name for each in found for name in each})
    return [{name: each.get(name, NOT_GIVEN) for name in names} for each in found]


def has_workload(info: RunInfo) -> bool:
    """Whether the run recorded its workload."""
    return bool(info.workload)


def _workload(info: RunInfo) -> dict[str, str]:
    return {
        _CALLED.get(name, f"workload, {name}"): _told(value)
        for name, value in info.workload.items()
        if name not in _OF_THE_CODE
    }


def _told(value: object) -> str:
    """A JSON value for people, whole, so that what differs reads differently."""
    if isinstance(value, dict):
        parts = (
            (name, f"({_told(each)})" if isinstance(each, dict) else _told(each))
            for name, each in value.items()
        )
        return ", ".join(f"{name} {text}" for name, text in sorted(parts))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _conditions(info: RunInfo, summary: Summary) -> dict[str, str]:
    options = dict(info.options)
    users = options.pop("num_users", None) or summary.peaks.get("users", 0)
    found = {
        f"--{name.replace('_', '-')}": shown(value)
        for name, value in options.items()
        if name not in _MAY_DIFFER and value not in (None, "", False, [])
    }
    host = info.host
    memory = host.get("memory_bytes")
    cores = host.get("cores")
    machine = [host.get("cpu"), counted(cores, "core") if isinstance(cores, int) else None]
    machine += [size(memory, binary=True)] if isinstance(memory, int) else []
    machine += [host.get("system")]
    client = [f"{name} {info.versions[name]}" for name in _CLIENT if name in info.versions]
    return found | {
        "users": shown(users),
        "machine": ", ".join(str(part) for part in machine if part),
        "load generator": ", ".join([*client, shown(host.get("python", ""))]),
    }
