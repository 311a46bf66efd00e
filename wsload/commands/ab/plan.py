"""The plan of an experiment: two builds, the load, and the order of the runs. Pure.

The order is A B B A A B B A…, so that a machine that steadily warms up, or slows down, affects both builds equally.
Every run gets a server of its own, unless the server is already running.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn
from urllib.parse import urlsplit

from wsload.errors import UsageError
from wsload.judge.compare.pairs import Side
from wsload.judge.compare.sequential import EARLY_SHARE, LookPlan
from wsload.judge.compare.verdict import Gate
from wsload.redact import redact_url
from wsload.words import listed

PORT: Final = "{port}"
"""Placeholder in a command and a URL for the port that is chosen for each run."""
LETTERS: Final[Mapping[Side, str]] = {Side.BASELINE: "A", Side.CANDIDATE: "B"}
RUN_OVERHEAD_S: Final = 7.0
"""About how long a run takes besides its load: server, Locust and the last answers. Only for forecasts."""
WARM_UP_OVERHEAD_S: Final = 4.0
MOST_PAIRS: Final = 200

_OURS: Final = (
    *("-f", "--locustfile", "--headless", "-u", "--users", "-r", "--spawn-rate", "-t", "--run-time"),
    *("-H", "--host", "--ws-results", "--ws-build", "--autostart", "--autoquit", "--master", "--worker"),
)
_SECRET: Final = ("--ws-basic", "--ws-bearer", "--ws-cookie", "--ws-header", "--ws-proxy")
_SCHEMES: Final = ("ws", "wss", "http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One side: how its server is started, and its URL."""

    name: str
    """Its label, also in the results."""
    url: str
    """The target of the load, with `PORT` if the server is started on a port that wsload chooses."""
    command: str = ""
    """Starts the server; empty if it is already running."""
    ref: str = ""
    """The git ref to check out; empty for none."""
    commit: str = ""
    """The ref's commit when the experiment began: 40 hex digits."""
    setup: str = ""
    """Run once in the new worktree, such as ``npm ci``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """An experiment, fixed before its first run. It is stored as it is, and holds no secrets."""

    a: Build
    """The baseline."""
    b: Build
    """The candidate."""
    locustfile: str
    users: int
    spawn_rate: float
    """Users per second."""
    run_time_s: float
    """Of each measured run, including its ramp."""
    warm_up_s: float = 5.0
    """Of the discarded run before it, against the same server; 0 for none."""
    pairs: int = 10
    repeats: int = 2
    """How often to repeat a run that is not valid."""
    stop_early: bool = False
    """Whether to stop after any pair once the verdict is clear."""
    ready_timeout_s: float = 30.0
    """How long a server may take to answer a handshake."""
    options: tuple[str, ...] = ()
    """Further options for Locust, the same in all runs."""
    gate: Gate = field(default_factory=Gate)
    directory: str = ""
    """Where commands, git and Locust are run: where the experiment was started. Empty for the current directory."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("--users", self.users, 1, 1_000_000),
            ("--spawn-rate", self.spawn_rate, 0.01, 1_000_000),
            ("--run-time", self.run_time_s, 1, 86_400),
            ("--warm-up", self.warm_up_s, 0, 3_600),
            ("--pairs", self.pairs, 2, MOST_PAIRS),
            ("--repeat", self.repeats, 0, 10),
            ("--ready-timeout", self.ready_timeout_s, 0.1, 3_600),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} {value:g}: from {least:g} to {most:g} is allowed")
        if self.a.name == self.b.name:
            raise UsageError(f"both builds are called {self.a.name!r}: name them with --a-name and --b-name")
        check_options(self.options)

    def build(self, side: Side) -> Build:
        return self.a if side is Side.BASELINE else self.b

    @property
    def looks(self) -> LookPlan:
        """How often its figures may be looked at, and with which share of alpha."""
        return LookPlan(pairs=self.pairs, early_share=EARLY_SHARE if self.stop_early else 0.0)

    @property
    def slot_s(self) -> float:
        """About how long one run takes, with everything around it."""
        warm_up_s = self.warm_up_s + WARM_UP_OVERHEAD_S if self.warm_up_s else 0.0
        return self.run_time_s + RUN_OVERHEAD_S + warm_up_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A run's position in the order."""

    number: int
    """From 1."""
    pair: int
    """From 1; two slots each."""
    side: Side

    @property
    def letter(self) -> str:
        return LETTERS[self.side]


