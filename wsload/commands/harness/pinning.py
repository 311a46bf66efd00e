"""Which cores the servers and the load generators run on (``--pin``).

Linux likes to put a client and a server that wake each other on the same core, also where another one is idle; then
each waits for the other, and the load generator's figures are its own lateness. On cores of their own they don't.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wsload.commands.harness.builds import Build
from wsload.errors import UsageError
from wsload.judge.compare.pairs import Side
from wsload.words import listed

AUTO: Final = "auto"
ALLOWED: Final = "auto, or cores by name such as A=0,B=1,load=2-3"
LOAD: Final = "load"
_NAMES: Final = (*(side.letter for side in Side), LOAD)
_PART: Final = re.compile(r"(?P<name>\w+)=(?P<cores>\d{1,4}(-\d{1,4})?(\+\d{1,4}(-\d{1,4})?)*)")
Cores = frozenset[int]
"""Numbers of cores; empty for any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a run's two sides are."""

    server: Cores = frozenset()
    load: Cores = frozenset()


def available() -> tuple[int, ...]:
    """The cores that this process may use; empty where the system can't pin (only Linux can)."""
    return tuple(sorted(os.sched_getaffinity(0))) if sys.platform == "linux" else ()


def check_pin(pin: str, builds: Mapping[str, Build]) -> None:
    """Raises `UsageError` unless this is a ``--pin`` for these builds, by letter; empty for none."""
    running = [letter for letter, build in builds.items() if not build.command]
    if pin == AUTO and running:
        are = "are" if len(running) > 1 else "is"
        raise UsageError(
            f"--pin auto: {listed(running)} {are} not started here: list cores only for what is, such as load=1"
        )
    for name in _named(pin) if pin not in ("", AUTO) else ():
        if name != LOAD and (name in running or name not in builds):
            raise UsageError(f"--pin {pin}: no server {name} is started here")


class Pinning:
    """The places of all runs of an experiment on this machine.

    Raises `UsageError` where it has no such cores, or too few to share out.
    """

    def __init__(self, pin: str, cores: Sequence[int], *, at_once: bool) -> None:
        """``cores`` are those of the machine; ``at_once`` says that A and B run at the same time."""
        self._pin = pin
        self._cores = tuple(cores)
        self._at_once = at_once
        self._given = {} if pin in ("", AUTO) else _named(pin)
        if pin and not cores:
            raise UsageError("--pin: only supported on Linux")
        if pin == AUTO and len(cores) < 2:
            raise UsageError("--pin auto: needs at least two cores, and only one is available")
        if missing := sorted(frozenset().union(*self._given.values()) - set(cores)):
            raise UsageError(f"--pin {pin}: there is no core {missing[0]}; there are {_shown(cores)}")

    def places(self, letter: str, pair: int) -> Places:
        """Where the run of side A or B in this pair (from 1) has its server and its load generator."""
        if self._given:
            return Places(server=self._given.get(letter, Cores()), load=self._given.get(LOAD, Cores()))
        if not self._pin:
            return Places()
        if not self._at_once:
            server, load = _shares(self._cores, 2)
            return Places(server=server, load=load)
        if len(self._cores) < 3:
            servers, load = _shares(self._cores, 2)
            return Places(server=servers, load=load)
        # Cores are not all alike, so the servers change places from pair to pair.
        shares = _shares(self._cores, 3)
        return Places(server=shares[(letter == "B") == bool(pair % 2)], load=shares[2])

    def for_people(self) -> Iterator[str]:
        """A line that says which process is pinned to which cores; none without pinning."""
        if self._given:
            called = {"A": "A's server", "B": "B's server", "load": "the load generator"}
            yield f"Cores: {', '.join(f'{_shown(cores)} for {called[name]}' for name, cores in self._given.items())}"
        elif self._pin:
            first, other = self.places("A", 1), self.places("B", 1)
            if not self._at_once:
                servers = f"{_shown(first.server)} for the server"
            elif first.server == other.server:
                servers = f"{_shown(first.server)} for both servers"
            else:
                servers = f"{_shown(first.server)} and {_shown(other.server)} for the servers, alternating"
            yield f"Cores: {servers}, {_shown(first.load)} for the load generator"


def _named(pin: str) -> dict[str, Cores]:
    found: dict[str, Cores] = {}
    for part in pin.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None or match["name"] not in _NAMES or match["name"] in found:
            raise UsageError(f"--pin {pin}: use {ALLOWED} ({listed(_NAMES)}, each at most once)")
        found[match["name"]] = frozenset(
            core for cores in match["cores"].split("+") for core in _range(pin, cores)
        )
    return found


def _range(pin: str, text: str) -> range:
    first, _, last = text.partition("-")
    found = range(int(first), int(last or first) + 1)
    if not found:
        raise UsageError(f"--pin {pin}: {text} is a descending range")
    return found


def _shares(cores: Sequence[int], number: int) -> list[Cores]:
    """The cores in equal parts, as neighbours; those that are left over go to the last."""
    each = len(cores) // number
    parts = [frozenset(cores[place * each : (place + 1) * each]) for place in range(number - 1)]
    return [*parts, frozenset(cores[(number - 1) * each :])]


def _shown(cores: Sequence[int] | Cores) -> str:
    """``0 to 3``, or ``0, 2 and 5``."""
    ordered = sorted(cores)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]} to {ordered[-1]}"
    return listed([str(core) for core in ordered])
