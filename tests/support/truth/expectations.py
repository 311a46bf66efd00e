"""What each cell's figures must be, from what its users tried and what the server did with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Entry = dict[str, Any]
Span = tuple[int, int]
"""The least and the most that a time can have been, in ns: the process may have lost the core while it sent."""

TIMEOUT_NS: Final = 1_000_000_000
"""``--ws-message-timeout`` of the runs: no behaviour's answer takes between 0.3 s and 1.5 s."""
NOT_SENT: Final = "not connected"
"""The kind of failure of what had no connection to be sent on: it has no figure."""
NEVER: Final[Entry] = {"answered": 0}
"""What the server knows of a request that it has not read."""
SEEN: Final = 0.9
"""The least share of the pushes that the client sees: the last are written when it is leaving already."""


@dataclass(slots=True)
class Expected:
    """What the figures of one name must be."""

    name: str
    response: list[Span] = field(default_factory=list)
    """Also the values of a step, and of what a class recorded itself."""
    service: list[Span] = field(default_factory=list)
    failed: list[Span] = field(default_factory=list)
    failed_untimed: int = 0
    """How many more failed, at a moment of which the server knows nothing."""
    unanswered: int | None = None
    """Requests lost, or not sent; None for what is no request."""
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Counters by name, with the least and the most they may be."""


def expected(attempts: Iterable[Entry], account: Mapping[int, Entry], pushes: int) -> Iterator[Expected]:
    """Of one cell, on whose connections the server wrote so many pushes."""
    by_name: dict[str, list[Entry]] = defaultdict(list)
    for attempt in attempts:
        by_name[attempt["name"]].append(attempt)
    for name, tried in by_name.items():
        match kind := tried[0]["kind"]:
            case "request" | "keyed":
                yield _requests(name, tried, account, keyed=kind == "keyed")
            case "by hand":
                done = [attempt for attempt in tried if attempt["outcome"] == "answered"]
                times = [account[attempt["id"]]["answered"] - attempt["sent"] for attempt in done]
                yield Expected(name, exactly(times))
            case "step":
                done = [attempt for attempt in tried if attempt["outcome"] == "done"]
                yield Expected(
                    name,
                    # One that ended with a push may have had its last request read by nobody.
                    exactly(account.get(step["last"], NEVER)["answered"] - step["due"] for step in done),
                    failed_untimed=sum(attempt["outcome"] == "failed" for attempt in tried),
                )
            case "value":
                yield Expected(name, exactly(attempt["value"] for attempt in tried))
    if any(attempt["kind"] == "keyed" for attempt in attempts):
        cell = next(iter(attempts))["cell"]
        yield Expected(f"{cell} pushes", counts={f"{cell} pushes": (int(SEEN * pushes), pushes)})


def exactly(times: Iterable[int]) -> list[Span]:
    """Times that are known."""
    return [(time, time) for time in times]


def mispaired(attempts: Iterable[Entry], account: Mapping[int, Entry]) -> int:
    """How many got another's answer, or no answer at all, for their own."""
    return sum(
        attempt["outcome"] == "answered"
        and attempt.get("value") != account.get(attempt["id"], {"value": -1})["value"]
        for attempt in attempts
    )


def _requests(name: str, tried: list[Entry], account: Mapping[int, Entry], *, keyed: bool) -> Expected:
    found = Expected(name)
    unanswered = late = duplicates = 0
    for attempt in tried:
        entry = account.get(attempt["id"])
        answered = entry["answered"] if entry else 0
        in_time = 0 < answered - attempt["sent"] < TIMEOUT_NS
        if entry is None or not in_time:
            unanswered += 1
            late += answered > 0
            continue
        duplicates += entry["copies"] - 1
        at_once = attempt["due"] == attempt["sent"]
        asked = attempt.get("asked", attempt["sent"])
        response = (answered - (asked if at_once else attempt["due"]), answered - attempt["due"])
        if entry["status"] == "refused":
            found.failed.append(response)
        else:
            found.response.append(response)
            found.service.append((answered - asked, answered - attempt["sent"]))
    found.unanswered = unanswered
    if keyed:
        found.counts = {f"{name}.late": (late, late), f"{name}.duplicates": (duplicates, duplicates)}
    return found
