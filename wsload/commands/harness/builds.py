"""Builds: how a server is started and reached, and the options with which Locust loads it. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import urlsplit

from wsload.errors import UsageError
from wsload.redact import NAMED_SECRETS, SECRET_OPTIONS, redact_url
from wsload.words import listed

PORT: Final = "{port}"
"""Placeholder in a command and a URL for the port that is chosen for each run."""

_OURS: Final = (
    *("-f", "--locustfile", "--headless", "-u", "--users", "-r", "--spawn-rate", "-t", "--run-time"),
    *("-H", "--host", "--ws-results", "--ws-build", "--autostart", "--autoquit", "--master", "--worker"),
    *("--ws-beside", "--ws-beside-build", "--ws-beside-results"),
)
_SECRET: Final = tuple(f"--{name.replace('_', '-')}" for name in (*SECRET_OPTIONS, *NAMED_SECRETS))
_URLS: Final = ("--ws-url", "--ws-origin", "--ws-connect-to")
_TRUE: Final = ("true", "yes", "1", "on")
"""How a switch is set by its variable."""
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
    public = _public(url, "--url")
    if PORT not in command:
        raise UsageError(
            f"{option} {redact_url(command)!r}: has no {PORT}; write it where the server takes its port, "
            "or give the URL of a running server"
        )
    if PORT not in url:
        raise UsageError(f"--url {url!r}: has no {PORT}, so the runs could not find their servers")
    return Build(name=name, url=public, command=command, ref=ref, setup=setup)


def _public(url: str, option: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # whose text may hold the password
        raise UsageError(f"{option} {redact_url(url)!r}: no host can be read from it") from None
    if parts.scheme not in _SCHEMES:
        raise UsageError(f"{option} {redact_url(url)!r}: a URL with {listed(_SCHEMES, 'or')} is needed")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"{option}: the URL holds a password, which would be stored: set LOCUST_WS_BASIC instead"
        )
    _refuse_secret(option, url)
    return url


def _refuse_secret(option: str, url: str) -> None:
    if redact_url(url) != url:
        raise UsageError(
            f"{option} {redact_url(url)!r}: the URL holds a token, which would be stored: put "
            "its path and query into LOCUST_WS_URL"
        )


def check_options(
    options: Sequence[str],
    *,
    command: str = "wsload ab",
    kept: str = "experiment.json",
    more: Sequence[str] = (),
) -> None:
    """Raises `UsageError` for options that the command sets itself, and for secrets, which would be kept in a file.

    ``more`` are options that it sets beside those that every experiment does.
    """
    before = ""
    for word in options:
        name = word.split("=", 1)[0]
        short = name[:2] if name[:1] == "-" and name[1:2] != "-" else name
        if name in (*_OURS, *more) or short in _OURS:
            raise UsageError(f"{name} after --: {command} sets it itself; see its own options")
        if name in _SECRET:
            variable = "LOCUST_" + name[2:].replace("-", "_").upper()
            raise UsageError(f"{name} after --: it would be stored in {kept}; set {variable} instead")
        value = word.partition("=")[2] if word.startswith("-") else word
        if "?" in value or "://" in value or (name if word.startswith("-") else before) in _URLS:
            _refuse_secret("after --:", value)
        before = word


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"after --: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeOptions:
    """How the load opens its connections, as far as a first handshake must do the same."""

    url: str
    """Absolute or relative to the host; empty if it is left to the user classes."""
    subprotocols: tuple[str, ...]
    """Offered; none if they are left to the user classes."""
    origin: str
    """The ``Origin`` header; empty for none."""
    ca_file: str = ""
    """The certificate authorities to trust for ``wss``; empty for the system's."""
    insecure: bool = False
    """Whether certificates are not verified."""


def handshake_options(options: Sequence[str], environment: Mapping[str, str]) -> HandshakeOptions:
    """Reads them from Locust's further options, or their variables. Raises `UsageError`."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    for name in ("--ws-url", "--ws-origin", "--ws-ca-file"):
        parser.add_argument(name, default=environment.get(_variable(name), ""))
    parser.add_argument("--ws-subprotocol", action="append")
    parser.add_argument("--ws-insecure", action="store_true")
    found, _ = parser.parse_known_args(list(options))
    offered = found.ws_subprotocol or _variable_list(environment.get(_variable("--ws-subprotocol"), ""))
    return HandshakeOptions(
        url=found.ws_url,
        subprotocols=tuple(offered),
        origin=found.ws_origin,
        ca_file=found.ws_ca_file,
        insecure=found.ws_insecure or environment.get(_variable("--ws-insecure"), "").lower() in _TRUE,
    )


def _variable(name: str) -> str:
    return "LOCUST_" + name[2:].replace("-", "_").upper()


def _variable_list(text: str) -> list[str]:
    """A list in a variable, ``[a, b]`` or ``a``, as Locust parses it."""
    return [word.strip() for word in text.strip("[] ").split(",") if word.strip()]