def order(pairs: int) -> tuple[Slot, ...]:
    """A B, B A, A B, … for this many pairs."""
    sides = (Side.BASELINE, Side.CANDIDATE)
    return tuple(
        Slot(number=2 * pair + place + 1, pair=pair + 1, side=sides[(place + pair) % 2])
        for pair in range(pairs)
        for place in (0, 1)
    )


def build_of(text: str, *, name: str, url: str, option: str) -> Build:
    """The build given by ``--a`` or ``--b``: a command with `PORT`, or the URL of a running server.

    ``url`` is that of a started server, with `PORT`. Raises `UsageError`.
    """
    text = text.strip()
    if text.split("://", 1)[0].lower() in _SCHEMES and "://" in text and not any(map(str.isspace, text)):
        return Build(name=name, url=_public(text, option))
    return started(text, name=name, url=url, option=option)


def started(command: str, *, name: str, url: str, option: str, ref: str = "", setup: str = "") -> Build:
    """The build whose server is started by this command. Raises `UsageError` if it has no `PORT`."""
    if PORT not in command:
        raise UsageError(
            f"{option} {command!r}: has no {PORT}; write it where the server takes its port, "
            "or give the URL of a running server"
        )
    if PORT not in url:
        raise UsageError(f"--url {url!r}: has no {PORT}, so the runs could not find their servers")
    return Build(name=name, url=_public(url, "--url"), command=command, ref=ref, setup=setup)


def _public(url: str, option: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise UsageError(f"{option} {url!r}: a URL with {listed(_SCHEMES, 'or')} is needed")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"{option}: the URL holds a password, which would be stored in experiment.json: set LOCUST_WS_BASIC "
            "instead"
        )
    _refuse_secret(option, url)
    return url


def _refuse_secret(option: str, url: str) -> None:
    if redact_url(url) != url:
        raise UsageError(
            f"{option} {redact_url(url)!r}: the URL holds a token, which would be stored in experiment.json: put "
            "its path and query into LOCUST_WS_URL"
        )


def check_options(options: Sequence[str]) -> None:
    """Raises `UsageError` for options that wsload ab sets itself, and for secrets, which would be stored."""
    for word in options:
        name = word.split("=", 1)[0]
        short = name[:2] if name[:1] == "-" and name[1:2] != "-" else name
        if name in _OURS or short in _OURS:
            raise UsageError(f"{name} after --: wsload ab sets it itself; see its own options")
        if name in _SECRET:
            variable = "LOCUST_" + name[2:].replace("-", "_").upper()
            raise UsageError(
                f"{name} after --: it would be stored in experiment.json; set {variable} instead"
            )
        value = word.partition("=")[2] if word.startswith("-") else word
        if "?" in value or "://" in value:
            _refuse_secret("after --:", value)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"after --: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeOptions:
    """How the load opens its connections, as far as a first handshake must do the same."""

    url: str
    """Absolute or relative to the host; empty for the host itself."""
    subprotocols: tuple[str, ...]
    """Offered."""
    origin: str
    """The ``Origin`` header; empty for none."""


def handshake_options(options: Sequence[str], environment: Mapping[str, str]) -> HandshakeOptions:
    """Reads them from Locust's further options, or their variables. Raises `UsageError`."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    for name in ("--ws-url", "--ws-origin"):
        parser.add_argument(name, default=environment.get(_variable(name), ""))
    parser.add_argument("--ws-subprotocol", action="append")
    found, _ = parser.parse_known_args(list(options))
    offered = (
        found.ws_subprotocol or _variable_list(environment.get(_variable("--ws-subprotocol"), "")) or ["json"]
    )
    return HandshakeOptions(url=found.ws_url, subprotocols=tuple(offered), origin=found.ws_origin)


def _variable(name: str) -> str:
    return "LOCUST_" + name[2:].replace("-", "_").upper()


def _variable_list(text: str) -> list[str]:
    """A list in a variable, ``[a, b]`` or ``a``, as Locust parses it."""
    return [word.strip() for word in text.strip("[] ").split(",") if word.strip()]


def called(letter: str, build: Build) -> str:
    """A side, for people: ``A (v1)``, or just ``A``."""
    return letter if build.name == letter else f"{letter} ({build.name})"
