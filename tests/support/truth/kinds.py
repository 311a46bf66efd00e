"""The rows of the truth matrix: kinds of user classes, and the workloads that each is run in."""

from __future__ import annotations

from typing import Final

KINDS: Final = {
    "request": "`request`, with a value and a counter of its own",
    "request-serial": "`request` in a class with `overlap = False`",
    "turn": "`round_trip` without a match",
    "turn-opaque": "the same, on a service whose answers don't say what they answer",
    "turn-hooked": "the same, in a class with `on_message`",
    "turn-cancelled": "`round_trip` that the task gives up after 40 ms (`asyncio.timeout`)",
    "match-any": "`round_trip(match=…)` that accepts any answer",
    "match-own": "`round_trip(match=…)` that accepts only its own answer",
    "by-hand": "`send`, then `receive` until it is the answer, then `record`",
    "measure": "two requests measured as one step",
    "measure-turn": "the same with `round_trip` without a match",
    "task-sets": "`request` in nested task sets",
    "two-sockets": "`request` on the user's own connection and on one by `open`",
}
PROVABLE: Final = KINDS.keys() - {kind for kind in KINDS if "turn" in kind} - {"match-any"}
"""Those that say themselves which message answers what: nothing that a server does may make them wrong."""
WORKLOADS: Final = {
    "closed": "constant wait time",
    "constant": "`constant_rate`",
    "poisson": "`poisson_rate`",
}
