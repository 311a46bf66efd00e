"""The values of wsload's options, all read by `Settings.of`.

So a mistake gets the same message on the command line, in ``LOCUST_WS_…`` and in the start form. The options
themselves are in `wsload.load.options.table`.
"""

from __future__ import annotations

import base64
import dataclasses
import ssl
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wsload.errors import UsageError
from wsload.judge.run.abort import Condition, parse_condition
from wsload.judge.run.check_file import project_checks, read_checks
from wsload.judge.run.grammar import Check, parse_check
from wsload.load.options import tls
from wsload.load.options.parsing import (
    addresses,
    basic,
    byte_count,
    duration_s,
    header,
    number,
    one_line,
    one_of,
    or_off,
    origin,
    proxy,
    token_list,
    whole,
)
from wsload.load.options.table import DEFAULTS
from wsload.load.ws.opening import OpenOptions
from wsload.load.ws.url import parse_address, refuse_mixed_content, resolve_url
from wsload.measure.profile import Profile, parse_profile
from wsload.redact import NAMED_SECRETS, SECRET_OPTIONS, text_without_secrets


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the options say, read and checked."""

    url: str
    """To open, absolute or relative to the host; empty for the user class's."""
    subprotocols: tuple[str, ...] | None
    """To offer; None for the user class's."""
    rate: float
    """Tasks a second over the whole swarm; 0 for each user's own wait_time."""
    poisson: bool
    """Whether tasks come at random."""
    profile: Profile | None
    """Tasks a second over time, instead of ``rate``."""
    max_in_flight: int
    """Requests that a user may have outstanding."""
    message_timeout_ns: int
    drain_s: float
    open_timeout_s: float
    reconnect: bool
    allow_mixed_content: bool
    warm_up_s: float
    """How long after the start the measured window begins."""
    warm_up_ramp: bool
    """Whether the measured window begins once all users have started."""
    tolerance_ns: int
    """How far the load generator's lateness may move a percentile that is still trusted."""
    allow_invalid: bool
    checks: tuple[Check, ...]
    """Those of pyproject.toml, then those of a file, then those of the options."""
    abort_on: tuple[Condition, ...]
    """The conditions of ``--ws-abort-on``, which end the run early."""
    insecure: bool
    prometheus: tuple[str, int] | None
    """Host and port to serve Prometheus at; None for not at all."""
    json_progress: bool
    """Whether the live figures are printed as JSON lines."""
    probe: bool
    """Whether a probe runs besides the users."""
    ca_file: str
    """PEM file of the authorities to trust; empty for the system's."""
    client_cert: tuple[str, ...]
    """PEM files of the client's certificate and key."""
    opening: OpenOptions
    """How connections are opened; holds secrets."""
    results: Path
    """Where results directories are made."""
    build: str
    """The build's label."""

    @classmethod
    def of(cls, options: Namespace, *, judges: bool = True) -> Settings:
        """Reads the options; no checks where the run is not judged. Raises `UsageError`, naming option and value."""
        read = _Reader(vars(options))
        poisson, rate = read("ws_rate", _rate)
        profile = read("ws_profile", _profile)
        ramp, warm_up_s = read("ws_warm_up", _warm_up)
        settings = cls(
            url=read("ws_url", _url),
            subprotocols=read("ws_subprotocol", _tokens) or None,
            rate=rate,
            poisson=poisson or (profile is not None and profile.poisson),
            profile=profile,
            max_in_flight=read("ws_max_in_flight", whole(1, 1_000_000)),
            message_timeout_ns=int(read("ws_message_timeout", duration_s(0.01, 3600)) * 1e9),
            drain_s=read("ws_drain", duration_s(0, 600)),
            open_timeout_s=read("ws_open_timeout", duration_s(0.01, 600)),
            reconnect=read("ws_reconnect", bool),
            allow_mixed_content=read("ws_allow_mixed_content", bool),
            warm_up_s=warm_up_s,
            warm_up_ramp=ramp,
            tolerance_ns=round(read("ws_tolerance", duration_s(1e-5, 60)) * 1e9),
            allow_invalid=read("ws_allow_invalid", bool),
            checks=_all_checks(read) if judges else (),
            abort_on=read("ws_abort_on", _conditions),
            insecure=read("ws_insecure", bool),
            prometheus=read("ws_prometheus", _listen),
            json_progress=read("ws_json_progress", bool),
            probe=read("ws_probe", bool),
            ca_file=read("ws_ca_file", str),
            client_cert=read("ws_client_cert", _files),
            opening=_opening(read),
            results=Path(read("ws_results", str) or DEFAULTS["ws_results"]),
            build=read("ws_build", str),
        )
        if settings.rate and settings.profile:
            raise UsageError("argument --ws-profile: it sets the rate too: leave out --ws-rate")
        if settings.opening.proxy and settings.opening.source_ips:
            raise UsageError("argument --ws-source-ip: it has no effect through --ws-proxy: leave one out")
        for option, given in (("proxy", settings.opening.proxy), ("connect-to", settings.opening.connect_to)):
            if settings.probe and given:
                raise UsageError(f"argument --ws-probe: the probe can't use --ws-{option}: leave one out")
        return settings

    @property
    def paced(self) -> bool:
        """Whether a total rate says when tasks are due, instead of each user's own wait_time."""
        return bool(self.rate) or self.profile is not None

    def target(self, class_url: str, host: str | None) -> str:
        """The absolute URL that users of a class open; raises `UsageError` where a browser would refuse."""
        url = resolve_url(self.url or class_url, host)
        if not self.allow_mixed_content:
            refuse_mixed_content(url, self.opening.origin)
        return url

    def resolve(self, url: str | None, class_url: str, host: str | None) -> str:
        """What a user opens: its own URL where it names one, else the class's. Raises `UsageError`."""
        if url is None:
            return self.target(class_url, host)
        found = resolve_url(url, host or self.target(class_url, host))
        if not self.allow_mixed_content:
            refuse_mixed_content(found, self.opening.origin)
        return found


