"""The verdict on a run: how far its figures can be trusted, in one sentence, with warnings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wsload.judge.figures.samples import BEYOND, needed
from wsload.judge.run.causes import Cause, cause_of, own_wait
from wsload.judge.run.doubts import KEYS, SHORTFALL, doubts
from wsload.judge.run.processes import ProcessFigures, standouts
from wsload.judge.run.trust import TO_PROVE, TOLERANCE_NS, doubt_of, levels
from wsload.measure.interval import Totals
from wsload.measure.names import SERVICE, Kind
from wsload.results.run import RunWarning
from wsload.results.trust import ALL, NONE, Standing, Trust
from wsload.words import counted, listed, number

SOUND: Final = 99.0
"""A run is trusted if every request is, up to this percentile."""
MAX_NAMED: Final = 3
"""At most this many names are in the sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with its warnings."""

    trust: Trust
    warnings: tuple[RunWarning, ...]
    """Worst first."""


def judge(
    totals: Totals,
    processes: Iterable[ProcessFigures],
    *,
    tolerance_ns: int = TOLERANCE_NS,
    ui_in_process: bool = False,
    beside: Iterable[RunWarning] = (),
    part: bool = False,
    load: Totals | None = None,
) -> Judgement:
    """The verdict on these figures.

    ``processes`` are those that made the load; ``ui_in_process`` says that Locust's web UI shared the measuring
    process; ``beside`` are the warnings raised during the run; ``part`` says that the figures are those of a stretch of
    the run, so that users may have arrived outside it. ``load`` has what was recorded since the run's start, if that is
    more; see `doubts`.
    """
    watches = list(processes)
    found = [*beside, *doubts(totals, load), *standouts(watches)]
    up_to = levels(totals, tolerance_ns)
    cause = own_wait(totals) or cause_of(watches, ui_in_process=ui_in_process)
    standing, verdict, remedy = (
        _nothing(totals, part=part)
        or _invalid(found, cause)
        or _few(totals)
        or _graded(totals, up_to, cause or _UNKNOWN)
    )
    return Judgement(
        trust=Trust(
            standing=standing,
            verdict=verdict,
            remedy=remedy,
            tolerance_ns=tolerance_ns,
            up_to={metric: level for metric, level in up_to.items() if level < ALL},
            reasons={metric: doubt for metric in up_to if (doubt := doubt_of(metric, totals))},
        ),
        warnings=tuple(sorted(found, key=lambda warning: not warning.invalidates)),
    )


_Verdict = tuple[Standing, str, str]
_WAY_IN: Final = "check that the server listens there, and speaks WebSocket at this path"
_WAYS_IN: Final = {
    "dns": "check that the host's name is right, and that this machine can resolve it",
    "tls": "name the certificate authority with --ws-ca-file, or accept any certificate with --ws-insecure",
    "reset": "check that the server listens there, and for wss:// that it speaks TLS there",
    "a TLS port": "use wss:// instead of ws://",
    "not a TLS port": "use ws:// instead of wss://",
    "subprotocol": "check which subprotocols the server supports; --ws-subprotocol sets what is offered",
    "bad status": "see the server's answer among the failures: another path, a login or a header may be missing",
    "proxy": "see the proxy's answer among the failures, and --ws-proxy",
}
"""By the kind of failure to open."""
_ABSENT: Final = "no user was running"
_UNRECORDED: Final = "nothing was recorded"
_UNKNOWN: Final = Cause(
    text="more messages came at once than it could read in time", remedy="use --processes"
)


def _measured(totals: Totals) -> list[str]:
    """The names with values; ``open`` if there are none."""
    histograms = totals.histograms
    named = [name for name in totals.names if name in histograms and histograms[name].total]
    return sorted(named) or ["open"]


def _nothing(totals: Totals, *, part: bool) -> _Verdict | None:
    """The verdict on a run without any figure for a name; None if there is one."""
    if any(name in totals.histograms and totals.histograms[name].total for name in totals.names):
        return None
    counters = totals.counters
    if counters["opens"] or totals.peaks.get("connections", 0):
        return _no_answer(totals)
    if failures := _by_kind(totals, "open"):
        text = f"Failed at start: nobody could connect; {failures}"
        return Standing.FAILED, text, _way_in(totals)
    if totals.peaks.get("users", 0) or counters["users_ended"] or totals.failures:
        text = "Failed at start: no connection was opened"
        return Standing.FAILED, _with_failures(text, totals), "see Locust's log for errors of the user class"
    if part:
        text = f"Nothing was measured: {_ABSENT if totals.intervals else _UNRECORDED} in the measured stretch"
        return Standing.NOTHING, text, "measure a stretch in which users are running"
    text = f"Nothing was measured: {'no user arrived' if totals.intervals else _UNRECORDED}"
    return Standing.NOTHING, text, "see -u, and Locust's log for errors of the user class"


def _no_answer(totals: Totals) -> _Verdict | None:
    counters = totals.counters
    if counters["login_failures"] and not counters["logins"]:
        text = f"Failed at start: nobody could log in; {_by_kind(totals, 'login')}"
        return Standing.FAILED, text, "see what the server answers to the login"
    if any(counters[name] for name in ("requests", "lost", "refused", "unsent")):
        text = "Nothing was measured: not one request was answered"
        remedy = KEYS if counters["lost"] and counters["unknown_keys"] else "see the failures by kind"
        return Standing.NOTHING, _with_failures(text, totals), remedy
    failed = sum(count for (what, _), count in totals.failures.items() if what not in ("open", "close"))
    if failed:
        text = "Nothing was measured: the tasks failed before they made a request"
        return Standing.NOTHING, _with_failures(text, totals), "see Locust's log for errors of the user class"
    return None


def _kinds(totals: Totals, what: str) -> dict[str, int]:
    return {kind: count for (each, kind), count in totals.failures.items() if each == what}


def _way_in(totals: Totals) -> str:
    """What helps against the most frequent reason for which no connection could be opened."""
    kinds = _kinds(totals, "open")
    most = max(kinds, key=kinds.__getitem__)
    return _WAYS_IN.get("bad status" if most.startswith("bad status") else most, _WAY_IN)


def _by_kind(totals: Totals, what: str) -> str:
    """The kinds of failures, most frequent first: ``528 attempts failed (refused, timeout)``."""
    found = _kinds(totals, what)
    kinds = sorted(found, key=lambda kind: (-found[kind], kind))[:MAX_NAMED]
    return f"{counted(sum(found.values()), 'attempt')} failed ({listed(kinds)})" if found else ""


def _with_failures(text: str, totals: Totals) -> str:
    most = sorted(totals.failures.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMED]
    said = listed([f"{what}: {kind} ({number(count)})" for (what, kind), count in most])
    return f"{text}; {said}" if said else text


def _invalid(found: Iterable[RunWarning], cause: Cause | None) -> _Verdict | None:
    for warning in found:
        if warning.invalidates:
            late = cause if warning.name == SHORTFALL else None
            text = f"Not trusted: {warning.text}{f': {late.text}' if late else ''}"
            return Standing.UNTRUSTED, text, late.remedy if late else warning.remedy
    return None


def _few(totals: Totals) -> _Verdict | None:
    names = _measured(totals)
    most = max((totals.histograms[name].total for name in names if name in totals.histograms), default=0)
    enough = needed(50, BEYOND)
    if most >= enough:
        return None
    what = "connections were opened" if names == ["open"] else "values were measured"
    return (
        Standing.FEW,
        f"Too few to judge: {number(most)} {what}, and even a median takes {enough}",
        "run for longer, or with more users",
    )


def _graded(totals: Totals, up_to: Mapping[str, float], cause: Cause) -> _Verdict:
    names = _measured(totals)
    doubted = [name for name in names if doubt_of(name, totals)]
    levels = {name: _level(name, totals, up_to) for name in names if name not in doubted}
    rungs = sorted(set(levels.values()) - {NONE})
    late = [name for name, level in levels.items() if level == NONE]
    shows = f"the load generator's own lateness shows: {cause.text}"
    doubt = doubt_of(doubted[0], totals) if doubted else ""
    remedy = cause.remedy if min(levels.values(), default=ALL) < SOUND else TO_PROVE if doubted else ""
    only = "Only connections were measured. " if names == ["open"] else ""
    if not rungs:
        said = shows if late else f"{_names(doubted)}: {doubt}"
        return Standing.UNTRUSTED, f"{only}Not trusted: {said}", remedy
    groups = [
        f"{_percentile(rung)} ({_names([name for name in levels if levels[name] == rung])})" for rung in rungs
    ]
    parts = [f"{only}Trusted up to {listed(groups)}"]
    if late:
        parts.append(f"not at all: {_names(late)}")
    if late or rungs[0] < ALL:
        parts.append(f"beyond that {shows}")
    if doubted:
        parts.append(f"not trusted: {_names(doubted)}, since {doubt}")
    sound = not late and not doubted and rungs[0] >= SOUND
    return Standing.TRUSTED if sound else Standing.PARTLY, "; ".join(parts), remedy


def _level(name: str, totals: Totals, up_to: Mapping[str, float]) -> float:
    """Up to which percentile a name and its service times are trusted."""
    service = up_to.get(name + SERVICE, ALL) if totals.names.get(name) is Kind.REQUEST else ALL
    return min(up_to.get(name, ALL), service)


def _percentile(rung: float) -> str:
    return "the maximum" if rung == ALL else f"p{rung:g}"


def _names(names: list[str]) -> str:
    if len(names) > MAX_NAMED:
        names = [*names[:MAX_NAMED], f"{len(names) - MAX_NAMED} more"]
    return listed(names)