def _warm_up(text: Any) -> tuple[bool, float]:
    """``ramp``, or a time in seconds; nothing for none."""
    words = str(text).strip()
    if words in ("", "ramp"):
        return bool(words), 0.0
    try:
        return False, duration_s(0, 86_400)(words)
    except ValueError as error:
        raise ValueError(f"{error}, or 'ramp'") from None


class _Reader:
    """Reads one option after the other, a missing one as the table says, and names the one that is wrong."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __call__(self, dest: str, parse: Callable[[Any], Any]) -> Any:
        value = self._values.get(dest)
        try:
            return parse(DEFAULTS[dest] if value is None else value)
        except (ValueError, OSError, UsageError) as error:
            said = str((isinstance(error, OSError) and error.strerror) or error)
            texts = value if isinstance(value, list) else [value]
            given = ", ".join(
                repr(text_without_secrets(dest, text) if isinstance(text, str) else text) for text in texts
            )
            gap = "\n" if "\n" in said else " "  # a text with a mark below it
            told = said.startswith(given) or (gap == "\n" and isinstance(value, list))
            shown = "" if told or dest in (*SECRET_OPTIONS, *NAMED_SECRETS) else f" {given}:"
            raise UsageError(f"argument --{dest.replace('_', '-')}:{shown}{gap}{said}") from None


def _opening(read: _Reader) -> OpenOptions:
    headers: list[tuple[str, str]] = read("ws_header", _headers)
    cookies = read("ws_cookie", _cookies)
    if cookies:
        headers.append(("Cookie", "; ".join(cookies)))
    if login := read("ws_basic", basic):
        headers.append(("Authorization", "Basic " + base64.b64encode(login.encode()).decode()))
    if bearer := read("ws_bearer", one_line):
        headers.append(("Authorization", f"Bearer {bearer}"))
    return OpenOptions(
        headers=tuple(headers),
        origin=read("ws_origin", origin) or None,
        timeout_s=read("ws_open_timeout", duration_s(0.01, 600)),
        compression=read("ws_compression", bool),
        tls=_tls(read),
        proxy=read("ws_proxy", proxy) or None,
        connect_to=read("ws_connect_to", _address) or None,
        ping_interval_s=read("ws_ping", or_off(duration_s(0.01, 86_400))),
        ping_timeout_s=read("ws_ping_timeout", or_off(duration_s(0.01, 86_400))),
        source_ips=read("ws_source_ip", addresses),
        max_message_bytes=read("ws_max_message", byte_count(1, 1 << 30)),
    )


def _tls(read: _Reader) -> ssl.SSLContext:
    context: ssl.SSLContext = read("ws_ca_file", tls.trusting)

    def present(text: str) -> None:
        if text:
            tls.present(context, _files(text))

    read("ws_client_cert", present)
    if read("ws_insecure", bool):
        tls.verify_nothing(context)
    return context


def _files(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",", 1)))


def _texts(values: Any) -> list[str]:
    """The texts of a repeatable option; a start form sends one text with commas in it."""
    texts = values.split(",") if isinstance(values, str) else values or []
    return [text.strip() for text in texts if text.strip()]


def _tokens(values: Any) -> tuple[str, ...]:
    return token_list(_texts(values))


def _headers(values: Any) -> list[tuple[str, str]]:
    return [header(text) for text in _texts(values)]


def _all_checks(read: _Reader) -> tuple[Check, ...]:
    file = read("ws_checks", lambda path: read_checks(Path(path)) if path else ())
    return (*project_checks(Path("pyproject.toml")), *file, *read("ws_check", _checks))


def _checks(values: Any) -> tuple[Check, ...]:
    return tuple(parse_check(text) for text in _texts(values))


def _conditions(values: Any) -> tuple[Condition, ...]:
    return tuple(parse_condition(text) for text in _texts(values))


def _cookies(values: Any) -> list[str]:
    cookies = _texts(values)
    for cookie in cookies:
        if "=" not in cookie or ";" in cookie or not cookie.isprintable():
            raise ValueError("a cookie is NAME=VALUE")
    return cookies


def _url(text: str) -> str:
    resolve_url(text, "ws://localhost") if text else None
    return text


def _address(text: str) -> str:
    if text:
        parse_address(text)
    return text


def _listen(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = str(text).rpartition(":")
    return host.strip("[]") or "127.0.0.1", whole(0, 65535)(port)


def _rate(text: str) -> tuple[bool, float]:
    if not text:
        return False, 0.0
    kind, colon, rest = text.rpartition(":")
    try:
        if colon:
            one_of("poisson", "constant")(kind)
        return kind == "poisson", number(0.001, 1e6)(rest)
    except ValueError as error:
        raise ValueError(f"{error}; write 200 for that many tasks a second, or poisson:200") from None


def _profile(text: str) -> Profile | None:
    return parse_profile(text) if text.strip() else None
